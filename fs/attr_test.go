package fs

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hubfs/hubfs/integration/proof"
	"golang.org/x/sys/unix"
)

// forget makes the kernel forget the inodes that nothing has open.
func (f *fixture) forget(names ...string) {
	f.t.Helper()
	for _, name := range names {
		f.eventually("the kernel has forgotten "+name, func() bool {
			if err := os.WriteFile("/proc/sys/vm/drop_caches", []byte("2"), 0); err != nil {
				proof.Missing(f.t, "needs to drop the kernel's caches:", err)
			}
			in := f.srv.m.rootInode
			for _, part := range splitPath(name) {
				if in = in.GetChild(part); in == nil {
					return true
				}
			}
			return false
		})
	}
}

// Mode and times of a committed file hold for the life of the mount: when the
// kernel has forgotten the file, when it or its directory is moved, and when it
// is edited.
func TestAttributesAreKept(t *testing.T) {
	bothModes(t, map[string]string{"a": "A", "d/x": "X", "e/y": "Y"}, func(t *testing.T, f *fixture) {
		when := time.Unix(1_234_567_890, 5)
		check := func(name string) {
			t.Helper()
			st := must1(os.Stat(f.path(name)))(t)
			if st.Mode() != 0o751 || !st.ModTime().Equal(when) {
				t.Errorf("%s: %v %v", name, st.Mode(), st.ModTime())
			}
		}
		names := []string{"a", "d/x", "e/y"}
		for _, name := range names {
			must(t, os.Chmod(f.path(name), 0o751))
			must(t, os.Chtimes(f.path(name), when, when))
			check(name)
		}
		f.forget(names...)
		for _, name := range names {
			check(name)
		}
		must(t, os.Rename(f.path("a"), f.path("d/a")))
		must(t, os.Rename(f.path("e"), f.path("d/e")))
		names = []string{"d/a", "d/x", "d/e/y"}
		f.forget(names...)
		for _, name := range names {
			check(name)
		}
		// An attribute set after the move, and one of what is then edited.
		must(t, os.Chmod(f.path("d/a"), 0o700))
		must(t, os.Chmod(f.path("d/a"), 0o751))
		f.forget("d/a")
		check("d/a")
		for _, name := range names {
			w := must1(os.OpenFile(f.path(name), os.O_RDWR, 0))(t)
			check(name)
			must1(w.WriteAt([]byte("!"), 0))(t)
			must(t, w.Close())
			if st := must1(os.Stat(f.path(name)))(t); st.Mode() != 0o751 || st.ModTime().Equal(when) {
				t.Errorf("%s after a write: %v %v", name, st.Mode(), st.ModTime())
			}
		}
		must(t, os.Chmod(f.path("d"), 0o711))
		f.forget(names...)
		if st := must1(os.Stat(f.path("d")))(t); st.Mode().Perm() != 0o711 {
			t.Error(st.Mode())
		}
	})
}

func init() {
	children["lock"] = func(args []string) error {
		f, err := os.OpenFile(args[1], os.O_RDWR, 0)
		if err != nil {
			return err
		}
		switch args[0] {
		case "flock":
			err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		case "fcntl":
			err = unix.FcntlFlock(f.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Start: 10, Len: 10})
		case "ofd":
			err = unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Start: 10, Len: 10})
		}
		if err == syscall.EAGAIN || err == syscall.EACCES {
			fmt.Print("taken")
			return nil
		}
		if err == nil {
			fmt.Print("got it")
		}
		return err
	}
}

// Locks hold between processes.
func TestLocks(t *testing.T) {
	bothModes(t, map[string]string{"committed": noise(100)}, func(t *testing.T, f *fixture) {
		write(t, f.path("staged"), noise(100))
		w := must1(os.OpenFile(f.path("committed"), os.O_RDWR, 0))(t) // so that both are staged
		must(t, w.Close())
		for _, name := range []string{"staged", "committed"} {
			for _, kind := range []string{"flock", "fcntl", "ofd"} {
				want := func(what string) {
					t.Helper()
					out, err := child(t, "lock", kind, f.path(name)).CombinedOutput()
					if err != nil || string(out) != what {
						t.Errorf("%s of %s: %s, %v, want %q", kind, name, out, err, what)
					}
				}
				w := must1(os.OpenFile(f.path(name), os.O_RDWR, 0))(t)
				switch kind {
				case "flock":
					must(t, unix.Flock(int(w.Fd()), unix.LOCK_SH))
				case "fcntl":
					must(t, unix.FcntlFlock(w.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Start: 15, Len: 1}))
				case "ofd":
					must(t, unix.FcntlFlock(w.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Start: 15, Len: 1}))
				}
				want("taken")
				must(t, w.Close())
				want("got it")
			}
		}
	})
}

func init() {
	children["edit"] = func(args []string) error {
		return patch(args[0], os.O_RDWR, "edited", 0)
	}
}

// A program that waits for the bytes of a file which it opens for writing can
// be ended; nothing is staged by it, others go on reading, and the next one's
// edit succeeds.
func TestEditIsInterrupted(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGINT} {
		f := mine(t, map[string]string{"cold": noise(3 << 20), "warm": "W"})
		f.warm("warm")
		must1(os.Stat(f.path("cold")))(t)
		g := f.hold("/resolve/")
		cmd := child(t, "edit", f.path("cold"))
		must(t, cmd.Start())
		<-g.waiting
		wantContent(t, f.path("warm"), "W")
		must(t, patch(f.path("warm"), os.O_RDWR, "V", 0))
		must(t, cmd.Process.Signal(sig))
		died(t, cmd)
		close(g.open)
		f.hub.Fault(nil)
		f.eventually("no half copy is left", func() bool { return stagedFiles(t, f) == 1 })
		if st := f.store.Opened()[0].Status(t.Context()); len(st.Staged) != 1 || st.Staged[0].Path != "warm" {
			t.Errorf("after %v: %+v", sig, st.Staged)
		}
		must(t, patch(f.path("cold"), os.O_RDWR, "again", 0))
		wantContent(t, f.path("cold"), "again"+noise(3 << 20)[5:])
		f.end()
	}
}

// A tree of committed content is moved without a request, as often as one likes.
func TestRenameOfTreesAsksNothing(t *testing.T) {
	files := map[string]string{}
	for i := range 200 {
		files[fmt.Sprintf("d/s%d/f%d", i%7, i)] = strings.Repeat("x", i)
	}
	f := mine(t, files)
	must1(os.Stat(f.path("d/s1/f1")))(t)
	must(t, os.Mkdir(f.path("to"), 0o755)) // asks who may write
	n := f.requests(func() {
		must(t, os.Rename(f.path("d"), f.path("to/e")))
		must(t, os.Rename(f.path("to/e/s1"), f.path("s")))
		must(t, os.Rename(f.path("to"), f.path("t")))
		must(t, unix.Renameat2(unix.AT_FDCWD, f.path("s"), unix.AT_FDCWD, f.path("t/e/s2"), unix.RENAME_EXCHANGE))
		wantErrno(t, unix.Renameat2(unix.AT_FDCWD, f.path("s"), unix.AT_FDCWD, f.path("t"), unix.RENAME_NOREPLACE), syscall.EEXIST)
		wantErrno(t, unix.Rename(f.path("s"), f.path("t/e")), syscall.ENOTEMPTY)
		wantErrno(t, unix.Rename(f.path("t"), f.path("t/e/s3/t")), syscall.EINVAL)
		wantErrno(t, unix.Rmdir(f.path("t/e")), syscall.ENOTEMPTY)
		wantErrno(t, unix.Rmdir(f.path("t/e/s0/f0")), syscall.ENOTDIR)
		wantErrno(t, unix.Unlink(f.path("t/e")), syscall.EISDIR)
		if got := must1(os.Stat(f.path("t/e/s2/f8")))(t).Size(); got != 8 {
			t.Error(got)
		}
	})
	if n != 0 {
		t.Errorf("%d requests", n)
	}
	wantContent(t, f.path("t/e/s2/f8"), files["d/s1/f8"])
	wantContent(t, f.path("s/f9"), files["d/s2/f9"])
}

// What is opened for writing and not written is no change, also where the open
// failed, as a reopen by /proc does.
func TestOpenedForWritingIsNoChange(t *testing.T) {
	bothModes(t, map[string]string{"a": noise(5000), "b": "B"}, func(t *testing.T, f *fixture) {
		r := must1(os.Open(f.path("a")))(t)
		_, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", r.Fd()), os.O_RDWR, 0)
		wantErrno(t, err, syscall.ESTALE)
		must(t, r.Close())
		w := must1(os.OpenFile(f.path("b"), os.O_RDWR, 0))(t)
		if st := f.store.Opened()[0].Status(t.Context()); !slices.Contains(st.Busy, "b") {
			t.Errorf("while it is open: %+v", st)
		}
		must(t, w.Close())
		f.idle("b")
		// For a moment a file that was made ready for a writer counts as busy.
		f.eventually("nothing is staged", func() bool { return len(f.store.Opened()[0].Status(t.Context()).Staged) == 0 })
		commits := len(f.hub.Repo("me/m").Log("main"))
		must(t, f.srv.Sync(t.Context(), SyncRequest{All: true}, nil))
		if n := len(f.hub.Repo("me/m").Log("main")); n != commits {
			t.Errorf("%d commits of nothing", n-commits)
		}
		wantContent(t, f.path("a"), noise(5000))
		must(t, patch(f.path("b"), os.O_WRONLY, "X", 0))
		if st := f.store.Opened()[0].Status(t.Context()); len(st.Staged) != 1 || st.Staged[0].Op != "change" {
			t.Errorf("%+v", st.Staged)
		}
	})
}
