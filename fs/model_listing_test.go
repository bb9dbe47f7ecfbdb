package fs

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// A modelListing is a directory of the mount that is read while it changes, and
// the plain one beside it.
type modelListing struct {
	mnt, disk int
	always    map[string]bool // names that were there from the beginning
	ever      map[string]bool // names that have been there at some time
	seen      map[string]bool
	places    []direntAt
}

func (l *modelListing) close() {
	if l != nil {
		unix.Close(l.mnt)
		unix.Close(l.disk)
	}
}

// names are those of the plain directory, wherever it is now.
func (l *modelListing) names() map[string]bool {
	out := map[string]bool{}
	list, _ := os.ReadDir(fmt.Sprintf("/proc/self/fd/%d", l.disk))
	for _, e := range list {
		out[e.Name()] = true
	}
	return out
}

// look is called when names may have changed.
func (l *modelListing) look() {
	if l == nil {
		return
	}
	now := l.names()
	maps.Copy(l.ever, now)
	maps.DeleteFunc(l.always, func(name string, _ bool) bool { return !now[name] })
}

func (l *modelListing) removed() bool {
	var st unix.Stat_t
	return unix.Fstat(l.disk, &st) != nil || st.Nlink == 0
}

// dirStep opens a directory, or reads a piece of the one that is open. What was
// there all the time has to be found just once, and nothing that never was.
func (w *modelWorld) dirStep(o modelOp) {
	l := w.listing
	if l == nil {
		l = &modelListing{seen: map[string]bool{}}
		w.both("open directory", func(root string) string {
			fd, err := unix.Open(filepath.Join(root, o.P), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
			if root == w.disk {
				l.disk = fd
			} else {
				l.mnt = fd
			}
			return errText(err)
		})
		if l.disk >= 0 {
			l.always = l.names()
			l.ever = maps.Clone(l.always)
			w.listing = l
		}
		return
	}
	if o.Flags == 0 && len(l.places) > 0 {
		l.back()
		return
	}
	b := make([]byte, 80)
	n, err := unix.Getdents(l.mnt, b)
	if err == unix.ENOENT && l.removed() {
		n = 0
	} else if err != nil {
		diverge("getdents: %v", err)
	}
	for _, e := range parseDirents(b[:n]) {
		switch {
		case e.name == ".", e.name == "..", e.name == ".gitattributes", e.name == theirDir:
			continue
		case l.seen[e.name] && l.always[e.name]:
			diverge("%q is listed twice", e.name)
		case !l.ever[e.name]:
			diverge("%q is listed, which was never there", e.name)
		}
		l.seen[e.name] = true
		l.places = append(l.places, e)
	}
	if n > 0 {
		return
	}
	for name := range l.always {
		if !l.seen[name] && name != theirDir && !l.removed() {
			diverge("%q was there all the time and is not listed: %v", name, slices.Sorted(maps.Keys(l.seen)))
		}
	}
	l.close()
	w.listing = nil
}

// back goes to a place that was passed, to read on from there.
func (l *modelListing) back() {
	i := len(l.places) / 2
	if _, err := unix.Seek(l.mnt, l.places[i].off, 0); err != nil {
		diverge("seekdir: %v", err)
	}
	for _, p := range l.places[i+1:] {
		delete(l.seen, p.name)
	}
	l.places = l.places[:i+1]
}

// parseDirents are the entries of an answer of getdents64(2).
func parseDirents(b []byte) (out []direntAt) {
	for len(b) > 0 {
		reclen := int(binary.NativeEndian.Uint16(b[16:]))
		name, _, _ := bytes.Cut(b[19:reclen], []byte{0})
		out = append(out, direntAt{string(name), int64(binary.NativeEndian.Uint64(b[8:]))})
		b = b[reclen:]
	}
	return out
}
