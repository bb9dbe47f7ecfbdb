package fs

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func tmpfile(t *testing.T, dir string, flags int) *os.File {
	t.Helper()
	fd, err := unix.Open(dir, unix.O_TMPFILE|flags, 0o640)
	if err != nil {
		t.Fatalf("O_TMPFILE: %v", err)
	}
	return os.NewFile(uintptr(fd), "tmpfile")
}

func linkByFd(f *os.File, path string) error {
	return unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", f.Fd()), unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW)
}

func linkEmpty(f *os.File, path string) error {
	return unix.Linkat(int(f.Fd()), "", unix.AT_FDCWD, path, unix.AT_EMPTY_PATH)
}

func TestTmpfile(t *testing.T) {
	bothModes(t, map[string]string{"a": "A"}, func(t *testing.T, f *fixture) {
		for i, link := range []func(*os.File, string) error{linkByFd, linkEmpty} {
			name := f.path(fmt.Sprint("named", i))
			w := tmpfile(t, f.mnt, os.O_RDWR)
			_, err := w.WriteString("temporary")
			must(t, err)
			if names := must1(os.ReadDir(f.mnt))(t); len(names) != 1+i+1 { // a, .gitattributes, those before
				t.Errorf("%v", names)
			}
			wantErrno(t, link(w, f.path("a")), syscall.EEXIST)
			must(t, link(w, name))
			wantErrno(t, link(w, f.path("second")), syscall.EPERM)
			wantErrno(t, os.Link(name, f.path("second")), syscall.EPERM)
			_, err = w.WriteString(", and more")
			must(t, err)
			wantContent(t, name, "temporary, and more")
			var st, fst unix.Stat_t
			must(t, unix.Stat(name, &st))
			must(t, unix.Fstat(int(w.Fd()), &fst))
			if st.Mode != unix.S_IFREG|0o640 || st.Nlink != 1 || fst.Nlink != 1 || st.Ino != fst.Ino {
				t.Errorf("%+v, %+v", st, fst)
			}
			must(t, w.Sync())
			must(t, w.Close())
			wantContent(t, name, "temporary, and more")
		}
		wantErrno(t, os.Link(f.path("a"), f.path("second")), syscall.EPERM)
		x := tmpfile(t, f.mnt, os.O_RDWR|os.O_EXCL) // must never be named
		wantErrno(t, linkByFd(x, f.path("second")), syscall.ENOENT)
		must(t, x.Close())
		must(t, os.Remove(f.path("named1")))
		y := must1(os.Open(f.path("named0")))(t)
		must(t, os.Remove(f.path("named0"))) // nor one that has lost its name
		if err := linkByFd(y, f.path("second")); err == nil {
			t.Error("an unlinked file was linked")
		}
		must(t, y.Close())

		z := tmpfile(t, f.mnt, os.O_RDWR)
		_, err := z.WriteString("kept")
		must(t, err)
		must(t, linkByFd(z, f.path("kept")))
		must(t, z.Close())
		lost := tmpfile(t, f.mnt, os.O_RDWR)
		_, err = lost.WriteString("lost")
		must(t, err)
		must(t, lost.Close())
		f.eventually("only the named file is left on the disk", func() bool { return stagedFiles(t, f) == 1 })
		must(t, f.srv.Sync(context.Background(), SyncRequest{All: true}, nil))
		if got := string(f.hub.Repo("me/m").Read("main", "kept")); got != "kept" {
			t.Error(got)
		}
		wantContent(t, f.path("kept"), "kept")
	})
}
