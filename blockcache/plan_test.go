package blockcache

import (
	"bytes"
	"context"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// disjoint checks that no byte was asked for twice.
func disjoint(t *testing.T, s *source) {
	t.Helper()
	asked := make([]bool, blocksOf(int64(len(s.data))))
	for _, sp := range s.spans() {
		if sp.off%blockSize != 0 {
			t.Errorf("a range begins inside of a block: %v", sp)
		}
		for i := sp.off / blockSize; i < blocksOf(sp.off+sp.n); i++ {
			if asked[i] {
				t.Errorf("block %d was asked for twice", i)
			}
			asked[i] = true
		}
	}
}

func TestFetchRequests(t *testing.T) {
	for _, size := range []int{1000, smallBlob + 1, 5 * mb, 90e6} {
		s := &source{data: content(1, size)}
		c := open(t, t.TempDir(), Options{})
		b := blobOf(t, c, sha(s.data), s)
		if err := b.Fetch(t.Context()); err != nil {
			t.Fatal(err)
		}
		isWhole(t, b, s.data)
		if got, want := s.requests(), (size+8*mb-1)/(8*mb); got != want {
			t.Errorf("%d bytes: %d requests, want %d: %v", size, got, want, s.spans())
		}
		if got := b.Cached(); got != int64(size) {
			t.Errorf("cached %d of %d", got, size)
		}
	}
}

// The kernel's read-ahead comes with several requests at once, and these in
// any order; all of them are one stream.
func TestReadsOutOfOrder(t *testing.T) {
	s := &source{data: content(1, 90e6)}
	c := open(t, t.TempDir(), Options{})
	b := blobOf(t, c, sha(s.data), s)
	n := int(blocksOf(b.Size()))
	for at := 0; at < n; at += 4 {
		var wg sync.WaitGroup
		for _, k := range []int{3, 1, 2, 0} {
			if at+k >= n {
				continue
			}
			wg.Go(func() {
				p := make([]byte, blockSize)
				off := int64(at+k) * blockSize
				if m, err := b.ReadAt(t.Context(), p, off); err != nil && err != io.EOF || !bytes.Equal(p[:m], s.data[off:off+int64(m)]) {
					t.Errorf("read at %d: %d %v", off, m, err)
				}
			})
		}
		wg.Wait()
	}
	disjoint(t, s)
	if got, most := s.requests(), len(s.data)/(8*mb)+6; got > most {
		t.Errorf("%d requests, want %d at most: %v", got, most, s.spans())
	}
}

// Threads that load tensors read in many places at once, each forward.
// Whichever of the first reads is seen first, the file costs as few requests.
func TestFirstReadsInAnyOrder(t *testing.T) {
	const size, read = 90 * mb, 512 << 10
	data := content(1, size)
	key := sha(data)
	for _, order := range [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 3, 0, 2}, {2, 0, 3, 1}, {3, 0, 1, 2}} {
		s := &source{data: data}
		c := open(t, t.TempDir(), Options{})
		b := blobOf(t, c, key, s)
		buf := make([]byte, read)
		at := func(off int) {
			if n, err := b.ReadAt(t.Context(), buf, int64(off)); n != read || err != nil {
				t.Fatal(n, err)
			}
		}
		for _, k := range order {
			at(k * read)
		}
		for off := len(order) * read; off < size; off += read {
			at(off)
		}
		if got, limit := s.requests(), size/(8*mb)+6; got > limit {
			t.Errorf("%v: %d requests, at most %d are right: %v", order, got, limit, s.spans())
		} else {
			t.Log(order, got)
		}
		disjoint(t, s)
		b.Close()
	}
}

func TestManyStreams(t *testing.T) {
	s := &source{data: content(1, 128*mb)}
	c := open(t, t.TempDir(), Options{})
	b := blobOf(t, c, sha(s.data), s)
	var wg sync.WaitGroup
	const streams = 8
	each := len(s.data) / streams
	for g := range streams {
		wg.Go(func() {
			p := make([]byte, blockSize)
			for off := g * each; off < (g+1)*each; off += len(p) {
				if _, err := b.ReadAt(t.Context(), p, int64(off)); err != nil || !bytes.Equal(p, s.data[off:off+len(p)]) {
					t.Errorf("read at %d: %v", off, err)
				}
			}
		})
	}
	wg.Wait()
	isWhole(t, b, s.data)
	disjoint(t, s)
	if got, most := s.requests(), 128/8+6*streams; got > most {
		t.Errorf("%d requests, want %d at most", got, most)
	}
	if s.most > totalParts {
		t.Errorf("%d bodies at once", s.most)
	}
}

func TestReadBackwards(t *testing.T) {
	s := &source{data: content(1, 10*mb)}
	c := open(t, t.TempDir(), Options{})
	b := blobOf(t, c, sha(s.data), s)
	p := make([]byte, 4096)
	for off := len(s.data) - len(p); off >= 0; off -= len(p) {
		if _, err := b.ReadAt(t.Context(), p, int64(off)); err != nil || !bytes.Equal(p, s.data[off:off+len(p)]) {
			t.Fatalf("read at %d: %v", off, err)
		}
	}
	isWhole(t, b, s.data)
	disjoint(t, s)
	if got := s.requests(); got > 40 {
		t.Errorf("%d requests", got)
	}
}

// A reader that stops has brought little in vain.
func TestPrefetchIsBounded(t *testing.T) {
	s := &source{data: content(1, 600*mb)}
	for _, x := range []struct{ start, read, most int64 }{
		{0, 4096, smallBlob},
		{0, blockSize, smallBlob},
		{0, mb, 33 * mb},
		{100 * mb, blockSize, 256 << 10},
		{100 * mb, mb, 6 * mb},
		{100 * mb, 8 * mb, 48 * mb},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := open(t, t.TempDir(), Options{Limit: -1})
			b := blobOf(t, c, sha(s.data[:1]), s)
			before := s.bytesRead()
			p := make([]byte, min(x.read, blockSize))
			for off := x.start; off < x.start+x.read; off += int64(len(p)) {
				if _, err := b.ReadAt(t.Context(), p, off); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
			if got := s.bytesRead() - before; got > x.most {
				t.Errorf("reading %d from %d fetched %d bytes", x.read, x.start, got)
			}
			b.Close()
			c.Close()
		})
	}
}

// held lets through ranges up to 1 MiB, and holds longer ones until gate.
func held(gate <-chan struct{}) func(context.Context, int, int64, int64) (io.Reader, error) {
	return func(ctx context.Context, _ int, _, n int64) (io.Reader, error) {
		if n > mb {
			select {
			case <-gate:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		return nil, nil
	}
}

// A small read goes past everything that is fetched ahead, also in the same
// blob, and where what it wants is queued in a large part.
func TestSmallReadsPassBulk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, t.TempDir(), Options{Limit: -1})
		gate := make(chan struct{})
		large := &source{data: content(1, 200*mb), before: held(gate)}
		b := blobOf(t, c, sha(large.data), large)
		ctx, cancel := context.WithCancel(t.Context())
		fetched := make(chan error, 1)
		go func() { fetched <- b.Fetch(ctx) }()
		synctest.Wait()
		if large.most > maxParts {
			t.Errorf("%d large parts at once", large.most)
		}
		c.sched.mu.Lock()
		queued := len(c.sched.bulk)
		c.sched.mu.Unlock()
		if queued == 0 {
			t.Fatal("nothing is queued, so this shows nothing")
		}
		p := make([]byte, 4096)
		for k, x := range []*source{{data: content(2, 1000)}, {data: content(3, 3*mb)}} {
			s := blobOf(t, c, sha(x.data), x)
			if _, err := s.ReadAt(t.Context(), p[:1000], 0); err != nil {
				t.Fatal(k, err)
			}
		}
		for _, off := range []int64{199 * mb, 145 * mb, 163 * mb} {
			if _, err := b.ReadAt(t.Context(), p, off); err != nil || !bytes.Equal(p, large.data[off:off+4096]) {
				t.Fatal(off, err)
			}
		}
		close(gate)
		if err := <-fetched; err != nil {
			t.Fatal(err)
		}
		disjoint(t, large)
		cancel()
		isWhole(t, b, large.data)
		b.Close()
		c.Close()
	})
}

// The number of large parts follows what the link carries.
func TestPartsFollowTheLink(t *testing.T) {
	s := &sched{limit: startParts}
	full := int64(partBlocks * blockSize)
	for range 50 {
		s.bulks++
		s.done(&part{inBulk: true}, full, 10*time.Second)
	}
	if s.limit != minParts {
		t.Errorf("%d parts on a slow link", s.limit)
	}
	for range 50 {
		s.bulks++
		s.done(&part{inBulk: true}, full, 100*time.Millisecond)
	}
	if s.limit != maxParts {
		t.Errorf("%d parts on a fast link", s.limit)
	}
	s.bulks++
	s.done(&part{inBulk: true}, full/4, 10*time.Second) // says little
	if s.limit != maxParts || s.bulks != 0 || s.quicks != 0 {
		t.Errorf("%d parts, %d and %d run", s.limit, s.bulks, s.quicks)
	}
}
