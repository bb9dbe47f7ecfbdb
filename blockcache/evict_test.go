package blockcache

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

func TestEvictionOrder(t *testing.T) {
	dir := t.TempDir()
	c := open(t, dir, Options{Limit: 10 * mb})
	var sources []*source
	for k := range 5 {
		s := &source{data: content(uint64(k), 2*mb)}
		sources = append(sources, s)
		b := blobOf(t, c, sha(s.data), s)
		if err := b.Fetch(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.Close()
		d, _ := parseKey(sha(s.data))
		old := time.Now().Add(time.Duration(k-10) * time.Hour)
		if err := os.Chtimes(filepath.Join(dir, d.whole()), old, old); err != nil {
			t.Fatal(err)
		}
	}
	// The first is used again, the second is open; the third is the oldest.
	f, ok := c.Whole(sha(sources[0].data), 2*mb)
	if !ok {
		t.Fatal("not whole")
	}
	f.Close()
	d, _ := parseKey(sha(sources[1].data))
	old := time.Now().Add(-100 * time.Hour)
	os.Chtimes(filepath.Join(dir, d.whole()), old, old)
	c.Close()

	c = open(t, dir, Options{Limit: 10*mb + mb/2})
	pinned := blobOf(t, c, sha(sources[1].data), sources[1])
	os.Chtimes(filepath.Join(dir, d.whole()), old, old)
	s := &source{data: content(9, 2*mb)}
	b := blobOf(t, c, sha(s.data), s)
	if err := b.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	for k, want := range []bool{true, true, false, true, true} {
		f, ok := c.Whole(sha(sources[k].data), 2*mb)
		if ok {
			f.Close()
		}
		if ok != want {
			t.Errorf("blob %d is there: %v", k, ok)
		}
	}
	isWhole(t, pinned, sources[1].data)
	if st := c.Stats(); st.Evictions != 1 || st.Bytes > 10*mb+mb/2 || st.Bytes < 8*mb {
		t.Errorf("%+v", st)
	}
}

// The holes of sparse files do not count.
func TestHolesAreFree(t *testing.T) {
	c := open(t, t.TempDir(), Options{Limit: 6 * mb})
	for k := range 5 {
		s := &source{data: content(uint64(k), 12*mb)}
		b := blobOf(t, c, sha(s.data), s)
		if _, err := b.ReadAt(t.Context(), make([]byte, 10), 4*mb); err != nil {
			t.Fatal(err)
		}
		b.Close()
	}
	if st := c.Stats(); st.Partials != 5 || st.Evictions != 0 || st.Bytes > 2*mb {
		t.Errorf("%+v", st)
	}
}

// A blob that is open stays readable when another process evicts it.
func TestEvictionByAnotherCache(t *testing.T) {
	dir := t.TempDir()
	c1 := open(t, dir, Options{Limit: -1})
	whole, part := &source{data: content(1, 2*mb)}, &source{data: content(2, 12*mb)}
	b1, b2 := blobOf(t, c1, sha(whole.data), whole), blobOf(t, c1, sha(part.data), part)
	if err := b1.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := b2.ReadAt(t.Context(), make([]byte, 10), 0); err != nil {
		t.Fatal(err)
	}
	c2 := open(t, dir, Options{Limit: 1})
	c2.evict(1 << 40)
	if st := c2.Stats(); st.Blobs != 0 || st.Partials != 1 {
		t.Errorf("%+v: a partial file in use must stay, a whole one may go", st)
	}
	sequential(t, b1, whole.data, blockSize)
	sequential(t, b2, part.data, blockSize)
	isWhole(t, b2, part.data)
	if got := whole.bytesRead() + part.bytesRead(); got != 14*mb {
		t.Errorf("fetched %d bytes", got)
	}
}

// Many readers of many blobs, all cold, with far too little room for them.
func TestEvictionUnderLoad(t *testing.T) {
	c := open(t, t.TempDir(), Options{Limit: 20 * mb})
	sources := make([]*source, 24)
	keys := make([]string, len(sources))
	for k := range sources {
		sources[k] = &source{data: content(uint64(k), []int{1000, 400e3, 3 * mb, 9*mb + 1}[k%4])}
		keys[k] = sha(sources[k].data)
	}
	dog := time.AfterFunc(time.Minute, func() { panic("hang: see the goroutines") })
	defer dog.Stop()
	var wg sync.WaitGroup
	for g := range 64 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 7))
			p := make([]byte, 100e3)
			for range 15 {
				k := r.IntN(len(sources))
				s := sources[k]
				b, err := c.Blob(keys[k], int64(len(s.data)), s)
				if err != nil {
					t.Error(err)
					return
				}
				for range 10 {
					off := r.IntN(len(s.data))
					n, err := b.ReadAt(t.Context(), p[:1+r.IntN(len(p))], int64(off))
					if err != nil && err != io.EOF || !bytes.Equal(p[:n], s.data[off:off+n]) {
						t.Errorf("read at %d: %d %v", off, n, err)
						return
					}
				}
				b.Close()
			}
		})
	}
	wg.Wait()
	st := c.Stats()
	if st.Evictions == 0 {
		t.Error("nothing was evicted")
	}
	c.mu.Lock()
	left := len(c.blobs)
	c.mu.Unlock()
	t.Logf("%d open of %+v", left, st)
}

func TestAdopt(t *testing.T) {
	dir := t.TempDir()
	other := smallDisk(t, "64m")
	for _, from := range []string{dir, other} {
		for _, links := range []int{1, 2} {
			for _, state := range []string{"absent", "partial", "open", "fetching", "whole"} {
				t.Run(fmt.Sprint(from == dir, links, state), func(t *testing.T) {
					c := open(t, filepath.Join(dir, "cache"), Options{Limit: -1})
					s := &source{data: content(rand.Uint64(), 9*mb)}
					key := sha(s.data)
					var b *Blob
					if state != "absent" {
						b = blobOf(t, c, key, s)
						if _, err := b.ReadAt(t.Context(), make([]byte, 10), 2*mb); err != nil {
							t.Fatal(err)
						}
					}
					gate, reached := make(chan struct{}), make(chan error, 1)
					switch state {
					case "partial":
						b.Close()
					case "whole":
						if err := b.Fetch(t.Context()); err != nil {
							t.Fatal(err)
						}
					case "fetching":
						asked := make(chan struct{})
						s.before = gated(asked, gate)
						go func() {
							_, err := b.ReadAt(t.Context(), make([]byte, 10), 0)
							reached <- err
						}()
						<-asked
					}
					path := filepath.Join(from, "staged")
					if err := os.WriteFile(path, s.data, 0o644); err != nil {
						t.Fatal(err)
					}
					if links == 2 {
						os.Remove(path + "2")
						if err := os.Link(path, path+"2"); err != nil {
							t.Fatal(err)
						}
					}
					calls := s.requests()
					if err := c.Adopt(key, path); err != nil {
						t.Fatal(err)
					}
					if state == "fetching" {
						if err := <-reached; err != nil {
							t.Error(err)
						}
						close(gate)
					}
					if _, err := os.Lstat(path); !os.IsNotExist(err) {
						t.Errorf("the file is there still: %v", err)
					}
					if links == 2 { // writing to the other name reaches nothing of ours
						if err := os.WriteFile(path+"2", []byte("x"), 0o644); err != nil {
							t.Fatal(err)
						}
					}
					if b == nil || state == "partial" {
						b = blobOf(t, c, key, s)
					}
					sequential(t, b, s.data, blockSize)
					isWhole(t, b, s.data)
					if s.requests() != calls {
						t.Errorf("%d requests after the blob was adopted", s.requests()-calls)
					}
					b.Close()
					c.Close()
					if es, _ := os.ReadDir(filepath.Join(dir, "cache/partial")); len(es) != 0 {
						t.Errorf("left in partial: %v", es)
					}
				})
			}
		}
	}
}

func TestAdoptRefuses(t *testing.T) {
	dir := t.TempDir()
	c := open(t, filepath.Join(dir, "cache"), Options{})
	key := sha(nil)
	file, link := filepath.Join(dir, "f"), filepath.Join(dir, "l")
	os.WriteFile(file, []byte("x"), 0o600)
	os.Symlink(file, link)
	for _, path := range []string{link, dir, filepath.Join(dir, "absent"), "/dev/null"} {
		if err := c.Adopt(key, path); err == nil {
			t.Errorf("adopted %s", path)
		}
	}
	if err := c.Adopt("sha256:../../../x", file); err == nil {
		t.Error("adopted under a bad key")
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != "x" {
		t.Errorf("the file was touched: %q %v", got, err)
	}
}
