package blockcache

import (
	"errors"
	"log/slog"
	"os"
)

// Options of Open; the zero value works.
type Options struct {
	// Limit is how many bytes on disk the cache may have. 0 means half of what
	// is free and in the cache at start; negative means as much as there is.
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
	dir string
}

// Open opens the cache in dir and makes the directory if it is missing.
func Open(dir string, o Options) (*Cache, error) {
	return nil, errors.ErrUnsupported
}

// Blob opens the blob called key, "sha256:<64 hex>" or "git:<40 or 64 hex>", of
// size bytes, to be brought from src where it is not on disk. It makes no
// request. The blob is not evicted before the returned Blob is closed; several
// Blobs of one key share everything but the source that they ask.
func (c *Cache) Blob(key string, size int64, src Source) (*Blob, error) {
	return nil, errors.ErrUnsupported
}

// Whole opens the file of a blob that is whole and verified, for reading.
// The caller closes it; it stays good when the blob is evicted.
func (c *Cache) Whole(key string, size int64) (f *os.File, ok bool) {
	return nil, false
}

// Adopt takes the file at path, whose content is known to be the blob key,
// into the cache: by rename, or on another file system by a copy if there is
// room. The file at path is gone after success, and untouched after an error.
// No writer may have it open.
func (c *Cache) Adopt(key, path string) error {
	return errors.ErrUnsupported
}

// Dir returns the directory of the cache.
func (c *Cache) Dir() string { return c.dir }

// Stats returns what the cache holds and did.
func (c *Cache) Stats() Stats { return Stats{} }

// Close ends all work of the cache and waits for it. Blobs still open answer
// ErrClosed afterwards. What was fetched so far stays on disk.
func (c *Cache) Close() error { return nil }
