package blockcache

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
)

var errNet = errors.New("connection reset")

// failing returns a body of the first n bytes of data, and then err.
func failing(data []byte, n int, err error) io.Reader {
	return io.MultiReader(bytes.NewReader(data[:n]), iotest.ErrReader(err))
}

func TestBrokenConnectionIsResumed(t *testing.T) {
	for _, size := range []int{300e3, 5 * mb} {
		s := &source{data: content(1, size)}
		s.before = func(_ context.Context, call int, off, n int64) (io.Reader, error) {
			if call < 3 {
				return failing(s.data[off:off+n], 1234, errNet), nil
			}
			return nil, nil
		}
		c := open(t, t.TempDir(), Options{})
		b := blobOf(t, c, sha(s.data), s)
		sequential(t, b, s.data, blockSize)
		isWhole(t, b, s.data)
		if got := s.bytesRead(); got != int64(size) {
			t.Errorf("fetched %d bytes of %d", got, size)
		}
	}
}

func TestSourceErrorReachesReader(t *testing.T) {
	for _, size := range []int{300e3, 5 * mb} {
		down := true
		s := &source{data: content(1, size)}
		s.before = func(_ context.Context, call int, off, n int64) (io.Reader, error) {
			if down {
				return nil, errNet
			}
			return nil, nil
		}
		other := &source{data: content(2, size)}
		c := open(t, t.TempDir(), Options{})
		b, b2 := blobOf(t, c, sha(s.data), s), blobOf(t, c, sha(other.data), other)
		p := make([]byte, 10)
		if _, err := b.ReadAt(t.Context(), p, 0); !errors.Is(err, errNet) {
			t.Fatalf("read: %v", err)
		}
		sequential(t, b2, other.data, blockSize)
		down = false
		sequential(t, b, s.data, blockSize)
		isWhole(t, b, s.data)
	}
}

func TestBlocksThatArrivedStay(t *testing.T) {
	s := &source{data: content(1, 14*mb)}
	var down atomic.Bool
	down.Store(true)
	s.before = func(_ context.Context, call int, off, n int64) (io.Reader, error) {
		if down.Load() {
			return failing(s.data[off:off+n], max(0, 2*blockSize+5-int(off)), errNet), nil
		}
		return nil, nil
	}
	c := open(t, t.TempDir(), Options{})
	b := blobOf(t, c, sha(s.data), s)
	p := make([]byte, 4*blockSize)
	n, err := b.ReadAt(t.Context(), p, 0)
	if !errors.Is(err, errNet) {
		t.Fatalf("read: %d %v", n, err)
	}
	if n != 2*blockSize || !bytes.Equal(p[:n], s.data[:n]) {
		t.Fatalf("%d bytes came before the error", n)
	}
	calls := s.requests()
	if _, err := b.ReadAt(t.Context(), p[:n], 0); err != nil {
		t.Fatalf("the blocks that came are gone: %v", err)
	}
	for _, sp := range s.spans()[calls:] { // of what is fetched ahead, perhaps
		if sp.off < 2*blockSize {
			t.Fatalf("the blocks that came were fetched again: %v", sp)
		}
	}
	down.Store(false)
	sequential(t, b, s.data, blockSize)
	isWhole(t, b, s.data)
}

func TestWrongLength(t *testing.T) {
	for name, body := range map[string]func(p []byte) io.Reader{
		"empty": func(p []byte) io.Reader { return bytes.NewReader(nil) },
		"short": func(p []byte) io.Reader { return bytes.NewReader(p[:100]) },
		"long":  func(p []byte) io.Reader { return io.MultiReader(bytes.NewReader(p), bytes.NewReader([]byte{1})) },
		"double": func(p []byte) io.Reader {
			return io.MultiReader(bytes.NewReader(p), bytes.NewReader(p))
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{1000, 300e3, 3 * mb} {
				s := &source{data: content(1, size)}
				wrong := true
				s.before = func(_ context.Context, call int, off, n int64) (io.Reader, error) {
					if wrong {
						return body(s.data[off : off+n]), nil
					}
					return nil, nil
				}
				c := open(t, t.TempDir(), Options{})
				b := blobOf(t, c, sha(s.data), s)
				p := make([]byte, min(size, 512<<10))
				n, err := b.ReadAt(t.Context(), p, 0)
				if !errors.Is(err, ErrCorrupt) {
					t.Fatalf("size %d: %d %v", size, n, err)
				}
				if !bytes.Equal(p[:n], s.data[:n]) {
					t.Fatal("wrong bytes")
				}
				wrong = false
				sequential(t, b, s.data, blockSize)
				isWhole(t, b, s.data)
			}
		})
	}
}

func TestWrongBytes(t *testing.T) {
	for _, size := range []int{1000, 512 << 10, 3 * mb, 8 * mb, 8*mb + 1, 9 * mb} {
		synctest.Test(t, func(t *testing.T) {
			good := content(1, size)
			s := &source{data: append([]byte(nil), good...)}
			s.data[size/2] ^= 1
			c := open(t, t.TempDir(), Options{})
			b := blobOf(t, c, sha(good), s)

			p := make([]byte, size)
			n, err := b.ReadAt(t.Context(), p, 0)
			if !errors.Is(err, ErrCorrupt) || n == size || size <= gatedBlob && n > 0 {
				t.Fatalf("%d of %d bytes were given out, and %v", n, size, err)
			}
			if _, err := b.ReadAt(t.Context(), p[:1], 0); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("read after the check: %v", err)
			}
			synctest.Wait()
			if st := c.Stats(); st.Blobs+st.Partials != 0 || st.Bytes != 0 || st.Corrupt != 1 {
				t.Fatalf("kept: %+v", st)
			}
			// It is asked again after pauses that grow.
			calls := s.requests()
			for range 5 {
				if _, err := b.ReadAt(t.Context(), p[:1], 0); !errors.Is(err, ErrCorrupt) {
					t.Fatalf("read: %v", err)
				}
				if err := b.Fetch(t.Context()); !errors.Is(err, ErrCorrupt) {
					t.Fatalf("fetch: %v", err)
				}
			}
			if s.requests() != calls {
				t.Fatal("the source is hammered")
			}
			time.Sleep(badPause)
			if err := b.Fetch(t.Context()); !errors.Is(err, ErrCorrupt) || s.requests() == calls {
				t.Fatalf("fetch after the pause: %v", err)
			}
			calls = s.requests()
			time.Sleep(badPause)
			if err := b.Fetch(t.Context()); !errors.Is(err, ErrCorrupt) || s.requests() != calls {
				t.Fatalf("fetch before the longer pause ended: %v", err)
			}
			time.Sleep(badPause)
			copy(s.data, good) // the mirror was mended
			if err := b.Fetch(t.Context()); err != nil {
				t.Fatal(err)
			}
			sequential(t, b, good, blockSize)
			isWhole(t, b, good)
			b.Close()
			c.Close()
		})
	}
}

// A stalled source holds the reader of its blob alone, and lets go of him.
func TestStalledSource(t *testing.T) {
	for _, size := range []int{1000, 3 * mb} {
		synctest.Test(t, func(t *testing.T) {
			s := &source{data: content(1, size)}
			stall := true
			ended := make(chan struct{})
			s.before = func(ctx context.Context, call int, off, n int64) (io.Reader, error) {
				if !stall {
					return nil, nil
				}
				<-ctx.Done()
				close(ended)
				return nil, ctx.Err()
			}
			c := open(t, t.TempDir(), Options{})
			b := blobOf(t, c, sha(s.data), s)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			p := make([]byte, 10)
			if _, err := b.ReadAt(ctx, p, 0); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("read: %v", err)
			}
			// Little is left of it, so it may run on; but not for nobody.
			b.Close()
			c.cancel()
			<-ended
			c.Close()
		})
	}
}

func TestFlightGoesOnWithoutItsFirstReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{data: content(1, 3*mb)}
		gate := make(chan struct{})
		s.before = func(ctx context.Context, call int, off, n int64) (io.Reader, error) {
			select {
			case <-gate:
				return nil, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		c := open(t, t.TempDir(), Options{})
		b := blobOf(t, c, sha(s.data), s)
		ctx, cancel := context.WithCancel(t.Context())
		first, second := make(chan error, 1), make(chan error, 1)
		go func() {
			_, err := b.ReadAt(ctx, make([]byte, 10), 0)
			first <- err
		}()
		synctest.Wait()
		p := make([]byte, 10)
		go func() {
			_, err := b.ReadAt(t.Context(), p, 100)
			second <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Fatalf("first reader: %v", err)
		}
		close(gate)
		if err := <-second; err != nil || !bytes.Equal(p, s.data[100:110]) {
			t.Fatalf("second reader: %v", err)
		}
		if s.requests() != 1 {
			t.Errorf("%d requests", s.requests())
		}
		b.Close()
		c.Close()
	})
}

// What is fetched ahead ends when the only reader gives up, or closes.
func TestPrefetchEndsWithItsReader(t *testing.T) {
	for _, how := range []string{"cancel", "close"} {
		synctest.Test(t, func(t *testing.T) {
			s := &source{data: content(1, 64*mb)}
			cancelled := 0
			s.before = func(ctx context.Context, call int, off, n int64) (io.Reader, error) {
				if off+n <= 2*mb {
					return nil, nil
				}
				<-ctx.Done() // stands for a slow link
				s.mu.Lock()
				cancelled++
				s.mu.Unlock()
				return nil, ctx.Err()
			}
			c := open(t, t.TempDir(), Options{})
			b := blobOf(t, c, sha(s.data), s)
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() {
				p := make([]byte, blockSize)
				for off := int64(0); ; off += blockSize {
					if _, err := b.ReadAt(ctx, p, off); err != nil {
						done <- err
						return
					}
				}
			}()
			synctest.Wait()
			if how == "cancel" {
				cancel()
				<-done
			} else {
				b.Close()
				cancel()
				<-done
			}
			synctest.Wait()
			s.mu.Lock()
			running := s.running
			s.mu.Unlock()
			b.b.mu.Lock()
			parts := len(b.b.parts)
			b.b.mu.Unlock()
			if running != 0 || parts != 0 || cancelled == 0 {
				t.Errorf("%s: %d bodies and %d parts are left, %d were cancelled", how, running, parts, cancelled)
			}
			cancel()
			b.Close()
			c.Close()
		})
	}
}

// Another owner's source is tried where the first one's failed.
func TestOwnSourceIsTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		data := content(1, 3*mb)
		gate := make(chan struct{})
		denied := &source{data: data, before: func(context.Context, int, int64, int64) (io.Reader, error) {
			<-gate
			return nil, errNet
		}}
		allowed := &source{data: data}
		c := open(t, t.TempDir(), Options{})
		b1, b2 := blobOf(t, c, sha(data), denied), blobOf(t, c, sha(data), allowed)
		r1, r2 := make(chan error, 1), make(chan error, 1)
		go func() { _, err := b1.ReadAt(t.Context(), make([]byte, 10), 0); r1 <- err }()
		synctest.Wait()
		go func() { _, err := b2.ReadAt(t.Context(), make([]byte, 10), 0); r2 <- err }()
		synctest.Wait()
		close(gate)
		if err := <-r1; !errors.Is(err, errNet) {
			t.Errorf("reader of the failing source: %v", err)
		}
		if err := <-r2; err != nil {
			t.Errorf("reader of the other source: %v", err)
		}
		b1.Close()
		b2.Close()
		c.Close()
	})
}

func TestCloseEndsReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{data: content(1, 3*mb), before: func(ctx context.Context, _ int, _, _ int64) (io.Reader, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		c := open(t, t.TempDir(), Options{})
		b := blobOf(t, c, sha(s.data), s)
		errs := make(chan error, 2)
		go func() { _, err := b.ReadAt(t.Context(), make([]byte, 10), 0); errs <- err }()
		go func() { errs <- b.Fetch(t.Context()) }()
		synctest.Wait()
		c.Close()
		for range 2 {
			if err := <-errs; !errors.Is(err, ErrClosed) {
				t.Errorf("read: %v", err)
			}
		}
		if _, err := b.ReadAt(t.Context(), make([]byte, 10), 0); !errors.Is(err, ErrClosed) {
			t.Errorf("read after Close: %v", err)
		}
		if _, err := c.Blob(sha(nil), 0, s); !errors.Is(err, ErrClosed) {
			t.Errorf("Blob after Close: %v", err)
		}
		b.Close()
	})
}
