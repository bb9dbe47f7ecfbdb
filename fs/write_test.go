package fs

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/hubfs/hubfs/remote/hubtest"
	"golang.org/x/sys/unix"
)

// mine is a mount of a repo that the user may write.
func mine(t *testing.T, files map[string]string) *fixture {
	t.Helper()
	return mountHub(t, opts{Repo: "me/m", Fill: func(h *hubtest.Hub) { h.Repo("me/m").Commit("main", "all", files) }})
}

func TestWriteNewFile(t *testing.T) {
	f := mine(t, map[string]string{"a": "1"})
	must(t, os.MkdirAll(f.path("x/y"), 0o755))
	n := f.requests(func() {
		writes := f.ops("write", func() { write(t, f.path("x/y/new"), noise(1<<20)) })
		if writes != 0 {
			t.Errorf("%d FUSE writes, want 0: no passthrough", writes)
		}
	})
	if n != 0 {
		t.Errorf("%d requests for writing a file", n)
	}
	wantContent(t, f.path("x/y/new"), noise(1<<20))
	st, err := os.Stat(f.path("x/y/new"))
	must(t, err)
	if st.Size() != 1<<20 || st.Mode() != 0o644 {
		t.Errorf("size %d, mode %v", st.Size(), st.Mode())
	}
	f.commit()
	if got := string(f.hub.Repo("me/m").Read("main", "x/y/new")); got != noise(1<<20) {
		t.Errorf("the Hub has %s", brief(got))
	}
	wantContent(t, f.path("x/y/new"), noise(1<<20))
}

// commit commits everything, and wants that to work.
func (f *fixture) commit() {
	f.t.Helper()
	must(f.t, f.srv.Sync(context.Background(), SyncRequest{All: true}, nil))
}

// Editing a committed file in each way keeps the cache file and old readers as
// they are, and lands on the staged file by the kernel's own retry.
func TestEditCommitted(t *testing.T) {
	old := noise(2 << 20)
	for _, c := range []struct {
		name string
		edit func(path string) error
		want string
	}{
		{"open for writing", func(p string) error { return patch(p, os.O_RDWR, "NEW", 10) }, old[:10] + "NEW" + old[13:]},
		{"O_WRONLY", func(p string) error { return patch(p, os.O_WRONLY, "NEW", 10) }, old[:10] + "NEW" + old[13:]},
		{"O_TRUNC", func(p string) error { return patch(p, os.O_WRONLY|os.O_TRUNC, "NEW", 0) }, "NEW"},
		{"O_CREATE|O_TRUNC", func(p string) error { return patch(p, os.O_WRONLY|os.O_TRUNC|os.O_CREATE, "NEW", 0) }, "NEW"},
		{"O_APPEND", func(p string) error { return patch(p, os.O_WRONLY|os.O_APPEND, "NEW", -1) }, old + "NEW"},
		{"truncate", func(p string) error { return os.Truncate(p, 5) }, old[:5]},
		{"truncate to nothing", func(p string) error { return os.Truncate(p, 0) }, ""},
		{"truncate longer", func(p string) error { return os.Truncate(p, 2<<20+3) }, old + "\x00\x00\x00"},
	} {
		for _, warm := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, warm %v", c.name, warm), func(t *testing.T) {
				f := mine(t, map[string]string{"file": old})
				if warm {
					f.warm("file")
				}
				reader, err := os.Open(f.path("file"))
				must(t, err)
				defer reader.Close()
				if err := c.edit(f.path("file")); err != nil {
					t.Fatal(err)
				}
				wantContent(t, f.path("file"), c.want)
				b, err := io.ReadAll(reader)
				must(t, err)
				if string(b) != old {
					t.Errorf("the reader from before sees %s", brief(string(b)))
				}
				if w, ok := f.cache.Whole(f.key("file"), int64(len(old))); ok {
					b, err := io.ReadAll(w)
					w.Close()
					must(t, err)
					if string(b) != old {
						t.Error("the cache file was written")
					}
				} else if warm {
					t.Error("the blob has left the cache")
				}
			})
		}
	}
}

// key is the blob id of a file at the repo's head.
func (f *fixture) key(name string) string {
	file := f.hub.Repo("me/m").Files("main")[name]
	if file.LFS {
		return "sha256:" + file.OID
	}
	return "git:" + file.OID
}

// patch writes text at off of a file opened with flags; off < 0 leaves the
// place to the kernel.
func patch(path string, flags int, text string, off int64) error {
	w, err := os.OpenFile(path, flags, 0o644)
	if err != nil {
		return err
	}
	defer w.Close()
	if off < 0 {
		_, err = w.WriteString(text)
	} else {
		_, err = w.WriteAt([]byte(text), off)
	}
	if err != nil {
		return err
	}
	return w.Close()
}

// Write opens race each other for the retry beside a reader by passthrough.
func TestRacingWriteOpens(t *testing.T) {
	old := noise(64 << 10)
	f := mine(t, map[string]string{"file": old})
	for round := range 20 {
		f.warm("file")
		reader, err := os.Open(f.path("file"))
		must(t, err)
		var wg sync.WaitGroup
		for i := range 32 {
			wg.Go(func() {
				if err := patch(f.path("file"), os.O_RDWR, "x", int64(i)); err != nil {
					t.Errorf("round %d: %v", round, err)
				}
			})
		}
		wg.Wait()
		b, err := io.ReadAll(reader)
		must(t, err)
		reader.Close()
		if string(b) != old {
			t.Fatalf("round %d: the reader sees the writes", round)
		}
		must(t, os.Remove(f.path("file")))
		_, err = f.store.Opened()[0].Discard(t.Context(), "file")
		must(t, err)
		f.eventually("the committed file is back", func() bool {
			b, err := os.ReadFile(f.path("file"))
			return err == nil && string(b) == old
		})
	}
}

func TestTruncateOfColdBlobFetchesNothing(t *testing.T) {
	f := mountHub(t, opts{Repo: "me/m", Fill: func(h *hubtest.Hub) { h.Repo("me/m").PutSparse("huge.bin", 1<<30) }})
	if st, err := os.Stat(f.path("huge.bin")); err != nil || st.Size() != 1<<30 {
		t.Fatalf("stat: %v, %v", st, err)
	}
	f.hub.ResetCounts()
	write(t, f.path("huge.bin"), "small now")
	for kind, c := range f.hub.Counts() {
		if kind == hubtest.KindContent || kind == hubtest.KindResolve {
			t.Errorf("%d requests of kind %s", c.N, kind)
		}
	}
	wantContent(t, f.path("huge.bin"), "small now")
}

// How safetensors saves, as traced: a temporary name, truncated to its full
// size, written, renamed while open, never synced.
func TestSafetensorsSave(t *testing.T) {
	f := mine(t, map[string]string{"model.safetensors": "old"})
	w, err := os.OpenFile(f.path(".tmpAbCdEf"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	must(t, err)
	data := noise(1 << 20)
	must(t, w.Truncate(int64(len(data))))
	for off := 0; off < len(data); off += 100_000 {
		_, err := w.WriteAt([]byte(data[off:min(off+100_000, len(data))]), int64(off))
		must(t, err)
	}
	must(t, os.Rename(f.path(".tmpAbCdEf"), f.path("model.safetensors")))
	wantContent(t, f.path("model.safetensors"), data)
	_, err = w.WriteAt([]byte("last"), 0)
	must(t, err)
	must(t, w.Close())
	wantContent(t, f.path("model.safetensors"), "last"+data[4:])
	f.idle("model.safetensors")
	f.commit()
	files := f.hub.Repo("me/m").Files("main")
	if len(files) != 2 { // and .gitattributes
		t.Errorf("files after the commit: %v", files)
	}
	if got := string(f.hub.Repo("me/m").Read("main", "model.safetensors")); got != "last"+data[4:] {
		t.Errorf("the Hub has %s", brief(got))
	}
}

// A path is derived when it is needed: what is below a renamed directory is
// asked about by the inodes of before.
func TestWorkInsideRenamedDirectory(t *testing.T) {
	f := mine(t, map[string]string{"a/file": "old", "a/sub/deep": "deep"})
	dir, err := os.Open(f.path("a"))
	must(t, err)
	defer dir.Close()
	sub, err := os.Open(f.path("a/sub"))
	must(t, err)
	defer sub.Close()
	must(t, os.Rename(f.path("a"), f.path("b")))
	at := func(d *os.File) int { return int(d.Fd()) }

	fd, err := unix.Openat(at(dir), "new", unix.O_CREAT|unix.O_WRONLY, 0o644)
	must(t, err)
	_, err = unix.Write(fd, []byte("new"))
	must(t, err)
	unix.Close(fd)
	fd, err = unix.Openat(at(sub), "deep", unix.O_WRONLY|unix.O_APPEND, 0)
	must(t, err)
	_, err = unix.Write(fd, []byte("er"))
	must(t, err)
	unix.Close(fd)
	must(t, unix.Renameat(at(dir), "file", at(sub), "moved"))
	wantContent(t, f.path("b/new"), "new")
	wantContent(t, f.path("b/sub/deep"), "deeper")
	wantContent(t, f.path("b/sub/moved"), "old")
	if _, err := os.Stat(f.path("a")); !os.IsNotExist(err) {
		t.Errorf("a is still there: %v", err)
	}
	f.idle("b/new")
	f.idle("b/sub/deep")
	f.commit()
	files := f.hub.Repo("me/m").Files("main")
	for _, name := range []string{"b/new", "b/sub/deep", "b/sub/moved"} {
		if _, ok := files[name]; !ok {
			t.Errorf("%s is not on the Hub: %v", name, files)
		}
	}
}

func TestRename(t *testing.T) {
	f := mine(t, map[string]string{"a": "A", "b": "B", "d/x": "X"})
	ino := func(name string) uint64 {
		var st unix.Stat_t
		must(t, unix.Stat(f.path(name), &st))
		return st.Ino
	}
	a, b := ino("a"), ino("b")
	must(t, unix.Renameat2(unix.AT_FDCWD, f.path("a"), unix.AT_FDCWD, f.path("b"), unix.RENAME_EXCHANGE))
	wantContent(t, f.path("a"), "B")
	wantContent(t, f.path("b"), "A")
	if ino("a") != b || ino("b") != a {
		t.Error("inode numbers did not move with the files")
	}
	wantErrno(t, unix.Renameat2(unix.AT_FDCWD, f.path("a"), unix.AT_FDCWD, f.path("b"), unix.RENAME_NOREPLACE), syscall.EEXIST)
	must(t, os.Rename(f.path("a"), f.path("b"))) // over an existing name
	wantContent(t, f.path("b"), "B")
	open, err := os.Open(f.path("b"))
	must(t, err)
	defer open.Close()
	write(t, f.path("new"), "N")
	must(t, os.Rename(f.path("new"), f.path("b"))) // over an open file
	wantContent(t, f.path("b"), "N")
	got, err := io.ReadAll(open)
	must(t, err)
	if string(got) != "B" {
		t.Errorf("the replaced file reads %q", got)
	}
	wantErrno(t, unix.Rename(f.path("b"), f.path("d")), syscall.EISDIR)
	must(t, os.Mkdir(f.path("empty"), 0o755))
	must(t, unix.Rename(f.path("d"), f.path("empty")))
	wantContent(t, f.path("empty/x"), "X")
	wantErrno(t, os.Rename(f.path("b"), filepath.Join(t.TempDir(), "b")), syscall.EXDEV)
}

func TestUnlinkOpenFile(t *testing.T) {
	f := mine(t, map[string]string{"old": "committed"})
	write(t, f.path("new"), "staged")
	for name, want := range map[string]string{"old": "committed", "new": "staged"} {
		r, err := os.Open(f.path(name))
		must(t, err)
		must(t, os.Remove(f.path(name)))
		b, err := io.ReadAll(r)
		must(t, err)
		if string(b) != want {
			t.Errorf("%s reads %q after unlink", name, b)
		}
		var st unix.Stat_t
		must(t, unix.Fstat(int(r.Fd()), &st))
		if st.Nlink != 0 {
			t.Errorf("%s has %d links after unlink", name, st.Nlink)
		}
		r.Close()
		if _, err := os.Stat(f.path(name)); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", name, err)
		}
	}
}

func TestAttributes(t *testing.T) {
	f := mine(t, map[string]string{"blob": "B"})
	write(t, f.path("staged"), "S")
	for _, name := range []string{"blob", "staged"} {
		must(t, os.Chmod(f.path(name), 0o711))
		var ts = []unix.Timespec{{Sec: 1_000_000_000}, {Sec: 1_234_567_890, Nsec: 5}}
		must(t, unix.UtimesNanoAt(unix.AT_FDCWD, f.path(name), ts, 0))
		var st unix.Stat_t
		must(t, unix.Stat(f.path(name), &st))
		if st.Mode&0o7777 != 0o711 || st.Mtim != ts[1] || st.Nlink != 1 || st.Size != 1 {
			t.Errorf("%s: %+v", name, st)
		}
		must(t, os.Chown(f.path(name), os.Getuid(), os.Getgid()))
		wantErrno(t, os.Chown(f.path(name), 12345, -1), syscall.EPERM)
	}
	wantErrno(t, os.Link(f.path("blob"), f.path("link")), syscall.EPERM)
	wantErrno(t, unix.Mknod(f.path("fifo"), unix.S_IFIFO|0o644, 0), syscall.EPERM)
	must(t, unix.Mknod(f.path("regular"), unix.S_IFREG|0o644, 0))
	_, err := unix.Getxattr(f.path("blob"), "user.x", nil)
	if err != unix.ENOTSUP {
		t.Errorf("getxattr: %v", err)
	}
	if st := f.store.Opened()[0].Status(context.Background()); len(st.Staged) != 2 {
		t.Errorf("chmod and utimens of a blob are staged: %+v", st.Staged)
	}
}

func TestSyncs(t *testing.T) {
	f := mine(t, map[string]string{"a": "1"})
	w, err := os.OpenFile(f.path("new"), os.O_CREATE|os.O_WRONLY|os.O_SYNC, 0o644)
	must(t, err)
	_, err = w.WriteString("x")
	must(t, err)
	must(t, w.Sync())
	must(t, os.Rename(f.path("new"), f.path("newer")))
	must(t, unix.Fallocate(int(w.Fd()), 0, 0, 1<<20))
	if off, err := w.Seek(0, 3 /* SEEK_DATA */); err != nil || off != 0 {
		t.Errorf("SEEK_DATA: %d, %v", off, err)
	}
	must(t, w.Close())
	d, err := os.Open(f.mnt)
	must(t, err)
	must(t, d.Sync())
	must(t, d.Close())
	r, err := os.Open(f.path("a"))
	must(t, err)
	must(t, r.Sync())
	must(t, r.Close())
	if st, err := os.Stat(f.path("newer")); err != nil || st.Size() != 1<<20 {
		t.Errorf("after fallocate: %v, %v", st, err)
	}
}
