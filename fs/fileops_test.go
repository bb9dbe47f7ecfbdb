package fs

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Writes at any offset, truncation up and down, by path and by descriptor, of
// new files and of committed ones, against a file of the disk.
func TestRandomWrites(t *testing.T) {
	const seed, size = 20260, 300_000
	bothModes(t, map[string]string{"committed": noise(size)}, func(t *testing.T, f *fixture) {
		r := rand.New(rand.NewPCG(seed, 1))
		for _, name := range []string{"committed", "new"} {
			twin := filepath.Join(t.TempDir(), name)
			if name == "committed" {
				write(t, twin, noise(size))
			}
			open := func(path string) *os.File {
				return must1(os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644))(t)
			}
			a, b := open(f.path(name)), open(twin)
			for i := range 400 {
				off, n := r.Int64N(2*size), r.IntN(20_000)
				switch r.IntN(8) {
				case 0:
					must(t, a.Truncate(off))
					must(t, b.Truncate(off))
				case 1:
					must(t, os.Truncate(f.path(name), off))
					must(t, os.Truncate(twin, off))
				case 2:
					must(t, a.Close())
					must(t, b.Close())
					a, b = open(f.path(name)), open(twin)
				case 3:
					buf, want := make([]byte, n), make([]byte, n)
					m1, err1 := a.ReadAt(buf, off)
					m2, err2 := b.ReadAt(want, off)
					if m1 != m2 || !errors.Is(err1, err2) || !bytes.Equal(buf[:m1], want[:m2]) {
						t.Fatalf("step %d: read at %d: %d, %v, want %d, %v", i, off, m1, err1, m2, err2)
					}
				default:
					p := []byte(noise(n + 1))
					must1(a.WriteAt(p, off))(t)
					must1(b.WriteAt(p, off))(t)
				}
				if s1, s2 := must1(a.Stat())(t), must1(b.Stat())(t); s1.Size() != s2.Size() {
					t.Fatalf("step %d: size %d, want %d", i, s1.Size(), s2.Size())
				}
			}
			must(t, a.Close())
			must(t, b.Close())
			if read(t, f.path(name)) != read(t, twin) {
				t.Errorf("%s differs (seed %d)", name, seed)
			}
		}
		fd, err := os.OpenFile(f.path("new"), os.O_WRONLY|os.O_TRUNC, 0)
		must(t, err)
		must(t, fd.Close())
		wantContent(t, f.path("new"), "")
		_, err = os.OpenFile(f.path("committed"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		wantErrno(t, err, syscall.EEXIST)
	})
}

const appenders, records = 4, 250

// appendRecords writes records of odd lengths to the end of a file.
func appendRecords(args []string) error {
	w, err := os.OpenFile(args[0], os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	for i := range records {
		if _, err := w.WriteString(recordOf(args[1], i)); err != nil {
			return err
		}
	}
	return w.Close()
}

func recordOf(who string, i int) string {
	return fmt.Sprintf("<%s %d %s>\n", who, i, strings.Repeat(who, i*37%4000))
}

func init() { children["append"] = appendRecords }

// Several processes append to one file: no record is lost, or in another.
func TestAppendByManyProcesses(t *testing.T) {
	bothModes(t, map[string]string{"committed": "first\n"}, func(t *testing.T, f *fixture) {
		for _, name := range []string{"committed", "new"} {
			var wait []func()
			for i := range appenders {
				cmd := child(t, "append", f.path(name), string(rune('a'+i)))
				cmd.Stderr = os.Stderr
				must(t, cmd.Start())
				wait = append(wait, func() { must(t, cmd.Wait()) })
			}
			for _, w := range wait {
				w()
			}
			got := strings.TrimPrefix(read(t, f.path(name)), "first\n")
			next := map[byte]int{}
			for got != "" {
				who := got[1]
				want := recordOf(string(who), next[who])
				if !strings.HasPrefix(got, want) {
					t.Fatalf("%s: want record %d of %c, the file goes on with %s", name, next[who], who, brief(got))
				}
				next[who]++
				got = got[len(want):]
			}
			for i := range appenders {
				if n := next['a'+byte(i)]; n != records {
					t.Errorf("%s: %d records of %c, want %d", name, n, 'a'+i, records)
				}
			}
		}
	})
}

// sparse looks for data and holes the way cp does.
func TestSparseAndHoles(t *testing.T) {
	bothModes(t, map[string]string{"committed": noise(100_000)}, func(t *testing.T, f *fixture) {
		w := must1(os.OpenFile(f.path("sparse"), os.O_RDWR|os.O_CREATE, 0o644))(t)
		const at = 10 << 20
		must1(w.WriteAt([]byte("data"), at))(t)
		must(t, w.Truncate(2*at))
		seek := func(r *os.File, off int64, whence int) int64 {
			t.Helper()
			pos, err := unix.Seek(int(r.Fd()), off, whence)
			if err != nil {
				return -int64(err.(syscall.Errno))
			}
			return pos
		}
		const data, hole = 3, 4
		if got := seek(w, 0, data); got != at {
			t.Errorf("the data is at %d", got)
		}
		if got := seek(w, at, hole); got <= at || got > at+1<<16 {
			t.Errorf("the hole after the data is at %d", got)
		}
		if got := seek(w, 0, hole); got != 0 {
			t.Errorf("the first hole is at %d", got)
		}
		if got := seek(w, at+1<<20, data); got != -int64(unix.ENXIO) {
			t.Errorf("data behind the last: %d", got)
		}
		var st unix.Stat_t
		must(t, unix.Fstat(int(w.Fd()), &st))
		if st.Size != 2*at || st.Blocks > 1000 {
			t.Errorf("%d bytes, %d blocks", st.Size, st.Blocks)
		}
		must(t, w.Close())
		r := must1(os.Open(f.path("committed")))(t)
		defer r.Close()
		for _, c := range []struct {
			off  int64
			what int
			want int64
		}{{0, data, 0}, {5, data, 5}, {0, hole, 100_000}, {99_999, hole, 100_000}, {100_000, data, -int64(unix.ENXIO)}, {100_000, hole, -int64(unix.ENXIO)}} {
			if got := seek(r, c.off, c.what); got != c.want {
				t.Errorf("committed: lseek(%d, %d) is %d, want %d", c.off, c.what, got, c.want)
			}
		}
	})
}

func TestFallocate(t *testing.T) {
	bothModes(t, map[string]string{"a": "A"}, func(t *testing.T, f *fixture) {
		w := must1(os.OpenFile(f.path("new"), os.O_RDWR|os.O_CREATE, 0o644))(t)
		defer w.Close()
		size := func() int64 { return must1(w.Stat())(t).Size() }
		blocks := func() int64 {
			var st unix.Stat_t
			must(t, unix.Fstat(int(w.Fd()), &st))
			return st.Blocks
		}
		must(t, unix.Fallocate(int(w.Fd()), 0, 0, 1<<20))
		if size() != 1<<20 || blocks() < 2048 {
			t.Errorf("size %d, %d blocks", size(), blocks())
		}
		must(t, unix.Fallocate(int(w.Fd()), unix.FALLOC_FL_KEEP_SIZE, 1<<20, 1<<20))
		if size() != 1<<20 {
			t.Errorf("KEEP_SIZE made the size %d", size())
		}
		content := noise(1 << 20)
		must1(w.WriteAt([]byte(content), 0))(t)
		must(t, unix.Fallocate(int(w.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 100, 300_000))
		want := content[:100] + strings.Repeat("\x00", 300_000) + content[300_100:]
		wantContent(t, f.path("new"), want)
		err := unix.Fallocate(int(w.Fd()), unix.FALLOC_FL_ZERO_RANGE, 500_000, 1000)
		if err == nil {
			want = want[:500_000] + strings.Repeat("\x00", 1000) + want[501_000:]
		} else if !errors.Is(err, unix.EOPNOTSUPP) {
			t.Error(err)
		}
		wantContent(t, f.path("new"), want)
		for _, mode := range []uint32{unix.FALLOC_FL_COLLAPSE_RANGE, unix.FALLOC_FL_INSERT_RANGE} {
			wantErrno(t, unix.Fallocate(int(w.Fd()), mode, 0, 4096), syscall.EOPNOTSUPP)
		}
		wantErrno(t, unix.Fallocate(int(w.Fd()), unix.FALLOC_FL_PUNCH_HOLE, 0, 4096), syscall.EOPNOTSUPP)
		wantContent(t, f.path("new"), want)
	})
}

func TestNamesOfAllKinds(t *testing.T) {
	f := mine(t, map[string]string{"a": "A"})
	long := strings.Repeat("n", 255)
	for _, name := range []string{long, strings.Repeat("ü", 127), "日本語 😀", " leading", "trailing ", "new\nline", "tab\t", `quote"'`, "-rf", "a:b*c?", "\u202e", "CON", "e\u0301", "\u00e9"} {
		write(t, f.path(name), name)
		wantContent(t, f.path(name), name)
		must(t, os.Remove(f.path(name)))
		must(t, os.Mkdir(f.path(name), 0o755))
	}
	wantErrno(t, os.WriteFile(f.path(long+"n"), nil, 0o644), syscall.ENAMETOOLONG)
	_, err := os.Stat(f.path(long + "n"))
	wantErrno(t, err, syscall.ENAMETOOLONG)
	wantErrno(t, os.Mkdir(f.path(long+"n"), 0o755), syscall.ENAMETOOLONG)
	wantErrno(t, os.Rename(f.path("a"), f.path(long+"n")), syscall.ENAMETOOLONG)
	wantErrno(t, os.Symlink("a", f.path(long+"n")), syscall.ENAMETOOLONG)
	for what, err := range map[string]error{
		"create": os.WriteFile(f.path("bad\xff"), nil, 0o644), "mkdir": os.Mkdir(f.path("bad\xff"), 0o755),
		"rename": os.Rename(f.path("a"), f.path("bad\xff")), "symlink": os.Symlink("a", f.path("bad\xff")),
		"mknod": unix.Mknod(f.path("bad\xff"), unix.S_IFREG|0o644, 0),
	} {
		if errnoOf(err) != syscall.EILSEQ {
			t.Errorf("%s of a name that is no UTF-8: %v, want EILSEQ", what, err)
		}
	}
	wantContent(t, f.path("a"), "A")
	// A path longer than the Hub can have.
	dir := f.mnt
	var deep error
	fd := must1(unix.Open(dir, unix.O_DIRECTORY, 0))(t)
	for range 20 {
		if deep = unix.Mkdirat(fd, long, 0o755); deep != nil && !errors.Is(deep, syscall.EEXIST) {
			break
		}
		next := must1(unix.Openat(fd, long, unix.O_DIRECTORY, 0))(t)
		unix.Close(fd)
		fd = next
	}
	unix.Close(fd)
	wantErrno(t, deep, syscall.ENAMETOOLONG)
}

func TestWhatIsRefused(t *testing.T) {
	f := mine(t, map[string]string{"a": "A", "d/x": "X"})
	for what, mode := range map[string]uint32{"fifo": unix.S_IFIFO, "socket": unix.S_IFSOCK, "device": unix.S_IFCHR, "block device": unix.S_IFBLK} {
		if err := unix.Mknod(f.path("node"), mode|0o644, 0x103); !errors.Is(err, syscall.EPERM) {
			t.Errorf("%s: %v", what, err)
		}
	}
	write(t, f.path("staged"), "S")
	must(t, os.Mkdir(f.path("new"), 0o755))
	for _, name := range []string{"a", "d", "staged", "new"} {
		for _, bit := range []uint32{unix.S_ISUID, unix.S_ISGID} {
			wantErrno(t, unix.Chmod(f.path(name), bit|0o755), syscall.EPERM)
		}
		var st unix.Stat_t
		must(t, unix.Stat(f.path(name), &st))
		if st.Mode&0o7000 != 0 {
			t.Errorf("%s has mode %o", name, st.Mode)
		}
		for _, err := range []error{unix.Setxattr(f.path(name), "user.x", []byte("1"), 0), unix.Removexattr(f.path(name), "user.x")} {
			wantErrno(t, err, syscall.ENOTSUP)
		}
		_, err := unix.Listxattr(f.path(name), nil)
		if err != nil && !errors.Is(err, syscall.ENOTSUP) {
			t.Error(err)
		}
	}
	_, err := unix.Open(f.path("suid"), unix.O_CREAT|unix.O_WRONLY, unix.S_ISUID|0o755)
	wantErrno(t, err, syscall.EPERM)
	wantErrno(t, unix.Mknod(f.path("suid"), unix.S_IFREG|unix.S_ISUID|0o755, 0), syscall.EPERM)
	must(t, unix.Mknod(f.path("plain"), unix.S_IFREG|0o640, 0))
	write(t, f.path("plain"), "works")
	wantContent(t, f.path("plain"), "works")
}

func TestStatfs(t *testing.T) {
	f := mine(t, map[string]string{"a": "A"})
	var mnt, disk unix.Statfs_t
	for _, name := range []string{"", "a"} {
		must(t, unix.Statfs(f.path(name), &mnt))
		must(t, unix.Statfs(f.state, &disk))
		if mnt.Blocks != disk.Blocks || mnt.Bsize != disk.Bsize || mnt.Files != disk.Files || mnt.Namelen != 255 {
			t.Errorf("%+v, want that of the disk: %+v", mnt, disk)
		}
	}
	must(t, os.RemoveAll(f.state))
	if err := unix.Statfs(f.path(""), &mnt); err != nil || mnt.Blocks != disk.Blocks {
		t.Errorf("without its state directory: %v, %+v", err, mnt)
	}
}
