package fs

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/hubfs/hubfs/remote/hubtest"
	"golang.org/x/sys/unix"
)

func wantLink(t *testing.T, path, target string) {
	t.Helper()
	if got, err := os.Readlink(path); err != nil || got != target {
		t.Errorf("%s leads to %q, %v, want %q", path, got, err, target)
	}
}

func TestSymlinks(t *testing.T) {
	f := mine(t, map[string]string{"a": "A", "d/x": "X"})
	must(t, os.Symlink("a", f.path("rel")))
	must(t, os.Symlink(f.path("d"), f.path("abs")))
	must(t, os.Symlink("../a", f.path("d/up")))
	must(t, os.Symlink("nothing", f.path("dangling")))
	wantErrno(t, os.Symlink("x", f.path("a")), syscall.EEXIST)
	wantErrno(t, os.Symlink("x", f.path("rel")), syscall.EEXIST)
	wantLink(t, f.path("rel"), "a")
	wantContent(t, f.path("rel"), "A")
	wantContent(t, f.path("abs/x"), "X")
	wantContent(t, f.path("abs/up"), "A")
	fi := must1(os.Lstat(f.path("rel")))(t)
	if fi.Mode() != os.ModeSymlink|0o777 || fi.Size() != 1 || time.Since(fi.ModTime()) > time.Hour {
		t.Errorf("%v %d %v", fi.Mode(), fi.Size(), fi.ModTime())
	}
	ents := must1(os.ReadDir(f.mnt))(t)
	types := map[string]os.FileMode{}
	for _, e := range ents {
		types[e.Name()] = e.Type()
	}
	if types["rel"] != os.ModeSymlink || types["abs"] != os.ModeSymlink || types["a"] != 0 {
		t.Error(types)
	}
	// Through a link a committed file is edited, and a dangling one makes its target.
	write(t, f.path("rel"), "A2")
	wantContent(t, f.path("a"), "A2")
	write(t, f.path("dangling"), "made")
	wantContent(t, f.path("nothing"), "made")
	_, err := os.OpenFile(f.path("rel"), os.O_RDWR|unix.O_NOFOLLOW, 0)
	wantErrno(t, err, syscall.ELOOP)
	_, err = os.OpenFile(f.path("rel"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	wantErrno(t, err, syscall.EEXIST)
	ts := []unix.Timespec{{Sec: 1_000_000_000}, {Sec: 1_234_567_890, Nsec: 5}}
	must(t, unix.UtimesNanoAt(unix.AT_FDCWD, f.path("rel"), ts, unix.AT_SYMLINK_NOFOLLOW))
	if got := must1(os.Lstat(f.path("rel")))(t).ModTime(); got.Unix() != ts[1].Sec {
		t.Error(got)
	}
	must(t, os.Lchown(f.path("rel"), os.Getuid(), os.Getgid()))
	must(t, os.Rename(f.path("rel"), f.path("d/moved")))
	wantLink(t, f.path("d/moved"), "a")
	must(t, os.Symlink("x", f.path("tmp"))) // as ln -sf does
	must(t, os.Rename(f.path("tmp"), f.path("d/moved")))
	wantContent(t, f.path("d/moved"), "X")
	must(t, unix.Renameat2(unix.AT_FDCWD, f.path("d/moved"), unix.AT_FDCWD, f.path("a"), unix.RENAME_EXCHANGE))
	wantLink(t, f.path("a"), "x")
	wantContent(t, f.path("d/moved"), "A2")
	must(t, os.Remove(f.path("a")))
	must(t, os.RemoveAll(f.path("abs")))
	if _, err := os.Lstat(f.path("abs")); !os.IsNotExist(err) {
		t.Error(err)
	}
	wantContent(t, f.path("d/x"), "X")

	f.end()
	f.mount()
	wantLink(t, f.path("dangling"), "nothing")
	wantLink(t, f.path("d/up"), "../a")
	wantContent(t, f.path("dangling"), "made")
}

// After a commit the name means a file of its own, also to who has seen the link.
func TestSymlinkBecomesACopy(t *testing.T) {
	f := mountHub(t, opts{Fill: func(h *hubtest.Hub) {
		h.Repo("me/m").Commit("main", "all", map[string]string{"a": "A", "d/x": "X"})
	}})
	repo := f.path("me/m")
	in := func(p string) string { return filepath.Join(repo, p) }
	must(t, os.Symlink("a", in("l")))
	must(t, os.Symlink(in("d"), in("ld")))
	must(t, os.Symlink("/etc/hostname", in("out")))
	wantContent(t, in("l"), "A")
	wantContent(t, in("ld/x"), "X")
	must1(os.ReadDir(repo))(t)
	must(t, f.srv.Sync(context.Background(), SyncRequest{All: true}, nil))
	f.eventually("the link is a file", func() bool {
		fi, err := os.Lstat(in("l"))
		return err == nil && fi.Mode().IsRegular()
	})
	f.eventually("the link is a directory", func() bool {
		fi, err := os.Lstat(in("ld"))
		return err == nil && fi.IsDir()
	})
	wantContent(t, in("l"), "A")
	wantContent(t, in("ld/x"), "X")
	wantLink(t, in("out"), "/etc/hostname")
	write(t, in("ld/x"), "own")
	wantContent(t, in("d/x"), "X")
	r := f.hub.Repo("me/m")
	if got := string(r.Read("main", "l")) + string(r.Read("main", "ld/x")); got != "AX" {
		t.Error(got)
	}
	st := f.store.Opened()[0].Status(context.Background())
	if len(st.Staged) != 2 || st.Staged[1].Path != "out" || st.Staged[1].Reason == "" {
		t.Errorf("%+v", st.Staged)
	}
}
