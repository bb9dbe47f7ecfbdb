package blockcache

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hubfs/hubfs/integration/proof"
	"golang.org/x/sys/unix"
)

// smallDisk mounts a disk of size bytes for the test.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		proof.Missing(t, "mounting a tmpfs:", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

// randomly reads all of b in random order with several readers.
func randomly(t *testing.T, b *Blob, want []byte, readers int) {
	t.Helper()
	const n = 64 << 10
	order := rand.New(rand.NewPCG(5, 6)).Perm((len(want) + n - 1) / n)
	var wg sync.WaitGroup
	for g := range readers {
		wg.Go(func() {
			p := make([]byte, n)
			for k := g; k < len(order); k += readers {
				off := order[k] * n
				m, err := b.ReadAt(t.Context(), p, int64(off))
				if err != nil && err != io.EOF || !bytes.Equal(p[:m], want[off:min(off+n, len(want))]) {
					t.Errorf("read at %d: %d %v", off, m, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestFullDisk(t *testing.T) {
	for name, o := range map[string]Options{
		"unknown": {Limit: -1},                   // the disk says ENOSPC
		"floor":   {Limit: -1, KeepFree: mb},     // we know before
		"limit":   {Limit: 5 * mb},               // all of it is open
		"tiny":    {Limit: 1, KeepFree: 1 << 30}, // nothing fits ever
	} {
		t.Run(name, func(t *testing.T) {
			dir := smallDisk(t, "8m")
			synctest.Test(t, func(t *testing.T) {
				c := open(t, dir, o)
				s := &source{data: content(1, 24*mb+1000)}
				small := &source{data: content(2, 300e3)}
				b, b2 := blobOf(t, c, sha(s.data), s), blobOf(t, c, sha(small.data), small)
				sequential(t, b, s.data, blockSize)
				randomly(t, b, s.data, 8)
				sequential(t, b2, small.data, 1000)
				if (c.room.check() != nil) != c.Stats().Uncached {
					t.Error("the status does not say that the disk is full")
				}
				if err := b.Fetch(t.Context()); err == nil {
					t.Error("a blob larger than the disk was fetched")
				}
				if size := c.memory.size; size > memoryLimit {
					t.Errorf("%d bytes in memory", size)
				}
				st := c.Stats()
				if o.Limit > 0 && st.Bytes > o.Limit+64<<10 {
					t.Errorf("%d bytes on disk, limit %d", st.Bytes, o.Limit)
				}
				b.Close()

				// What is not open makes room, after the pause.
				time.Sleep(2 * maxPause)
				fits := &source{data: content(3, 3*mb)}
				b3 := blobOf(t, c, sha(fits.data), fits)
				sequential(t, b3, fits.data, blockSize)
				if name != "tiny" {
					isWhole(t, b3, fits.data)
				}
				b2.Close()
				b3.Close()
				c.Close()
			})
		})
	}
}

func TestReadOnlyDisk(t *testing.T) {
	dir := smallDisk(t, "32m")
	synctest.Test(t, func(t *testing.T) {
		c := open(t, dir, Options{Limit: -1})
		old := &source{data: content(1, 3*mb)}
		b := blobOf(t, c, sha(old.data), old)
		if err := b.Fetch(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.Close()
		part := &source{data: content(2, 6*mb)}
		pb := blobOf(t, c, sha(part.data), part)
		if _, err := pb.ReadAt(t.Context(), make([]byte, 10), 4*mb); err != nil {
			t.Fatal(err)
		}
		pb.Close()
		synctest.Wait() // for the last descriptor that writes
		if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
			t.Fatal(err)
		}
		b = blobOf(t, c, sha(old.data), old)
		isWhole(t, b, old.data)
		b.Close()
		for _, size := range []int{1000, 5 * mb} {
			s := &source{data: content(3, size)}
			b := blobOf(t, c, sha(s.data), s)
			sequential(t, b, s.data, blockSize)
			if err := b.Fetch(t.Context()); !errors.Is(err, syscall.EROFS) {
				t.Errorf("fetch: %v", err)
			}
			b.Close()
		}
		pb = blobOf(t, c, sha(part.data), part)
		sequential(t, pb, part.data, blockSize)
		pb.Close()
		synctest.Wait() // for the last descriptor that writes
		if err := unix.Mount("", dir, "", unix.MS_REMOUNT, ""); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * maxPause)
		s := &source{data: content(3, 5*mb)}
		b = blobOf(t, c, sha(s.data), s)
		if err := b.Fetch(t.Context()); err != nil {
			t.Errorf("fetch when the disk can be written again: %v", err)
		}
		b.Close()
		c.Close()
	})
}

func TestDeletedDirectory(t *testing.T) {
	for _, size := range []int{1000, 12 * mb} {
		synctest.Test(t, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "cache")
			c := open(t, dir, Options{Limit: -1})
			s := &source{data: content(1, size)}
			b := blobOf(t, c, sha(s.data), s)
			if _, err := b.ReadAt(t.Context(), make([]byte, 10), 0); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			sequential(t, b, s.data, blockSize)
			s2 := &source{data: content(2, size)}
			b2 := blobOf(t, c, sha(s2.data), s2)
			sequential(t, b2, s2.data, blockSize)
			if size > smallBlob {
				isWhole(t, b, s.data) // its bytes were there still
			}
			b.Close()
			b2.Close()
			time.Sleep(2 * maxPause)
			for _, x := range []*source{s, s2} {
				b := blobOf(t, c, sha(x.data), x)
				if err := b.Fetch(t.Context()); err != nil {
					t.Fatal(err)
				}
				isWhole(t, b, x.data)
				b.Close()
			}
			if _, err := os.Stat(filepath.Join(dir, "CACHEDIR.TAG")); err != nil {
				t.Error(err)
			}
			c.Close()
		})
	}
}

// A blob some blocks of which came while the disk took nothing is made whole
// when it does, without being closed.
func TestDiskComesBack(t *testing.T) {
	for _, size := range []int{300e3, 5 * mb, 12 * mb} {
		synctest.Test(t, func(t *testing.T) {
			c := open(t, t.TempDir(), Options{Limit: -1})
			s := &source{data: content(1, size)}
			b := blobOf(t, c, sha(s.data), s)
			p := make([]byte, 1000)
			if _, err := b.ReadAt(t.Context(), p, int64(size)/2); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			c.diskFailed("write", syscall.EIO)
			for off := 0; off < size; off += mb {
				if _, err := b.ReadAt(t.Context(), p, int64(off)); err != nil || !bytes.Equal(p, s.data[off:off+len(p)]) {
					t.Fatal(err)
				}
			}
			time.Sleep(2 * maxPause)
			if err := b.Fetch(t.Context()); err != nil {
				t.Fatal(err)
			}
			sequential(t, b, s.data, blockSize)
			isWhole(t, b, s.data)
			b.Close()
			c.Close()
		})
	}
}

// A file of the cache whose reads and writes fail.
func TestBrokenFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, t.TempDir(), Options{Limit: -1})
		s := &source{data: content(1, 12*mb)}
		b := blobOf(t, c, sha(s.data), s)
		if _, err := b.ReadAt(t.Context(), make([]byte, 10), 0); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		// A descriptor that can neither be read nor written stands for the disk.
		d := b.b.disk.Load()
		null, err := unix.Open("/", unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Dup3(null, int(d.f.Fd()), unix.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		unix.Close(null)
		sequential(t, b, s.data, blockSize)
		randomly(t, b, s.data, 4)
		if c.Stats().DiskErrors == 0 {
			t.Error("no error was counted")
		}
		b.Close()
		time.Sleep(2 * maxPause)
		b = blobOf(t, c, sha(s.data), s)
		if err := b.Fetch(t.Context()); err != nil {
			t.Fatal(err)
		}
		isWhole(t, b, s.data)
		b.Close()
		c.Close()
	})
}
