package fs

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hubfs/hubfs/remote/hubtest"
	"golang.org/x/sys/unix"
)

func init() {
	children["map"] = func(args []string) error { return compareMap(args[0], args[1]) }
	children["faults"] = func(args []string) error { return faultInParallel(args[0], args[1]) }
	children["shared map"] = func(args []string) error { return storeThroughMap(args[0]) }
}

// mapWhole maps a file privately, as libraries that load models do.
func mapWhole(path string) ([]byte, error) {
	r, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	st, err := r.Stat()
	if err != nil {
		return nil, err
	}
	if err := unix.Fadvise(int(r.Fd()), 0, 0, unix.FADV_SEQUENTIAL); err != nil {
		return nil, err
	}
	return unix.Mmap(int(r.Fd()), 0, int(st.Size()), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE)
}

func compareMap(path, plain string) error {
	want, err := os.ReadFile(plain)
	if err != nil {
		return err
	}
	m, err := mapWhole(path)
	if err != nil {
		return err
	}
	if string(m) != string(want) {
		return errors.New("the map is not the file")
	}
	return nil
}

// faultInParallel touches pages of a map from 64 threads in random order.
func faultInParallel(path, plain string) error {
	want, err := os.ReadFile(plain)
	if err != nil {
		return err
	}
	first, err := os.Open(path) // the header is read by a handle of its own
	if err != nil {
		return err
	}
	defer first.Close()
	if _, err := first.ReadAt(make([]byte, 8), 0); err != nil {
		return err
	}
	m, err := mapWhole(path)
	if err != nil {
		return err
	}
	const page = 4096
	var wg sync.WaitGroup
	var wrong atomic.Int64
	for i := range 64 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(7, uint64(i)))
			for _, p := range r.Perm(len(want) / page)[:300] {
				off := p*page + r.IntN(page)
				if m[off] != want[off] {
					wrong.Add(1)
				}
			}
		})
	}
	wg.Wait()
	m[0]++ // a private map may be written
	if n := wrong.Load(); n > 0 || string(m[1:]) != string(want[1:]) {
		return fmt.Errorf("%d bytes wrong", n)
	}
	return nil
}

// How transformers loads, as traced: opened twice, mapped privately as a whole,
// page faults of many threads in any order, on a cold cache.
func TestParallelPageFaultsOnColdFile(t *testing.T) {
	want := noise(24 << 20)
	f := mountHub(t, opts{Repo: "acme/m", Fill: func(h *hubtest.Hub) { h.Repo("acme/m").Put("model.safetensors", want) }})
	plain := filepath.Join(t.TempDir(), "plain")
	write(t, plain, want)
	runChild(t, "faults", f.path("model.safetensors"), plain)
	wantContent(t, f.path("model.safetensors"), want)
	if n := f.hub.Counts()[hubtest.KindResolve].N; n != 1 {
		t.Errorf("%d resolve requests for one file, want 1", n)
	}
}

// Maps of one file in both I/O modes, one after another.
func TestMapColdThenWhole(t *testing.T) {
	want := noise(4 << 20)
	f := mountHub(t, opts{Repo: "acme/m", Fill: func(h *hubtest.Hub) { h.Repo("acme/m").Put("file", want) }})
	plain := filepath.Join(t.TempDir(), "plain")
	write(t, plain, want)
	runChild(t, "map", f.path("file"), plain)
	f.warm("file")
	if n := f.ops("read", func() { runChild(t, "map", f.path("file"), plain) }); n != 0 {
		t.Errorf("%d FUSE reads for a map of a whole file", n)
	}
}
