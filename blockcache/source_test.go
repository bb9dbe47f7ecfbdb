package blockcache

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// A span is one ReadRange call.
type span struct{ off, n int64 }

// A source serves data. before, if set, is asked at each call and may return
// another body, or an error; it may block on a gate.
type source struct {
	data   []byte
	before func(ctx context.Context, call int, off, n int64) (io.Reader, error)

	mu      sync.Mutex
	calls   []span
	read    int64 // bytes taken from bodies
	running int
	most    int // bodies open at once
}

func (s *source) ReadRange(ctx context.Context, off, n int64) (io.ReadCloser, error) {
	s.mu.Lock()
	call := len(s.calls)
	s.calls = append(s.calls, span{off, n})
	s.mu.Unlock()
	if off < 0 || n <= 0 || off+n > int64(len(s.data)) {
		return nil, errors.New("range outside of the blob")
	}
	var r io.Reader = bytes.NewReader(s.data[off : off+n])
	if s.before != nil {
		other, err := s.before(ctx, call, off, n)
		if err != nil {
			return nil, err
		}
		if other != nil {
			r = other
		}
	}
	s.mu.Lock()
	s.running++
	s.most = max(s.most, s.running)
	s.mu.Unlock()
	return &body{s, ctx, r}, nil
}

func (s *source) requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.calls)
}

func (s *source) spans() []span {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]span(nil), s.calls...)
}

func (s *source) bytesRead() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.read
}

type body struct {
	s   *source
	ctx context.Context
	r   io.Reader
}

func (b *body) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := b.r.Read(p)
	b.s.mu.Lock()
	b.s.read += int64(n)
	b.s.mu.Unlock()
	return n, err
}

func (b *body) Close() error {
	b.s.mu.Lock()
	b.s.running--
	b.s.mu.Unlock()
	return nil
}

// content returns n bytes that depend on seed.
func content(seed uint64, n int) []byte {
	p := make([]byte, n)
	var s [32]byte
	s[0], s[1] = byte(seed), byte(seed>>8)
	rand.NewChaCha8(s).Read(p)
	return p
}

func sha(p []byte) string {
	h := sha256.Sum256(p)
	return "sha256:" + hex.EncodeToString(h[:])
}

func open(t testing.TB, dir string, o Options) *Cache {
	t.Helper()
	if o.KeepFree == 0 {
		o.KeepFree = -1
	}
	c, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func blobOf(t testing.TB, c *Cache, key string, s *source) *Blob {
	t.Helper()
	b, err := c.Blob(key, int64(len(s.data)), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// reader reads b front to back in pieces of n bytes.
func sequential(t testing.TB, b *Blob, want []byte, n int) {
	t.Helper()
	p := make([]byte, n)
	for off := 0; off < len(want); off += n {
		k, err := b.ReadAt(t.Context(), p, int64(off))
		if err != nil && !(err == io.EOF && off+k == len(want)) {
			t.Fatalf("read at %d: %v", off, err)
		}
		if !bytes.Equal(p[:k], want[off:off+k]) || k != min(n, len(want)-off) {
			t.Fatalf("read at %d: wrong bytes, or %d of them", off, k)
		}
	}
}

// settled waits until the blob is whole, or its check failed.
func settled(t testing.TB, b *Blob) error {
	t.Helper()
	for b.b.whole.Load() == nil {
		b.b.mu.Lock()
		k, running := b.b.check, len(b.b.parts)
		b.b.mu.Unlock()
		if k != nil {
			if err := k.wait(t.Context()); err != nil {
				return err
			}
		} else if running == 0 {
			if b.b.whole.Load() != nil {
				return nil
			}
			if err := b.b.refuse(); err != nil {
				return err
			}
			return errors.New("nothing makes the blob whole")
		}
		time.Sleep(time.Millisecond / 10) // until the next part ends
	}
	return nil
}

func isWhole(t testing.TB, b *Blob, want []byte) {
	t.Helper()
	if err := settled(t, b); err != nil {
		t.Fatal(err)
	}
	f, ok := b.File()
	if !ok {
		t.Fatal("the blob is not whole")
	}
	got, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<40))
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("the file is not the blob: %d bytes, %v", len(got), err)
	}
	fi, err := os.Stat(b.b.c.Dir() + "/" + b.b.key.whole())
	if err != nil || fi.Mode().Perm() != 0o400 {
		t.Fatalf("whole blob: %v %v", fi, err)
	}
}

// gated tells asked that a call has come, and holds it until gate or its end.
func gated(asked chan<- struct{}, gate <-chan struct{}) func(context.Context, int, int64, int64) (io.Reader, error) {
	var once sync.Once
	return func(ctx context.Context, _ int, _, _ int64) (io.Reader, error) {
		once.Do(func() { close(asked) })
		select {
		case <-gate:
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
