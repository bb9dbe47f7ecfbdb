package fs

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// A modelHandle is a file that is open on both sides.
type modelHandle struct {
	mnt, disk int
	flags     int
	ino       uint64 // of the plain file
	epoch     int    // when it was opened
	orphan    bool   // its daemon was killed; the kernel goes on by itself
}

func (h *modelHandle) writes() bool { return h.flags&unix.O_ACCMODE != unix.O_RDONLY }

func (h *modelHandle) on(w *modelWorld, root string) int {
	if root == w.disk {
		return h.disk
	}
	return h.mnt
}

func (w *modelWorld) close(slot int) {
	h := w.handles[slot]
	if h == nil {
		return
	}
	w.handles[slot] = nil
	unix.Close(h.disk)
	if err := unix.Close(h.mnt); err != nil && !h.orphan {
		diverge("close: %v", err)
	}
}

// open opens a path on both sides into a slot.
func (w *modelWorld) open(o modelOp) {
	w.close(o.H)
	if o.Flags&unix.O_ACCMODE != unix.O_RDONLY || o.Flags&unix.O_TRUNC != 0 {
		if o.Flags&unix.O_EXCL == 0 || o.Flags&unix.O_CREAT == 0 {
			w.beforeEdit(o.P)
		}
	}
	existed := w.inode(o.P)
	h := &modelHandle{flags: o.Flags, epoch: w.epoch}
	w.both("open", func(root string) string {
		fd, err := unix.Open(filepath.Join(root, o.P), o.Flags|unix.O_CLOEXEC, 0o666)
		if root == w.disk {
			h.disk = fd
		} else {
			h.mnt = fd
		}
		return errText(err)
	})
	if h.disk < 0 {
		return
	}
	var st unix.Stat_t
	w.must("fstat", unix.Fstat(h.disk, &st))
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		unix.Close(h.disk)
		unix.Close(h.mnt)
		return
	}
	h.ino = st.Ino
	if existed == 0 {
		w.known[h.ino] = attrsKnown{true, true}
	}
	w.handles[o.H] = h
}

// onHandle does something to the handle in a slot, on both sides.
func (w *modelWorld) onHandle(o modelOp, do func(fd int) string) {
	h := w.handles[o.H]
	if h == nil {
		return
	}
	if h.orphan {
		w.onOrphan(o, h, do)
		return
	}
	w.both(o.Do, func(root string) string { return do(h.on(w, root)) })
}

// onOrphan reads or writes by a handle whose daemon was killed: either the kernel
// does it by itself, and then rightly, or it says that nobody is there.
func (w *modelWorld) onOrphan(o modelOp, h *modelHandle, do func(fd int) string) {
	if o.Do != "pread" && o.Do != "pwrite" {
		return
	}
	path := w.pathOf(h.ino)
	beside := slices.ContainsFunc(w.handles[:], func(x *modelHandle) bool { return x != nil && x.ino == h.ino && !x.orphan })
	if o.Do == "pwrite" && beside && w.config.NoPassthrough {
		return // the kernel's pages of the file belong to the new mount, which is not told
	}
	got := do(h.mnt)
	if strings.Contains(got, "ENOTCONN") {
		w.close(o.H)
		return
	}
	if want := do(h.disk); got != want {
		diverge("%s by a handle of a killed daemon: %s, want %s", o.Do, got, want)
	}
	if o.Do == "pwrite" && path != "" && !within(func() bool { return sizeOf(filepath.Join(w.mnt, path)) == sizeOf(filepath.Join(w.disk, path)) }) {
		diverge("what a handle of a killed daemon wrote to %s is not seen", path)
	}
}

// pathOf is where a plain file is now, "" if it has no name.
func (w *modelWorld) pathOf(ino uint64) string {
	for p := range w.files() {
		if w.inode(p) == ino {
			return p
		}
	}
	return ""
}

func sizeOf(path string) int64 {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return -1
	}
	return st.Size
}

func readAt(fd int, off, n int64) string {
	b := make([]byte, n)
	got := 0
	for got < int(n) {
		k, err := unix.Pread(fd, b[got:], off+int64(got))
		if err != nil {
			return errText(err)
		}
		if k == 0 {
			break
		}
		got += k
	}
	return summary(b[:got])
}

// summary tells contents apart in few characters.
func summary(b []byte) string {
	n := namesOf(b)
	return fmt.Sprintf("%d bytes %s", len(b), n.git[:8])
}

func (w *modelWorld) writeFile(o modelOp) {
	w.beforeEdit(o.P)
	existed := w.inode(o.P)
	b := modelContent(o.Seed, o.N)
	w.both("write a file", func(root string) string { return errText(os.WriteFile(filepath.Join(root, o.P), b, 0o644)) })
	if ino := w.inode(o.P); existed == 0 && ino != 0 {
		w.known[ino] = attrsKnown{true, true}
	}
}

func (w *modelWorld) truncate(o modelOp) {
	w.beforeEdit(o.P)
	full := filepath.Join(w.disk, o.P)
	before, err := os.Stat(full)
	w.both("truncate", func(root string) string { return errText(unix.Truncate(filepath.Join(root, o.P), o.N)) })
	if err == nil && before.Size() == o.N {
		// A disk leaves the time alone here, a truncation on the mount does not.
		w.forgetTime(o.P)
	}
}

func (w *modelWorld) forgetTime(p string) {
	ino := w.inode(p)
	k := w.known[ino]
	k.mtime = false
	w.known[ino] = k
}

// seekData compares what SEEK_DATA and SEEK_HOLE promise: where there is data is
// the disk's own affair.
func (w *modelWorld) seekData(o modelOp) {
	h := w.handles[o.H]
	if h == nil || h.orphan {
		return
	}
	at, err := unix.Seek(h.disk, 0, unix.SEEK_CUR)
	w.must("seek", err)
	defer w.onHandle(o, func(fd int) string {
		_, err := unix.Seek(fd, at, unix.SEEK_SET)
		return errText(err)
	})
	size, err := unix.Seek(h.disk, 0, unix.SEEK_END)
	w.must("seek", err)
	data, err := unix.Seek(h.mnt, o.Off, unix.SEEK_DATA)
	switch {
	case o.Off >= size:
		if err != unix.ENXIO {
			diverge("SEEK_DATA at %d of %d bytes: %d, %v", o.Off, size, data, err)
		}
		return
	case err == unix.ENXIO:
		data = size // a hole up to the end
	case err != nil || data < o.Off || data >= size:
		diverge("SEEK_DATA at %d of %d bytes: %d, %v", o.Off, size, data, err)
	}
	if h.flags&unix.O_ACCMODE != unix.O_WRONLY {
		b := make([]byte, data-o.Off)
		if _, err := unix.Pread(h.disk, b, o.Off); err != nil || len(bytes.Trim(b, "\x00")) > 0 {
			diverge("SEEK_DATA leaves out data from %d on, %v", o.Off, err)
		}
	}
	hole, err := unix.Seek(h.mnt, o.Off, unix.SEEK_HOLE)
	if err != nil || hole < o.Off || hole > size {
		diverge("SEEK_HOLE at %d of %d bytes: %d, %v", o.Off, size, hole, err)
	}
}

// fallocate knows the modes that FUSE has.
func (w *modelWorld) fallocate(o modelOp) {
	if o.Flags&unix.FALLOC_FL_COLLAPSE_RANGE != 0 {
		h := w.handles[o.H]
		if h == nil || h.orphan || !h.writes() {
			return
		}
		if err := unix.Fallocate(h.mnt, uint32(o.Flags), 0, 4096); err != unix.EOPNOTSUPP {
			diverge("fallocate with COLLAPSE_RANGE: %v", err)
		}
		return
	}
	w.onHandle(o, func(fd int) string { return errText(unix.Fallocate(fd, uint32(o.Flags), o.Off, o.N)) })
}

func (w *modelWorld) copyRange(o modelOp) {
	from, to := w.handles[o.H], w.handles[o.G]
	if from == nil || to == nil || from.orphan || to.orphan {
		return
	}
	w.both("copy_file_range", func(root string) string {
		in, out, done := o.Off, int64(o.Seed), 0
		for done < int(o.N) {
			n, err := unix.CopyFileRange(from.on(w, root), &in, to.on(w, root), &out, int(o.N)-done, 0)
			if err != nil {
				return errText(err)
			}
			if n == 0 {
				break
			}
			done += n
		}
		return fmt.Sprint(done)
	})
}

// lock lets two handles contend, and lets go again. That a lock is of the file
// that was opened is seen when a commit or an edit came between the two.
func (w *modelWorld) lock(o modelOp) {
	a, b := w.handles[o.H], w.handles[o.G]
	if a == nil || b == nil || a == b || a.orphan || b.orphan || a.epoch != b.epoch || a.epoch != w.epoch || w.running != nil {
		return
	}
	how := func(bit int) int {
		if o.Flags&bit != 0 {
			return unix.LOCK_EX
		}
		return unix.LOCK_SH
	}
	if o.Flags&4 == 0 {
		w.both("flock", func(root string) string {
			fa, fb := a.on(w, root), b.on(w, root)
			first := unix.Flock(fa, how(1)|unix.LOCK_NB)
			second := unix.Flock(fb, how(2)|unix.LOCK_NB)
			return fmt.Sprint(errText(first), errText(second), errText(unix.Flock(fa, unix.LOCK_UN)), errText(unix.Flock(fb, unix.LOCK_UN)))
		})
		return
	}
	record := func(fd int, kind int16) error {
		return unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, &unix.Flock_t{Type: kind, Start: 10, Len: 10})
	}
	kind := func(bit int) int16 {
		if o.Flags&bit != 0 {
			return unix.F_WRLCK
		}
		return unix.F_RDLCK
	}
	w.both("fcntl lock", func(root string) string {
		fa, fb := a.on(w, root), b.on(w, root)
		first, second := record(fa, kind(1)), record(fb, kind(2))
		return fmt.Sprint(errText(first), errText(second), errText(record(fa, unix.F_UNLCK)), errText(record(fb, unix.F_UNLCK)))
	})
}

// fstat compares what an open file says of itself.
func (w *modelWorld) fstat(o modelOp) {
	h := w.handles[o.H]
	if h == nil || h.orphan {
		return
	}
	var want, got unix.Stat_t
	w.must("fstat", unix.Fstat(h.disk, &want))
	if err := unix.Fstat(h.mnt, &got); err != nil {
		diverge("fstat: %v", err)
	}
	w.sameStat(fmt.Sprintf("handle %d", o.H), want, got)
	// A file that a commit or an edit has taken the name from: the kernel does not
	// know whether its name is still there.
	if h.epoch == w.epoch && w.running == nil && !w.detached[h.ino] && want.Nlink != got.Nlink {
		diverge("handle %d: %d links, want %d", o.H, got.Nlink, want.Nlink)
	}
}

// A modelMap is a file mapped on both sides. It outlives its handle.
type modelMap struct {
	mnt, disk []byte
	ino       uint64
	shared    bool // and writable
	size      int64
}

func (w *modelWorld) mmap(o modelOp) {
	h := w.handles[o.H]
	if h == nil || h.orphan || len(w.maps) >= 3 || h.flags&unix.O_ACCMODE == unix.O_WRONLY {
		return
	}
	var st unix.Stat_t
	w.must("fstat", unix.Fstat(h.disk, &st))
	if st.Size == 0 {
		return
	}
	prot := unix.PROT_READ
	if h.writes() {
		prot |= unix.PROT_WRITE
	} else {
		// A page fault that waits for the Hub, which is in this process, could
		// hold up what it waits for.
		readAt(h.mnt, 0, st.Size)
	}
	m := &modelMap{ino: h.ino, shared: h.writes(), size: st.Size}
	var err error
	if m.disk, err = unix.Mmap(h.disk, 0, int(st.Size), prot, unix.MAP_SHARED); err != nil {
		diverge("mmap of the plain file: %v", err)
	}
	if m.mnt, err = unix.Mmap(h.mnt, 0, int(st.Size), prot, unix.MAP_SHARED); err != nil {
		unix.Munmap(m.disk)
		diverge("mmap: %v", err)
	}
	if m.shared {
		w.known[h.ino] = attrsKnown{mode: w.known[h.ino].mode} // stores change the time when they like
	}
	w.maps = append(w.maps, m)
}

func (m *modelMap) unmap() {
	unix.Munmap(m.disk)
	unix.Munmap(m.mnt)
}

func (w *modelWorld) unmapAll() {
	for _, m := range w.maps {
		m.unmap()
	}
	w.maps = nil
}

// mapped is a map that can be used: a file that was made shorter than its map
// gives SIGBUS.
func (w *modelWorld) mapped(o modelOp) *modelMap {
	if len(w.maps) == 0 {
		return nil
	}
	return w.maps[o.H%len(w.maps)]
}

// beforeShorter takes away the maps of a file that is going to be truncated.
func (w *modelWorld) beforeShorter(ino uint64) {
	w.maps = slices.DeleteFunc(w.maps, func(m *modelMap) bool {
		if m.ino == ino && ino != 0 {
			m.unmap()
			return true
		}
		return false
	})
}

func (w *modelWorld) mstore(o modelOp) {
	m := w.mapped(o)
	if m == nil {
		return
	}
	off := o.Off % m.size
	n := min(o.N, m.size-off)
	if m.shared {
		b := modelContent(o.Seed, n)
		copy(m.disk[off:], b)
		copy(m.mnt[off:], b)
	}
	if got, want := summary(m.mnt), summary(m.disk); got != want {
		diverge("a map reads %s, want %s", got, want)
	}
}

func (w *modelWorld) msync(o modelOp) {
	if m := w.mapped(o); m != nil && m.shared {
		w.must("msync", unix.Msync(m.mnt, unix.MS_SYNC))
	}
}

func (w *modelWorld) munmap(o modelOp) {
	if m := w.mapped(o); m != nil {
		m.unmap()
		w.maps = slices.DeleteFunc(w.maps, func(x *modelMap) bool { return x == m })
	}
}
