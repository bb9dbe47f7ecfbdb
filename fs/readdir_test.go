package fs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// getdents reads some entries of an open directory: names and their offsets.
func getdents(t *testing.T, fd int, size int) (out []direntAt) {
	t.Helper()
	b := make([]byte, size)
	n, err := unix.Getdents(fd, b)
	must(t, err)
	return parseDirents(b[:n])
}

type direntAt struct {
	name string
	off  int64
}

func manyFiles(n int) map[string]string {
	files := map[string]string{}
	for i := range n {
		files[fmt.Sprintf("d/file-%04d", i)] = "x"
	}
	return files
}

// An offset goes on meaning the same place while names come and go, for
// everybody who reads the directory.
func TestSeekdir(t *testing.T) {
	f := mine(t, manyFiles(500))
	open := func() int {
		fd, err := unix.Open(f.path("d"), unix.O_RDONLY|unix.O_DIRECTORY, 0)
		must(t, err)
		t.Cleanup(func() { unix.Close(fd) })
		return fd
	}
	a := open()
	var all []direntAt
	for {
		part := getdents(t, a, 4096)
		if len(part) == 0 {
			break
		}
		all = append(all, part...)
	}
	if len(all) != 502 {
		t.Fatalf("%d entries", len(all))
	}
	if all[0].name != "." || all[1].name != ".." {
		t.Errorf("begins with %v, %v", all[0], all[1])
	}
	for i := 2; i < 200; i++ {
		must(t, os.Remove(filepath.Join(f.path("d"), all[i].name)))
	}
	write(t, f.path("d/aaa"), "new")
	b := open()
	for _, fd := range []int{a, b} {
		_, err := unix.Seek(fd, all[300].off, 0)
		must(t, err)
		if next := getdents(t, fd, 4096); len(next) == 0 || next[0].name != all[301].name {
			t.Errorf("after %v comes %v, want %v", all[300], next, all[301])
		}
		_, err = unix.Seek(fd, 0, 0)
		must(t, err)
		seen := map[string]bool{}
		for {
			part := getdents(t, fd, 4096)
			if len(part) == 0 {
				break
			}
			for _, e := range part {
				if seen[e.name] {
					t.Errorf("%s is listed twice", e.name)
				}
				seen[e.name] = true
			}
		}
		if len(seen) != 502-198+1 || !seen["aaa"] || seen[all[2].name] {
			t.Errorf("%d names after rewinding", len(seen))
		}
	}
}

// rm -r removes while it reads.
func TestRemoveWhileReading(t *testing.T) {
	f := mine(t, manyFiles(3000))
	fd, err := unix.Open(f.path("d"), unix.O_RDONLY|unix.O_DIRECTORY, 0)
	must(t, err)
	defer unix.Close(fd)
	removed := 0
	for {
		part := getdents(t, fd, 2048)
		if len(part) == 0 {
			break
		}
		for _, e := range part {
			if e.name == "." || e.name == ".." {
				continue
			}
			must(t, os.Remove(filepath.Join(f.path("d"), e.name)))
			removed++
		}
	}
	if removed != 3000 {
		t.Errorf("removed %d of 3000", removed)
	}
	must(t, os.Remove(f.path("d")))

	g := mine(t, manyFiles(3000))
	if out, err := exec.Command("rm", "-r", g.path("d")).CombinedOutput(); err != nil {
		t.Errorf("rm -r: %v\n%s", err, out)
	}
	wantNames(t, g.mnt, ".gitattributes")
}

// Inode numbers are those of the listing, and stay with the names.
func TestInodeNumbers(t *testing.T) {
	f := mine(t, manyFiles(50))
	seen := map[uint64]string{}
	for name, fi := range walkAll(t, f.mnt) {
		ino := fi.Sys().(*syscall.Stat_t).Ino
		if other := seen[ino]; other != "" {
			t.Errorf("%s and %s are both %d", name, other, ino)
		}
		seen[ino] = name
	}
	must(t, os.WriteFile("/proc/sys/vm/drop_caches", []byte("2"), 0))
	for name, fi := range walkAll(t, f.mnt) {
		if ino := fi.Sys().(*syscall.Stat_t).Ino; seen[ino] != name {
			t.Errorf("%s is %d, which was %s", name, ino, seen[ino])
		}
	}
}

// What a colleague added is listed after the next commit, though the kernel
// kept the listing and never asked for the name.
func TestNewNamesOfOthersAreListed(t *testing.T) {
	f := mine(t, map[string]string{"d/a": "A"})
	open := must1(os.Open(f.path("d")))(t)
	defer open.Close()
	wantNames(t, f.path("d"), "a")
	must1(open.Readdirnames(-1))(t)
	f.hub.Repo("me/m").Put("d/b", "B")
	write(t, f.path("mine"), "M")
	f.idle("mine")
	f.commit()
	f.eventually("the handle of before lists it", func() bool {
		must1(open.Seek(0, 0))(t)
		return len(must1(open.Readdirnames(-1))(t)) == 2
	})
	wantNames(t, f.path("d"), "a", "b")
}

// A directory that a colleague emptied is gone with the next commit, though the
// kernel knows it; one in which something is staged is not.
func TestDirectoriesThatOthersEmptied(t *testing.T) {
	f := mine(t, map[string]string{"d/e/a": "A", "d/b": "B", "s/a": "A"})
	for _, name := range []string{"d/e/a", "d/b", "s/a"} {
		read(t, f.path(name))
	}
	wantNames(t, f.mnt, ".gitattributes", "d", "s")
	stay := must1(os.Open(f.path("s")))(t)
	defer stay.Close()
	f.hub.Repo("me/m").Commit("main", "theirs", nil, "d/e/a", "d/b", "s/a")
	write(t, f.path("s/mine"), "M")
	f.idle("s/mine")
	f.commit()
	f.eventually("the directory is gone", func() bool {
		_, err := os.Stat(f.path("d"))
		return os.IsNotExist(err)
	})
	wantNames(t, f.mnt, ".gitattributes", "s")
	must(t, os.Mkdir(f.path("d"), 0o755))
	wantNames(t, f.path("s"), "mine")
	if st, err := stay.Stat(); err != nil || st.Sys().(*syscall.Stat_t).Nlink == 0 {
		t.Errorf("the directory that stayed: %v", err)
	}
}

// So is one that was made here and has outlived a commit, when everything staged
// is dropped.
func TestEmptyDirectoryIsDiscarded(t *testing.T) {
	f := mine(t, map[string]string{"a": "A"})
	must(t, os.MkdirAll(f.path("d/e"), 0o755))
	write(t, f.path("b"), "B")
	f.idle("b")
	f.commit()
	wantNames(t, f.path("d"), "e")
	must1(f.store.Opened()[0].Discard(t.Context(), ""))(t)
	f.eventually("the directories are gone", func() bool {
		_, err := os.Stat(f.path("d"))
		return os.IsNotExist(err)
	})
	wantNames(t, f.mnt, ".gitattributes", "a", "b")
}
