package fs

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// link is refused on the mount, when nothing else is wrong.
func (w *modelWorld) link(o modelOp) {
	do := func(root string) error { return unix.Link(filepath.Join(root, o.P), filepath.Join(root, o.Q)) }
	want := do(w.disk)
	if want == nil {
		w.must("unlink", unix.Unlink(filepath.Join(w.disk, o.Q)))
		want = unix.EPERM
	}
	if got := do(w.mnt); got != want {
		diverge("link: %v, want %v", got, want)
	}
}

// symlink makes a link, looks at it from all sides, moves it and removes it
// again: a commit would make something else of it.
func (w *modelWorld) symlink(o modelOp) {
	if w.running != nil {
		return
	}
	moved := o.Q + "-moved"
	w.both("symlink", func(root string) string {
		link := filepath.Join(root, o.Q)
		err := unix.Symlink(o.P, link)
		if err != nil {
			return errText(err)
		}
		text := ""
		for _, p := range []string{link, filepath.Join(root, moved)} {
			target, err := os.Readlink(p)
			text += target + " " + errText(err)
			var st unix.Stat_t
			err = unix.Lstat(p, &st)
			text += fmt.Sprintf(" %o %d %s", st.Mode&unix.S_IFMT, st.Size, errText(err))
			_, err = unix.Open(p, unix.O_RDONLY|unix.O_NOFOLLOW, 0)
			text += " " + errText(err) + "\n"
			b, err := os.ReadFile(p) // which may lead anywhere, and in a circle
			text += summary(b) + errText(err)
			_, err = os.ReadDir(p)
			text += " " + errText(err)
			if p == link {
				text += errText(unix.Rename(link, filepath.Join(root, moved)))
			}
		}
		return text + errText(unix.Unlink(filepath.Join(root, moved)))
	})
}

func (w *modelWorld) readlink(o modelOp) {
	w.both(o.Do, func(root string) string {
		target, err := os.Readlink(filepath.Join(root, o.P))
		return target + errText(err)
	})
}

// tmpfile writes a file without a name, and gives it one.
func (w *modelWorld) tmpfile(o modelOp) {
	w.close(o.H)
	h := &modelHandle{flags: o.Flags, epoch: w.epoch, disk: -1, mnt: -1}
	w.both("tmpfile", func(root string) string {
		fd, err := unix.Open(filepath.Join(root, o.P), o.Flags|unix.O_TMPFILE|unix.O_CLOEXEC, 0o666)
		if root == w.disk {
			h.disk = fd
		} else {
			h.mnt = fd
		}
		if err != nil {
			return errText(err)
		}
		n, err := unix.Write(fd, modelContent(o.Seed, o.N))
		linked := unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), unix.AT_FDCWD, filepath.Join(root, o.Q), unix.AT_SYMLINK_FOLLOW)
		return fmt.Sprint(n, errText(err), errText(linked))
	})
	if h.disk < 0 {
		return
	}
	var st unix.Stat_t
	w.must("fstat", unix.Fstat(h.disk, &st))
	h.ino = st.Ino
	w.known[h.ino] = attrsKnown{true, true}
	w.handles[o.H] = h
}
