package blockcache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sync/singleflight"
)

// Options of Open; the zero value works.
type Options struct {
	// Limit is how many bytes on disk the cache may have. 0 means half of what
	// is free and in the cache at start; negative means as much as there is.
	// What is open is never removed: where only that is left, reads go on uncached.
	Limit int64
	// KeepFree is how many bytes of the disk the cache leaves free. 0 means 5 %
	// of the disk, at most 10 GiB; negative means none.
	KeepFree int64
	// Logger gets what happens in the background and no caller is told: dropped
	// content, a disk that cannot be written. nil means nothing is logged.
	Logger *slog.Logger
	// Around, for tests, is called in the place of each effect that Adopt has on
	// files, which do has: "sync" of from, "mkdir" of to, "rename" of from to to,
	// "remove" of from. nil means do.
	Around func(op, from, to string, do func() error) error
}

// A Cache is a directory of blobs. Its methods may be called concurrently.
type Cache struct {
	dir    *directory
	log    *slog.Logger
	around func(op, from, to string, do func() error) error
	ctx    context.Context // of all fetching; ends with Close
	cancel context.CancelFunc

	sched     sched
	memory    memory
	room      room
	bad       badKeys
	verifying chan struct{} // one whole hash at a time: the other core is the readers'
	writing   chan struct{} // small blobs on their way to disk
	large     chan struct{} // gated blobs that are in memory while they come
	evicting  singleflight.Group
	count     counters

	mu     sync.Mutex
	blobs  map[blobID]*blob
	claims map[string]chan struct{} // names that are being removed or replaced
}

type counters struct {
	hits, misses, requests, fetched, evictions, evictedBytes,
	corrupt, repaired, sourceErrors, diskErrors atomic.Int64
}

// Open opens the cache in dir and makes the directory if it is missing.
func Open(dir string, o Options) (*Cache, error) {
	d, err := openDirectory(dir)
	if err != nil {
		return nil, fmt.Errorf("blob cache: %w", err)
	}
	c := &Cache{
		dir:       d,
		log:       o.Logger,
		around:    o.Around,
		verifying: make(chan struct{}, 1),
		writing:   make(chan struct{}, writers),
		large:     make(chan struct{}, 1),
		blobs:     map[blobID]*blob{},
		claims:    map[string]chan struct{}{},
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.room.init(o)
	c.sched.limit = startParts
	c.sched.spawn(c.takeStock)
	return c, nil
}

// Dir returns the directory of the cache.
func (c *Cache) Dir() string { return c.dir.path }

// Blob opens the blob called key, "sha256:<64 hex>" or "git:<40 or 64 hex>", of
// size bytes, to be brought from src where it is not on disk. It makes no
// request. The blob is not evicted before the returned Blob is closed; several
// Blobs of one key share everything but the source that they ask.
//
// Errors: fs.ErrInvalid for a bad key or size, EFBIG above 16 TiB, ErrClosed.
// Trouble with the disk is none.
func (c *Cache) Blob(key string, size int64, src Source) (*Blob, error) {
	d, err := parseKey(key)
	if err != nil {
		return nil, err
	}
	if size < 0 {
		return nil, fmt.Errorf("blob %s of size %d: %w", key, size, os.ErrInvalid)
	}
	if size > maxSize {
		return nil, fmt.Errorf("blob %s of size %d: %w", key, size, syscall.EFBIG)
	}
	b, err := c.acquire(blobID{d, size})
	if err != nil {
		return nil, err
	}
	return &Blob{b: b, src: src}, nil
}

// Whole opens the file of a blob that is whole and verified, for reading.
// The caller closes it; it stays good when the blob is evicted.
func (c *Cache) Whole(key string, size int64) (f *os.File, ok bool) {
	d, err := parseKey(key)
	if err != nil {
		return nil, false
	}
	f = c.whole(d, size)
	return f, f != nil
}

func (c *Cache) whole(key digest, size int64) *os.File {
	f, fi, err := c.dir.open(key.whole(), os.O_RDONLY)
	if err != nil {
		return nil
	}
	if fi.Size() != size {
		f.Close()
		return nil
	}
	c.touch(key.whole(), fi)
	return f
}

// Close ends all work of the cache and waits for it. Blobs still open answer
// ErrClosed afterwards. What was fetched so far stays on disk.
func (c *Cache) Close() error {
	if !c.sched.close() {
		return nil
	}
	c.cancel()
	c.mu.Lock()
	all := make([]*blob, 0, len(c.blobs))
	for _, b := range c.blobs {
		all = append(all, b)
	}
	c.mu.Unlock()
	for _, b := range all {
		b.mu.Lock()
		wake := b.abandon(true)
		b.mu.Unlock()
		wake()
	}
	c.sched.wait()

	for _, b := range all {
		c.mu.Lock()
		mine := !b.leaving
		b.leaving = true
		c.mu.Unlock()
		if mine {
			<-b.opened
			b.close()
			close(b.gone)
		} else {
			<-b.gone
		}
	}
	return errors.Join(c.dir.close())
}
