package blockcache

import (
	"context"
	"errors"
	"os"
)

// A Blob is one open blob. Its methods may be called concurrently.
type Blob struct {
	key  string
	size int64
}

// Key returns the name the blob was opened by.
func (b *Blob) Key() string { return b.key }

// Size returns the length of the blob in bytes.
func (b *Blob) Size() int64 { return b.size }

// ReadAt fills p with the bytes from off, as io.ReaderAt does: it returns
// io.EOF if and only if fewer than len(p) bytes remain. It waits for missing
// blocks until ctx ends; fetching goes on for other readers.
func (b *Blob) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	return 0, errors.ErrUnsupported
}

// File returns the blob's file, opened for reading, and true if the blob is
// whole and verified. The file is the Blob's own and valid until its Close.
func (b *Blob) File() (f *os.File, whole bool) { return nil, false }

// Fetch brings all of the blob to disk; afterwards File is whole. It fails if
// the disk cannot take the blob.
func (b *Blob) Fetch(ctx context.Context) error { return errors.ErrUnsupported }

// Close gives the blob up. What is being fetched and nobody else wants ends
// soon; what has come stays on disk.
func (b *Blob) Close() error { return nil }
