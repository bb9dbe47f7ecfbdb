package blockcache

import (
	"bytes"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
)

const mb = 1 << 20

func TestColdSequentialRead(t *testing.T) {
	for _, size := range []int{0, 1, 1000, blockSize, blockSize + 1, smallBlob, smallBlob + 1, 2*mb + 17, 90e6} {
		s := &source{data: content(1, size)}
		c := open(t, t.TempDir(), Options{})
		b := blobOf(t, c, sha(s.data), s)
		sequential(t, b, s.data, blockSize)
		isWhole(t, b, s.data)
		if got, most := s.requests(), size/(8*mb)+6; got > most {
			t.Errorf("%d bytes: %d requests %v, want %d at most", size, got, s.spans(), most)
		}
		if got := s.bytesRead(); got != int64(size) {
			t.Errorf("%d bytes: fetched %d", size, got)
		}
		// Again, from the file.
		sequential(t, b, s.data, 100e3)
		if got := s.bytesRead(); got != int64(size) {
			t.Errorf("%d bytes: the second read fetched again, %d", size, got)
		}
	}
}

func TestParallelRandomReads(t *testing.T) {
	s := &source{data: content(2, 90e6)}
	c := open(t, t.TempDir(), Options{})
	b := blobOf(t, c, sha(s.data), s)
	n := len(s.data)/4096 + 1
	order := rand.New(rand.NewPCG(1, 2)).Perm(n)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			p := make([]byte, 4096)
			for k := g; k < n; k += 8 {
				off := order[k] * 4096
				m, err := b.ReadAt(t.Context(), p, int64(off))
				if err != nil && err != io.EOF || !bytes.Equal(p[:m], s.data[off:min(off+4096, len(s.data))]) {
					t.Errorf("read at %d: %d %v", off, m, err)
				}
			}
		})
	}
	wg.Wait()
	isWhole(t, b, s.data)
	if got := s.bytesRead(); got != int64(len(s.data)) {
		t.Errorf("fetched %d of %d bytes", got, len(s.data))
	}
}

func TestIsolatedReadsStaySmall(t *testing.T) {
	s := &source{data: content(3, 90e6)}
	c := open(t, t.TempDir(), Options{})
	b := blobOf(t, c, sha(s.data), s)
	p := make([]byte, 4096)
	for k := range 20 {
		off := int64(k)*4*mb + 5*blockSize + 100
		if _, err := b.ReadAt(t.Context(), p, off); err != nil {
			t.Fatal(err)
		}
	}
	for _, sp := range s.spans() {
		if sp.n > 256<<10 {
			t.Errorf("an isolated read of 4 KiB fetched %d", sp.n)
		}
	}
	if s.requests() != 20 {
		t.Errorf("%d requests for 20 reads", s.requests())
	}
}
