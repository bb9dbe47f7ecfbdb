package fs

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/hubfs/hubfs/integration/proof"
	"github.com/hubfs/hubfs/remote/hubtest"
)

// overlay is a directory on an overlayfs; lower is its lower layer.
func overlay(t *testing.T, lower string) (dir string, err error) {
	t.Helper()
	base := t.TempDir()
	for _, d := range []string{"upper", "work", "merged"} {
		must(t, os.Mkdir(filepath.Join(base, d), 0o755))
	}
	dir = filepath.Join(base, "merged")
	err = unix.Mount("overlay", dir, "overlay", 0, "lowerdir="+lower+",upperdir="+base+"/upper,workdir="+base+"/work")
	if err == nil {
		t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	}
	return dir, err
}

// A cache and a state directory on an overlayfs, as in a container, still give
// passthrough.
func TestPassthroughOnStackedFileSystem(t *testing.T) {
	needRoot(t)
	dir, err := overlay(t, t.TempDir())
	if err != nil {
		proof.Missing(t, "needs overlayfs:", err)
	}
	if got := stackDepth(t.TempDir(), dir); got != 2 {
		t.Fatalf("stack depth %d", got)
	}
	f := mountHub(t, opts{Repo: "me/m", Cache: filepath.Join(dir, "cache"), State: filepath.Join(dir, "state"),
		Fill: func(h *hubtest.Hub) { h.Repo("me/m").Put("file", noise(1<<20)) }})
	f.warm("file")
	if n := f.ops("read", func() { wantContent(t, f.path("file"), noise(1<<20)) }); n != 0 {
		t.Errorf("%d FUSE reads of a whole file", n)
	}
	if n := f.ops("write", func() { write(t, f.path("new"), "x") }); n != 0 {
		t.Errorf("%d FUSE writes", n)
	}
	if st := f.srv.Status(); st.Passthrough != "yes" {
		t.Errorf("passthrough: %s", st.Passthrough)
	}
	f.end()
}

// A mount whose files lie on a plain file system can be a layer of an overlayfs.
func TestMountAsLayer(t *testing.T) {
	needRoot(t)
	f := mountHub(t, opts{Repo: "acme/m", Fill: fillModel})
	dir, err := overlay(t, f.mnt)
	if err != nil {
		t.Fatalf("overlayfs on the mount: %v", err)
	}
	wantContent(t, filepath.Join(dir, "config.json"), `{"a": 1}`)
	write(t, filepath.Join(dir, "config.json"), "in the upper layer")
	wantContent(t, f.path("config.json"), `{"a": 1}`)
	must(t, unix.Unmount(dir, 0))
}
