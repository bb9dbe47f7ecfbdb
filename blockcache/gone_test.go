package blockcache

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// brings reads a new blob, which must be cached in dir.
func brings(t *testing.T, c *Cache, dir string, seed uint64, size int) {
	t.Helper()
	s := &source{data: content(seed, size)}
	b := blobOf(t, c, sha(s.data), s)
	sequential(t, b, s.data, blockSize)
	if err := b.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	isWhole(t, b, s.data)
	b.Close()
	for _, name := range []string{"CACHEDIR.TAG", "partial", b.b.key.whole()} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

// A directory that was deleted, or has another one in its place, is made again
// by the first write, without a pause. What is open loses nothing.
func TestDirectoryIsMadeAgain(t *testing.T) {
	for name, away := range map[string]func(dir string) error{
		"deleted": os.RemoveAll,
		"emptied": func(dir string) error {
			return os.RemoveAll(dir + "/partial")
		},
		"replaced": func(dir string) error {
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
			return os.Mkdir(dir, 0o700)
		},
		"moved": func(dir string) error {
			if err := os.Rename(dir, dir+".old"); err != nil {
				return err
			}
			return os.Mkdir(dir, 0o700)
		},
	} {
		for _, size := range []int{0, 1000, 3 * mb, 12 * mb} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					dir := filepath.Join(t.TempDir(), "cache")
					c := open(t, dir, Options{Limit: -1})
					brings(t, c, dir, 1, 1000)
					begun, done := &source{data: content(2, 12*mb)}, &source{data: content(3, 1000)}
					b, b2 := blobOf(t, c, sha(begun.data), begun), blobOf(t, c, sha(done.data), done)
					if _, err := b.ReadAt(t.Context(), make([]byte, 10), 0); err != nil {
						t.Fatal(err)
					}
					sequential(t, b2, done.data, 1000)
					isWhole(t, b2, done.data)
					time.Sleep(2 * minPause)
					if err := away(dir); err != nil {
						t.Fatal(err)
					}
					brings(t, c, dir, 4, size)
					if n := c.Stats().DiskErrors; n != 0 {
						t.Errorf("%d errors of the disk", n)
					}
					if used, on := c.room.inUse(), c.Stats().Bytes; used < on-64<<10 || used > on+mb {
						t.Errorf("%d bytes are thought to be there, %d are", used, on)
					}
					calls := done.requests()
					sequential(t, b2, done.data, 100)
					if done.requests() != calls {
						t.Error("what is open was fetched again")
					}
					sequential(t, b, begun.data, blockSize)
					isWhole(t, b, begun.data)
					b.Close()
					b2.Close()
					c.Close()
				})
			})
		}
	}
}

// While the directory cannot be made again reads go on without, and each time
// the disk is tried again so is that.
func TestDirectoryCannotBeMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent := filepath.Join(t.TempDir(), "parent")
		dir := filepath.Join(parent, "cache")
		c := open(t, dir, Options{Limit: -1})
		brings(t, c, dir, 1, 3*mb)
		if err := os.RemoveAll(parent); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(parent, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		empty := &source{}
		for n := range 6 {
			blobOf(t, c, sha(nil), empty).Close() // its file is made at once, and must not use up the tries
			for _, size := range []int{1000, 3 * mb, 12 * mb} {
				s := &source{data: content(uint64(10+n), size)}
				b := blobOf(t, c, sha(s.data), s)
				sequential(t, b, s.data, blockSize)
				b.Close()
			}
			if !c.Stats().Uncached {
				t.Error("the status does not say that nothing is cached")
			}
			synctest.Wait()
			time.Sleep(minPause)
		}
		if err := os.Remove(parent); err != nil {
			t.Fatal(err)
		}
		time.Sleep(maxPause)
		brings(t, c, dir, 2, 1000)
		brings(t, c, dir, 3, 12*mb)
		c.Close()
	})
}

// Of two processes that end with a blob at the same time neither takes it from
// the other; something else put under its name by hand goes.
func TestInstallBesideAnother(t *testing.T) {
	data := content(1, 1000)
	key, _ := parseKey(sha(data))
	for name, other := range map[string][]byte{"the same": data, "another": content(2, 1000)} {
		c := open(t, t.TempDir(), Options{})
		f, err := os.Create(filepath.Join(c.Dir(), "mine"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := os.WriteFile(filepath.Join(c.Dir(), "theirs"), other, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := c.dir.install("theirs", f, key); err != nil {
			t.Fatal(err)
		}
		if there := c.dir.holds(key.whole(), key); there != (name == "the same") {
			t.Errorf("%s: it is there: %t", name, there)
		}
		if _, err := os.Stat(filepath.Join(c.Dir(), key.whole())); (err == nil) != (name == "the same") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
