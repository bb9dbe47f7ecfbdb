package fs

import (
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/hubfs/hubfs/integration/proof"
	"golang.org/x/sys/unix"
)

// Programs see the same file before and after it is edited, and committed.
func TestInodeNumberStaysOverEditAndCommit(t *testing.T) {
	f := mine(t, map[string]string{"a": "one", "b": "two"})
	look := func(name string) uint64 {
		var st unix.Stat_t
		must(t, unix.Stat(f.path(name), &st))
		list, err := os.ReadDir(f.mnt)
		must(t, err)
		for _, e := range list {
			fi, err := e.Info()
			must(t, err)
			if e.Name() == name && fi.Sys().(*syscall.Stat_t).Ino != st.Ino {
				t.Errorf("%s is %d by stat, %d in the listing", name, st.Ino, fi.Sys().(*syscall.Stat_t).Ino)
			}
		}
		return st.Ino
	}
	a, b := look("a"), look("b")
	w, err := os.OpenFile(f.path("a"), os.O_WRONLY|os.O_CREATE, 0o644)
	must(t, err)
	var st unix.Stat_t
	must(t, unix.Fstat(int(w.Fd()), &st))
	if st.Ino != a {
		t.Errorf("open for writing is %d, was %d", st.Ino, a)
	}
	must(t, w.Close())
	if now := look("a"); now != a {
		t.Errorf("edited it is %d, was %d", now, a)
	}
	f.idle("a")
	f.commit()
	if now := look("a"); now != a {
		t.Errorf("committed it is %d, was %d", now, a)
	}
	must(t, os.Rename(f.path("a"), f.path("c")))
	write(t, f.path("a"), "another")
	if look("c") != a || look("a") == a || look("b") != b {
		t.Errorf("after a rename: c is %d, a is %d; a was %d", look("c"), look("a"), a)
	}
}

// vim writes in place if it may, and looks whether the file is still the same.
func TestVim(t *testing.T) {
	if _, err := exec.LookPath("vim"); err != nil {
		proof.Missing(t, "no vim")
	}
	f := mine(t, map[string]string{"committed": "a line\n"})
	write(t, f.path("staged"), "a line\n")
	for _, name := range []string{"committed", "staged"} {
		out, err := exec.Command("vim", "-u", "NONE", "-es", "-c", "%s/line/LINE/g", "-c", "x", f.path(name)).CombinedOutput()
		if err != nil {
			t.Errorf("vim %s: %v\n%s", name, err, out)
		}
		wantContent(t, f.path(name), "a LINE\n")
	}
}

// Writing, committing, and writing the same file again at once.
func TestWriteCommitWrite(t *testing.T) {
	f := mine(t, map[string]string{"a": "one"})
	for i := range 30 {
		must(t, patch(f.path("a"), os.O_WRONLY|os.O_APPEND, "x", -1))
		if i%2 == 0 {
			must(t, os.Truncate(f.path("a"), 2))
		}
		f.idle("a")
		f.commit()
	}
}
