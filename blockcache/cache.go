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
}

// A Cache is a directory of blobs. Its methods may be called concurrently.
type Cache struct {
	dir    *directory
	log    *slog.Logger
	ctx    context.Context // of all fetching; ends with Close
	cancel context.CancelFunc

	sched     sched
	memory    memory
	room      room
	bad       badKeys
	verifying chan struct{} // one whole hash at a time: the other core is the readers'
	writing   chan struct{} // small blobs on their way to disk
	evicting  singleflight.Group
	count     counters

	mu     sync.Mutex
	blobs  map[blobID]*blob
	claims map[string]chan struct{} // names that are being removed or replaced
}

// Two trees may give one key different sizes; at least one of them is wrong,
// and neither may spoil the other.
type blobID struct {
	key  digest
	size int64
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
		verifying: make(chan struct{}, 1),
		writing:   make(chan struct{}, writers),
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

// acquire returns the shared state of a blob, with one more owner.
func (c *Cache) acquire(id blobID) (*blob, error) {
	for {
		c.mu.Lock()
		if c.sched.isClosed() {
			c.mu.Unlock()
			return nil, ErrClosed
		}
		if done, ok := c.claims[id.key.name()]; ok {
			c.mu.Unlock()
			<-done
			continue
		}
		b := c.blobs[id]
		if b == nil {
			b = &blob{c: c, key: id.key, size: id.size, blocks: blocksOf(id.size), refs: 1,
				opened: make(chan struct{}), gone: make(chan struct{})}
			c.blobs[id] = b
			c.mu.Unlock()
			b.open()
			close(b.opened)
			return b, nil
		}
		if b.leaving {
			c.mu.Unlock()
			<-b.gone
			continue
		}
		b.refs++
		c.mu.Unlock()
		<-b.opened
		return b, nil
	}
}

// open finds what is on disk of the blob.
func (b *blob) open() {
	if f := b.c.whole(b.key, b.size); f != nil {
		b.whole.Store(f)
		return
	}
	if b.size == 0 {
		if f, err := b.c.openEmpty(b.key); err == nil {
			b.whole.Store(f)
		}
		return
	}
	if b.small() {
		return
	}
	d, err := openPartial(b.c.dir, b.key, b.size)
	if err != nil {
		return // nothing is there, or it is another's; a file is made with the first block
	}
	b.disk.Store(d)
	b.mu.Lock()
	b.startCheck()
	b.mu.Unlock()
}

// release takes one owner off b.
func (c *Cache) release(b *blob) {
	c.mu.Lock()
	b.refs--
	last := b.refs == 0
	wake := func() {}
	if last {
		b.mu.Lock()
		wake = b.abandon(false)
		b.mu.Unlock()
	}
	c.mu.Unlock()
	wake()
	if last {
		c.settle(b)
	}
}

// settle closes b if nobody uses it any more.
func (c *Cache) settle(b *blob) {
	c.mu.Lock()
	if b.refs > 0 || b.leaving || !b.idle() {
		c.mu.Unlock()
		return
	}
	b.leaving = true
	c.mu.Unlock()

	b.close()

	c.mu.Lock()
	delete(c.blobs, blobID{b.key, b.size})
	c.mu.Unlock()
	close(b.gone)
	c.room.unpinned()
}

// claim reserves the name of a blob for a change of its files, and reports
// whether nobody has the blob open. While it is claimed nobody opens it.
func (c *Cache) claim(key digest) (free bool, done func()) {
	for {
		c.mu.Lock()
		other, ok := c.claims[key.name()]
		if !ok {
			break
		}
		c.mu.Unlock()
		<-other
	}
	defer c.mu.Unlock()
	free = true
	for id := range c.blobs {
		if id.key == key {
			free = false
		}
	}
	mine := make(chan struct{})
	c.claims[key.name()] = mine
	return free, func() {
		c.mu.Lock()
		delete(c.claims, key.name())
		c.mu.Unlock()
		close(mine)
	}
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
