package blockcache

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync/atomic"
)

// A Blob is one open blob. Its methods may be called concurrently.
type Blob struct {
	b      *blob
	src    Source
	closed atomic.Bool
}

// Key returns the name the blob was opened by.
func (h *Blob) Key() string { return h.b.key.String() }

// Size returns the length of the blob in bytes.
func (h *Blob) Size() int64 { return h.b.size }

// ReadAt fills p with the bytes from off, as io.ReaderAt does: it returns
// io.EOF if and only if fewer than len(p) bytes remain. It waits for missing
// blocks until ctx ends; what it waited for is still fetched for other readers.
//
// Errors: ErrCorrupt if the content is not what the key names, ErrClosed, the
// error of ctx, and else that of the Source.
func (h *Blob) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	b := h.b
	if off < 0 {
		return 0, fmt.Errorf("read blob at %d: %w", off, fs.ErrInvalid)
	}
	if b.size == 0 && !b.key.empty() {
		return 0, fmt.Errorf("blob %s: %w", b.key, ErrCorrupt)
	}
	want := p[:max(0, min(int64(len(p)), b.size-off))]
	done, waited := 0, false
	for done < len(want) {
		if h.closed.Load() {
			return done, ErrClosed
		}
		n := b.read(h, want[done:], off+int64(done))
		if n == 0 {
			var err error
			if n, err = b.await(ctx, h, want[done:], off+int64(done), &waited); err != nil {
				return done, err
			}
		}
		done += n
	}
	if waited {
		b.c.count.misses.Add(1)
	} else {
		b.c.count.hits.Add(1)
	}
	if len(want) < len(p) {
		return done, io.EOF
	}
	return done, nil
}

// File returns the blob's file, opened for reading, and true if the blob is
// whole and verified. The file is the Blob's own and valid until its Close.
func (h *Blob) File() (f *os.File, whole bool) {
	if h.closed.Load() {
		return nil, false
	}
	f = h.b.whole.Load()
	return f, f != nil
}

// Cached returns how many bytes of the blob are on disk.
func (h *Blob) Cached() int64 {
	b := h.b
	if b.whole.Load() != nil {
		return b.size
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if d := b.disk.Load(); d != nil {
		return min(b.size, (b.blocks-d.missing)*blockSize)
	}
	return 0
}

// Close gives the blob up. What is being fetched and nobody else wants ends
// soon; what has come stays on disk. Closing again does nothing.
func (h *Blob) Close() error {
	if !h.closed.Swap(true) {
		h.b.c.release(h.b)
	}
	return nil
}
