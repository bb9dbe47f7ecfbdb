package remote

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"sync"
	"syscall"
)

const errIsDir = syscall.EISDIR

// openFile reads one file as a stream, opened again where a Seek went.
type openFile struct {
	v       fsView
	e       Entry
	content *Content

	mu     sync.Mutex
	pos    int64
	stream io.ReadCloser // at pos; nil = not open
	sum    hash.Hash     // of the bytes before pos; nil once they were not read in order
	closed bool
}

var (
	_ io.ReaderAt = (*openFile)(nil)
	_ io.Seeker   = (*openFile)(nil)
)

func newOpenFile(v fsView, e Entry) *openFile {
	return &openFile{v: v, e: e, content: v.s.c.Content(v.s.repo, v.s.commit, e), sum: e.newHash()}
}

func (f *openFile) Stat() (fs.FileInfo, error) { return fileInfo{e: f.e, date: f.v.s.date}, nil }

func (f *openFile) fail(op string, err error) error {
	return &fs.PathError{Op: op, Path: f.e.Path, Err: err}
}

func (f *openFile) Read(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.closed:
		return 0, f.fail("read", fs.ErrClosed)
	case len(p) == 0:
		return 0, nil
	case f.pos >= f.e.Size:
		return 0, f.end()
	}
	if f.stream == nil {
		s, err := f.content.ReadRange(f.v.ctx, f.pos, f.e.Size-f.pos)
		if err != nil {
			return 0, f.fail("read", err)
		}
		f.stream = s
	}
	n, err := f.stream.Read(p)
	f.pos += int64(n)
	if f.sum != nil {
		f.sum.Write(p[:n])
	}
	if err == io.EOF {
		err = nil // the end is where the size says
	}
	if err != nil {
		return n, f.fail("read", err)
	}
	return n, nil
}

// end is io.EOF, unless all bytes were seen and are not those of the tree.
func (f *openFile) end() error {
	if f.sum != nil && f.pos == f.e.Size && !f.e.hasHash(f.sum) {
		return f.fail("read", fmt.Errorf("wrong hash: %w", ErrMismatch))
	}
	return io.EOF
}

func (f *openFile) Seek(off int64, whence int) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch whence {
	case io.SeekCurrent:
		off += f.pos
	case io.SeekEnd:
		off += f.e.Size
	}
	if off < 0 || f.closed {
		return 0, f.fail("seek", fs.ErrInvalid)
	}
	if off != f.pos {
		f.drop()
		f.sum = nil
		if off == 0 {
			f.sum = f.e.newHash()
		}
		f.pos = off
	}
	return off, nil
}

func (f *openFile) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, f.fail("read", fs.ErrInvalid)
	}
	if off >= f.e.Size {
		return 0, io.EOF
	}
	want := min(int64(len(p)), f.e.Size-off)
	r, err := f.content.ReadRange(f.v.ctx, off, want)
	if err != nil {
		return 0, f.fail("read", err)
	}
	defer r.Close()
	n, err := io.ReadFull(r, p[:want])
	if err != nil {
		return n, f.fail("read", err)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *openFile) drop() {
	if f.stream != nil {
		f.stream.Close()
		f.stream = nil
	}
}

func (f *openFile) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return f.fail("close", fs.ErrClosed)
	}
	f.closed = true
	f.drop()
	return nil
}

// newHash is the hash the entry's content id is made with, fed with what goes
// before the content.
func (e Entry) newHash() hash.Hash {
	if _, ok := e.Blob.LFS(); ok {
		return sha256.New()
	}
	h := sha1.New()
	if oid, _ := e.Blob.Git(); len(oid) == 64 {
		h = sha256.New()
	}
	fmt.Fprintf(h, "blob %d\x00", e.Size)
	return h
}

func (e Entry) hasHash(h hash.Hash) bool {
	sum := hex.EncodeToString(h.Sum(nil))
	return e.Blob.ID == lfsPrefix+sum || e.Blob.ID == gitPrefix+sum
}
