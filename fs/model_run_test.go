package fs

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// run does the steps one by one, and stops with the first difference: it is
// that of step n.
func (w *modelWorld) run(ops []modelOp, each func()) (n int, err error) {
	defer func() {
		if r := recover(); r != nil {
			d, ok := r.(divergence)
			if !ok {
				panic(r)
			}
			err = fmt.Errorf("step %d, %v: %s", n, ops[min(n, len(ops)-1)], d.text)
			if w.hung.Load() {
				err = fmt.Errorf("%w (it hung)", err)
			}
		}
	}()
	for ; n < len(ops); n++ {
		w.steps.Add(1)
		if os.Getenv("HUBFS_MODEL_LOG") != "" {
			fmt.Fprintln(os.Stderr, n, ops[n])
		}
		w.do(ops[n])
		w.count.ops++
		if w.running != nil {
			w.running.note(w)
		}
		each()
	}
	n = len(ops) - 1
	w.steps.Add(1)
	w.syncEnd()
	w.check()
	return n, nil
}

func (w *modelWorld) do(o modelOp) {
	path := func(root string) string { return filepath.Join(root, o.P) }
	defer func() { w.listing.look() }()
	switch o.Do {
	case "mount":
		w.mount()
	case "open":
		if o.Flags&unix.O_TRUNC != 0 {
			w.beforeShorter(w.inode(o.P))
		}
		w.open(o)
	case "close":
		w.close(o.H)
	case "pread":
		w.onHandle(o, func(fd int) string { return readAt(fd, o.Off, o.N) })
	case "pwrite":
		w.onHandle(o, func(fd int) string {
			n, err := unix.Pwrite(fd, modelContent(o.Seed, o.N), o.Off)
			return fmt.Sprint(n, errText(err))
		})
	case "write":
		w.onHandle(o, func(fd int) string {
			n, err := unix.Write(fd, modelContent(o.Seed, o.N))
			end, err2 := unix.Seek(fd, 0, 1)
			return fmt.Sprint(n, errText(err), end, errText(err2))
		})
	case "ftruncate":
		if h := w.handles[o.H]; h != nil {
			w.beforeShorter(h.ino)
		}
		w.onHandle(o, func(fd int) string { return errText(unix.Ftruncate(fd, o.N)) })
	case "truncate":
		w.beforeShorter(w.inode(o.P))
		w.truncate(o)
	case "fsync":
		w.onHandle(o, func(fd int) string { return errText(unix.Fsync(fd)) })
	case "fsyncdir":
		w.both(o.Do, func(root string) string {
			fd, err := unix.Open(path(root), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
			if err != nil {
				return errText(err)
			}
			defer unix.Close(fd)
			return errText(unix.Fsync(fd))
		})
	case "fstat":
		w.fstat(o)
	case "stat":
		w.stat(o.P)
	case "unlink":
		w.both(o.Do, func(root string) string { return errText(unix.Unlink(path(root))) })
	case "mkdir":
		w.both(o.Do, func(root string) string { return errText(unix.Mkdir(path(root), 0o777)) })
	case "rmdir":
		w.both(o.Do, func(root string) string { return errText(unix.Rmdir(path(root))) })
	case "rename":
		w.both(o.Do, func(root string) string {
			return errText(unix.Renameat2(unix.AT_FDCWD, path(root), unix.AT_FDCWD, filepath.Join(root, o.Q), uint(o.Flags)))
		})
	case "readfile":
		w.both(o.Do, func(root string) string {
			b, err := os.ReadFile(path(root))
			return errText(err) + " " + summary(b)
		})
	case "writefile":
		w.beforeShorter(w.inode(o.P))
		w.writeFile(o)
	case "readdir":
		w.both(o.Do, func(root string) string { return listing(path(root)) })
	case "dirstep":
		w.dirStep(o)
	case "chmod", "utimens":
		w.setAttr(o)
	case "mmap":
		w.mmap(o)
	case "mstore":
		w.mstore(o)
	case "msync":
		w.msync(o)
	case "munmap":
		w.munmap(o)
	case "fallocate":
		w.fallocate(o)
	case "copyrange":
		w.copyRange(o)
	case "seekdata":
		w.seekData(o)
	case "lock":
		w.lock(o)
	case "link":
		w.link(o)
	case "symlink":
		w.symlink(o)
	case "readlink":
		w.readlink(o)
	case "tmpfile":
		w.tmpfile(o)
	case "badname":
		bad := badNames[o.Flags%len(badNames)]
		fd, err := unix.Open(filepath.Join(w.mnt, bad.name), unix.O_CREAT|unix.O_WRONLY, 0o644)
		if err != bad.want {
			unix.Close(fd)
			diverge("create %.20q: %v, want %v", bad.name, err, bad.want)
		}
	case "check":
		w.check()
	case "theirs":
		w.theirCommit(o)
	case "sync":
		w.syncEnd()
		w.sync(o)
	case "sync begin":
		w.syncEnd()
		w.syncBegin(o)
	case "kill":
		w.kill(o)
	case "restart":
		w.restart(o)
	case "drop":
		w.count.drops++
		w.must("remount", unix.Mount("", w.mnt, "", unix.MS_REMOUNT|unix.MS_NOSUID|unix.MS_NODEV, "")) // drops the names that the kernel knows
	default:
		panic("no such step: " + o.Do)
	}
}

// listing is a directory's names with their types.
func listing(dir string) string {
	list, err := os.ReadDir(dir)
	var out []string
	for _, e := range list {
		if e.Name() != ".gitattributes" && e.Name() != theirDir {
			out = append(out, e.Name()+"/"+e.Type().String())
		}
	}
	return errText(err) + " " + strings.Join(out, " ")
}

// markedTimes are how many different times utimens sets: all of them long ago.
const (
	markedTimes = 1000
	markedFrom  = 1_000_000_000
)

func marked(t unix.Timespec) bool { return t.Sec >= markedFrom && t.Sec < markedFrom+markedTimes }

// setAttr changes mode or times. Of committed files they are kept as long as
// the kernel remembers the file, so they are looked at just afterwards only.
func (w *modelWorld) setAttr(o modelOp) {
	ino := w.inode(o.P)
	w.both(o.Do, func(root string) string {
		if o.Do == "chmod" {
			return errText(unix.Chmod(filepath.Join(root, o.P), uint32(o.Flags)))
		}
		t := unix.Timespec{Sec: markedFrom + o.N, Nsec: 7}
		return errText(unix.UtimesNanoAt(unix.AT_FDCWD, filepath.Join(root, o.P), []unix.Timespec{t, t}, 0))
	})
	if ino == 0 {
		return
	}
	var want, got unix.Stat_t
	w.must("stat", unix.Stat(filepath.Join(w.disk, o.P), &want))
	w.must("stat on the mount", unix.Stat(filepath.Join(w.mnt, o.P), &got))
	k := w.known[ino]
	staged := false
	if w.running == nil && !w.unsettled {
		info, err := w.daemon.info(o.P)
		w.must("info "+o.P, err)
		staged = info.Staged
	}
	mapped := slices.ContainsFunc(w.maps, func(m *modelMap) bool { return m.ino == ino })
	if o.Do == "chmod" {
		if want.Mode != got.Mode && w.running == nil {
			diverge("mode %o after chmod, want %o", got.Mode, want.Mode)
		}
		k.mode = staged
	} else {
		// During a commit the file may be renamed and have its times set between the
		// commit's end and the kernel's learning of it: then they are lost.
		if want.Mtim != got.Mtim && !mapped && w.running == nil {
			diverge("mtime %v after utimens, want %v", got.Mtim, want.Mtim)
		}
		k.mtime = staged && !mapped
	}
	w.known[ino] = k
}

func (w *modelWorld) stat(p string) {
	var want, got unix.Stat_t
	err := unix.Lstat(filepath.Join(w.disk, p), &want)
	err2 := unix.Lstat(filepath.Join(w.mnt, p), &got)
	if err != err2 {
		diverge("stat %s: %v, want %v", p, err2, err)
	}
	if err != nil {
		return
	}
	w.sameStat(p, want, got)
	if got.Nlink != 1 {
		diverge("stat %s: %d links", p, got.Nlink)
	}
}

// sameStat compares what is the same on the mount. Directories have no size
// there, and times of their own.
func (w *modelWorld) sameStat(what string, want, got unix.Stat_t) {
	if want.Mode&unix.S_IFMT != got.Mode&unix.S_IFMT {
		diverge("%s: type %o, want %o", what, got.Mode, want.Mode)
	}
	if want.Mode&unix.S_IFMT == unix.S_IFDIR {
		return
	}
	if want.Size != got.Size {
		diverge("%s: size %d, want %d", what, got.Size, want.Size)
	}
	k := w.known[want.Ino]
	if k.mode && want.Mode != got.Mode {
		diverge("%s: mode %o, want %o", what, got.Mode, want.Mode)
	}
	if k.mtime && (marked(want.Mtim) || marked(got.Mtim)) && want.Mtim != got.Mtim {
		diverge("%s: mtime %v, want %v", what, got.Mtim, want.Mtim)
	}
}
