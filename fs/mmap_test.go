package fs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/hubfs/hubfs/remote/hubtest"
	"golang.org/x/sys/unix"
)

// mapAndWrite changes a file through a shared map and by write, in turns, and
// looks at each with the other.
func mapAndWrite(args []string) error {
	f, err := os.OpenFile(args[0], os.O_RDWR, 0)
	if err != nil {
		return err
	}
	const size, page = 64 << 10, 4096
	m, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	want := []byte(noise(size))
	for i := range 16 {
		text := fmt.Appendf(nil, "step %d", i)
		off := i * page
		if i%2 == 0 {
			copy(m[off:], text)
		} else if _, err := f.WriteAt(text, int64(off)); err != nil {
			return err
		}
		copy(want[off:], text)
		got := make([]byte, size)
		if _, err := f.ReadAt(got, 0); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if !bytes.Equal(got, want) || !bytes.Equal(m, want) {
			return fmt.Errorf("step %d: map and file differ", i)
		}
	}
	if err := unix.Msync(m, unix.MS_SYNC); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	copy(m, "after the sync") // and after the close
	if err := f.Close(); err != nil {
		return err
	}
	copy(m[page:], "after the close")
	return unix.Munmap(m)
}

func init() { children["map and write"] = mapAndWrite }

func TestMapAndWrite(t *testing.T) {
	bothModes(t, map[string]string{"committed": noise(64 << 10)}, func(t *testing.T, f *fixture) {
		write(t, f.path("staged"), noise(64<<10))
		for _, name := range []string{"staged", "committed"} {
			runChild(t, "map and write", f.path(name))
			want := []byte(noise(64 << 10))
			for i := range 16 {
				copy(want[i*4096:], fmt.Sprintf("step %d", i))
			}
			copy(want, "after the sync")
			copy(want[4096:], "after the close")
			if got := read(t, f.path(name)); got != string(want) {
				t.Errorf("%s has %s", name, brief(got))
			}
		}
		f.commit()
		if got := f.hub.Repo("me/m").Read("main", "committed"); !bytes.HasPrefix(got, []byte("after the sync")) {
			t.Errorf("the Hub has %s", brief(string(got)))
		}
	})
}

// A map's page that the disk did not take fails msync, and every fsync after it,
// whoever calls, until the file is emptied.
func TestLostPages(t *testing.T) {
	for i := range 4 {
		off, writeback := i%2 == 1, i/2 == 1
		t.Run(fmt.Sprintf("without %v writeback %v", off, writeback), func(t *testing.T) {
			needRoot(t)
			d := newFaultDisk(t, writeback)
			f := mountHub(t, opts{Options: Options{noPassthrough: off}, Repo: "me/m", State: filepath.Join(d.mnt, "state"), Fill: func(h *hubtest.Hub) { h.Repo("me/m").Put("a", "1") }})
			defer f.end()
			path := f.path("file")
			write(t, path, noise(20_000))
			d.arm(&mountFault{op: "write", only: "files", errno: syscall.ENOSPC, n: 1, stays: true, short: !writeback})
			out, err := child(t, "map and sync", path, "text").Output()
			must(t, err)
			d.arm(nil)
			var errnos []syscall.Errno
			must(t, json.Unmarshal(out, &errnos))
			if len(errnos) != 2 || errnos[0] == 0 || errnos[1] == 0 {
				t.Errorf("msync and fsync answered %d", errnos)
			}
			g, err := os.OpenFile(path, os.O_RDWR, 0)
			must(t, err)
			defer g.Close()
			if err := g.Sync(); err == nil {
				t.Error("another's fsync succeeds")
			}
			must(t, g.Truncate(0))
			_, err = g.WriteString("new")
			must(t, err)
			must(t, g.Sync())
		})
	}
}
