package fs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/hubfs/hubfs/integration/proof"
	"github.com/hubfs/hubfs/remote/hubtest"
	"golang.org/x/sys/unix"
)

// copyAll is a copy by copy_file_range alone.
func copyAll(t *testing.T, from, to string, flags int) {
	t.Helper()
	in := must1(os.Open(from))(t)
	defer in.Close()
	out := must1(os.OpenFile(to, os.O_WRONLY|os.O_CREATE|flags, 0o644))(t)
	for {
		n, err := unix.CopyFileRange(int(in.Fd()), nil, int(out.Fd()), nil, 1<<30, 0)
		if err != nil {
			t.Fatalf("copy_file_range from %s: %v", from, err)
		}
		if n == 0 {
			break
		}
	}
	must(t, out.Close())
}

func TestCopyFileRange(t *testing.T) {
	big := noise(9 << 20) // cold it takes more than one call
	bothModes(t, map[string]string{"warm": noise(300_000), "cold": big, "empty": ""}, func(t *testing.T, f *fixture) {
		f.warm("warm")
		write(t, f.path("staged"), noise(400_000))
		reads, writes := 0, 0
		for _, c := range []struct{ from, want string }{{"warm", noise(300_000)}, {"staged", noise(400_000)}, {"cold", big}, {"empty", ""}} {
			reads += f.ops("read", func() {
				writes += f.ops("write", func() { copyAll(t, f.path(c.from), f.path("copy of "+c.from), 0) })
			})
			wantContent(t, f.path("copy of "+c.from), c.want)
		}
		if reads+writes != 0 {
			t.Errorf("%d reads and %d writes by the caller", reads, writes)
		}
		// A part, into the middle of another file, and within one file.
		in := must1(os.Open(f.path("warm")))(t)
		out := must1(os.OpenFile(f.path("staged"), os.O_RDWR, 0))(t)
		from, to := int64(1000), int64(5000)
		if n, err := unix.CopyFileRange(int(in.Fd()), &from, int(out.Fd()), &to, 100_000, 0); n != 100_000 || err != nil {
			t.Error(n, err)
		}
		from, to = 0, 350_000
		if n, err := unix.CopyFileRange(int(out.Fd()), &from, int(out.Fd()), &to, 100_000, 0); n != 100_000 || err != nil {
			t.Error(n, err)
		}
		want := noise(400_000)
		want = want[:5000] + noise(300_000)[1000:101_000] + want[105_000:]
		want = want[:350_000] + want[:100_000]
		wantContent(t, f.path("staged"), want)
		must(t, in.Close())
		must(t, out.Close())
	})
}

// disk is a new file system in a file.
func disk(t *testing.T, mkfs string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(mkfs); err != nil {
		proof.Missing(t, "needs", mkfs)
	}
	dir := t.TempDir()
	image := filepath.Join(dir, "image")
	must(t, os.WriteFile(image, nil, 0o600))
	must(t, os.Truncate(image, 512<<20))
	if out, err := exec.Command(mkfs, append(args, "-q", image)...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", mkfs, err, out)
	}
	mnt := filepath.Join(dir, "disk")
	must(t, os.Mkdir(mnt, 0o700))
	if out, err := exec.Command("mount", "-o", "loop", image, mnt).CombinedOutput(); err != nil {
		proof.Missing(t, "no loop mount of it:", err, string(out))
	}
	t.Cleanup(func() { unix.Unmount(mnt, 0) })
	return mnt
}

// Where the disk can, copies and edits share the bytes: they need no room.
func TestReflink(t *testing.T) {
	const size = 64 << 20
	for _, mkfs := range []string{"mkfs.btrfs", "mkfs.xfs"} {
		for _, off := range []bool{false, true} {
			t.Run(fmt.Sprint(mkfs, off), func(t *testing.T) {
				on := disk(t, mkfs)
				var args = opts{Repo: "me/m", Options: Options{noPassthrough: off}, State: filepath.Join(on, "state"), Cache: filepath.Join(on, "cache"),
					Fill: func(h *hubtest.Hub) { h.Repo("me/m").Commit("main", "all", map[string]string{"big.bin": noise(size)}) }}
				f := mountHub(t, args)
				t.Cleanup(func() { f.end() })
				f.warm("big.bin")
				used := func() int64 {
					unix.Sync()
					var st unix.Statfs_t
					must(t, unix.Statfs(on, &st))
					return int64(st.Blocks-st.Bfree) * st.Bsize
				}
				before := used()
				copyAll(t, f.path("big.bin"), f.path("copy.bin"), 0)
				copyAll(t, f.path("copy.bin"), f.path("copy2.bin"), 0)
				must(t, patch(f.path("big.bin"), os.O_WRONLY, "edited", 0))
				if grown := used() - before; grown > size/4 {
					t.Errorf("two copies and an edit of %d MiB took %d MiB", size>>20, grown>>20)
				}
				wantContent(t, f.path("copy2.bin"), noise(size))
				wantContent(t, f.path("big.bin"), "edited"+noise(size)[6:])
				// The kernel has FICLONE of a FUSE file refused before it comes here.
				in := must1(os.Open(f.path("copy.bin")))(t)
				out := must1(os.Create(f.path("clone")))(t)
				if err := unix.IoctlFileClone(int(out.Fd()), int(in.Fd())); err != syscall.EOPNOTSUPP {
					t.Errorf("FICLONE: %v", err)
				}
				in.Close()
				out.Close()
				w := must1(os.OpenFile(f.path("copy.bin"), os.O_RDWR, 0))(t)
				must(t, unix.Fallocate(int(w.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, 1<<20))
				must(t, w.Close())
			})
		}
	}
}

// Repos are file systems of their own for rename, so that mv copies; the copy
// itself needs no bytes through the caller.
func TestAcrossRepos(t *testing.T) {
	f := mountHub(t, opts{Fill: func(h *hubtest.Hub) {
		h.Repo("me/m").Commit("main", "all", map[string]string{"a": noise(100_000), "d/x": "X"})
		h.Repo("me/n").Put("b", "B")
	}})
	for _, name := range []string{"a", "d"} {
		wantErrno(t, os.Rename(f.path("me/m/"+name), f.path("me/n/"+name)), syscall.EXDEV)
		wantErrno(t, unix.Renameat2(unix.AT_FDCWD, f.path("me/m/"+name), unix.AT_FDCWD, f.path("me/n/b"), unix.RENAME_EXCHANGE), syscall.EXDEV)
	}
	w := tmpfile(t, f.path("me/m"), os.O_RDWR)
	wantErrno(t, linkByFd(w, f.path("me/n/tmp")), syscall.EXDEV)
	must(t, w.Close())
	copyAll(t, f.path("me/m/a"), f.path("me/n/a"), 0)
	wantContent(t, f.path("me/n/a"), noise(100_000))
	out, err := exec.Command("mv", f.path("me/m/d"), f.path("me/n/d")).CombinedOutput()
	if err != nil {
		t.Errorf("mv: %v: %s", err, out)
	}
	wantContent(t, f.path("me/n/d/x"), "X")
	_, err = unix.Open(f.path("me"), unix.O_TMPFILE|unix.O_RDWR, 0o600)
	wantErrno(t, err, syscall.EOPNOTSUPP)
	must(t, tmpfile(t, f.path("me/m"), os.O_RDWR).Close())
}
