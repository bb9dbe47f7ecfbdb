package blockcache

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// benchSize is what the cold benchmarks read.
const benchSize = 512 << 20

var benchContent = sync.OnceValues(func() ([]byte, string) {
	data := content(9, benchSize)
	return data, sha(data)
})

// A shaped source answers after delay, and gives each body connRate and all of
// them rate bytes a second.
type shaped struct {
	data           []byte
	delay          time.Duration
	connRate, rate float64

	mu   sync.Mutex
	next time.Time // when the link is free
}

func (s *shaped) ReadRange(ctx context.Context, off, n int64) (io.ReadCloser, error) {
	time.Sleep(s.delay)
	return io.NopCloser(&shapedBody{s: s, r: bytes.NewReader(s.data[off : off+n]), next: time.Now()}), nil
}

type shapedBody struct {
	s    *shaped
	r    io.Reader
	next time.Time
}

func (b *shapedBody) Read(p []byte) (int, error) {
	n, err := b.r.Read(p[:min(len(p), 64<<10)])
	b.next = b.next.Add(time.Duration(float64(n) / b.s.connRate * 1e9))
	b.s.mu.Lock()
	now := time.Now()
	if b.s.next.Before(now) {
		b.s.next = now
	}
	b.s.next = b.s.next.Add(time.Duration(float64(n) / b.s.rate * 1e9))
	until := b.s.next
	b.s.mu.Unlock()
	if b.next.After(until) {
		until = b.next
	}
	if d := time.Until(until); d > time.Millisecond {
		time.Sleep(d)
	}
	return n, err
}

func benchCold(b *testing.B, src Source, read func(*testing.B, *Blob)) {
	_, key := benchContent()
	b.SetBytes(benchSize)
	for b.Loop() {
		b.StopTimer()
		c := open(b, b.TempDir(), Options{Limit: -1})
		blob, err := c.Blob(key, benchSize, src)
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		read(b, blob)
		b.StopTimer()
		blob.Close()
		c.Close()
		b.StartTimer()
	}
}

func readAll(b *testing.B, blob *Blob) {
	p := make([]byte, blockSize)
	for off := int64(0); off < blob.Size(); off += blockSize {
		if _, err := blob.ReadAt(b.Context(), p, off); err != nil && err != io.EOF {
			b.Fatal(err)
		}
	}
}

// BenchmarkColdRegion reads over a link of 20 ms to the first byte, 100 MB/s a
// connection and 1 GB/s in all.
func BenchmarkColdRegion(b *testing.B) {
	data, _ := benchContent()
	s := &shaped{data: data, delay: 20 * time.Millisecond, connRate: 100e6, rate: 1e9}
	b.Run("read", func(b *testing.B) { benchCold(b, s, readAll) })
	b.Run("raw32", func(b *testing.B) {
		b.SetBytes(benchSize)
		for b.Loop() {
			rawParallel(b, s, 32)
		}
	})
}

// rawParallel is what the same source gives to 32 ranges side by side.
func rawParallel(b *testing.B, src Source, ways int) {
	var wg sync.WaitGroup
	next := make(chan int64, benchSize/partBlocks/blockSize+1)
	for off := int64(0); off < benchSize; off += partBlocks * blockSize {
		next <- off
	}
	close(next)
	for range ways {
		wg.Go(func() {
			buf := make([]byte, streamBlocks*blockSize)
			for off := range next {
				r, err := src.ReadRange(b.Context(), off, min(partBlocks*blockSize, benchSize-off))
				if err != nil {
					b.Error(err)
					return
				}
				for err == nil {
					_, err = r.Read(buf)
				}
				r.Close()
			}
		})
	}
	wg.Wait()
}

type httpSource struct{ url string }

func (s httpSource) ReadRange(ctx context.Context, off, n int64) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, "GET", s.url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", off, off+n-1))
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// BenchmarkColdHTTP reads over HTTP from a server in the same process.
func BenchmarkColdHTTP(b *testing.B) {
	data, _ := benchContent()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	}))
	defer srv.Close()
	defer http.DefaultClient.CloseIdleConnections()
	s := httpSource{srv.URL}
	b.Run("read", func(b *testing.B) { benchCold(b, s, readAll) })
	b.Run("fetch", func(b *testing.B) {
		benchCold(b, s, func(b *testing.B, blob *Blob) {
			if err := blob.Fetch(b.Context()); err != nil {
				b.Fatal(err)
			}
		})
	})
	b.Run("raw8", func(b *testing.B) {
		b.SetBytes(benchSize)
		for b.Loop() {
			rawParallel(b, s, 8)
		}
	})
}

// BenchmarkWarmBlock reads single cached blocks of a blob that is not whole,
// as many goroutines as there are cores.
func BenchmarkWarmBlock(b *testing.B) {
	data := content(1, 64<<20)
	s := &source{data: data, before: func(_ context.Context, _ int, off, n int64) (io.Reader, error) {
		if off+n > 60<<20 {
			return nil, io.ErrUnexpectedEOF // so that it never gets whole
		}
		return nil, nil
	}}
	c := open(b, b.TempDir(), Options{Limit: -1})
	blob := blobOf(b, c, sha(data), s)
	p := make([]byte, 4096)
	for off := int64(0); off < 32<<20; off += blockSize {
		if _, err := blob.ReadAt(b.Context(), p, off); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		p := make([]byte, 4096)
		for off := int64(0); pb.Next(); off = (off + 4096) % (31 << 20) {
			if _, err := blob.ReadAt(b.Context(), p, off); err != nil {
				b.Fatal(err)
			}
		}
	})
}
