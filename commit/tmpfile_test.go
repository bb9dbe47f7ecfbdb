package commit

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"testing"
)

func TestTmpfile(t *testing.T) {
	w := newWorld(t)
	w.hub.Repo("acme/m").Put("a", "a")
	tr := w.tree("acme/m")
	root := tr.Root()
	mk := func() (*File, func()) {
		f, keep, err := root.Tmpfile(ctx, 0o640)
		if err != nil {
			t.Fatal(err)
		}
		write(t, f, "x", 0)
		tr.st.sweep(8) // whoever looks into the trash must not take it
		return f, func() { keep.Close() }
	}
	onDisk := func(f *File) bool {
		_, err := tr.st.disk.lstat(f.name())
		return err == nil
	}
	f, closed := mk()
	closed()
	f.Closed()
	if onDisk(f) {
		t.Error("it has no name, nobody has it open, and it is there")
	}
	if err := root.Link(ctx, "gone", f); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	f, closed = mk()
	if err := root.Link(ctx, "a", f); !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
	if tr.Dirty() {
		t.Errorf("%+v", tr.Status(ctx))
	}
	if err := root.Link(ctx, "f", f); err != nil {
		t.Fatal(err)
	}
	if err := root.Link(ctx, "g", f); !errors.Is(err, syscall.EPERM) {
		t.Error(err)
	}
	if err := root.Link(ctx, "g", save(t, tr, "s", "s")); !errors.Is(err, syscall.EPERM) {
		t.Error(err)
	}
	closed()
	f.Closed()
	tr.st.sweep(-1)
	f.remove(true) // as a sweep that began before the link
	if got := content(t, tr, "f"); got != "x" {
		t.Error(got)
	}
	if st, err := f.Stat(); err != nil || st.Mode() != 0o640 {
		t.Error(st, err)
	}
	if err := f.Sync(ctx); err != nil {
		t.Error(err)
	}
	lost, closed := mk()
	closed()
	w.crash()
	w.open()
	tr = w.tree("acme/m")
	if got := content(t, tr, "f"); got != "x" {
		t.Error(got)
	}
	if onDisk(lost) {
		t.Error("the content of a file without a name outlived its process")
	}
	commitAll(t, tr)
	if got := string(w.hub.Repo("acme/m").Read("main", "f")); got != "x" {
		t.Error(got)
	}
	if _, err := os.Stat(tr.st.disk.path + "/files"); err != nil {
		t.Error(err)
	}
}
