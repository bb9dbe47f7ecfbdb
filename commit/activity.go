package commit

import (
	"cmp"
	"encoding/binary"
	"hash/maphash"
	"slices"
)

// An Activity stands for all that is staged at one moment: two that are equal
// say that nothing was done in between, by an operation on names or by a write,
// also one that only the kernel saw. They compare within one process.
type Activity struct {
	journal int64
	lines   int
	files   uint64
}

var activitySeed = maphash.MakeSeed()

// Activity looks at each staged file, but asks nobody whether it is open.
func (w *Worktree) Activity() (a Activity) {
	w.mu.RLock()
	st := w.st
	files := make([]*File, 0, len(w.files))
	for _, f := range w.files {
		files = append(files, f)
	}
	w.mu.RUnlock()
	if st == nil || st.journal == nil {
		return a
	}
	st.journal.mu.Lock()
	a.journal, a.lines = st.journal.size, st.journal.lines
	st.journal.mu.Unlock()
	slices.SortFunc(files, func(x, y *File) int { return cmp.Compare(x.seq, y.seq) })
	var h maphash.Hash
	h.SetSeed(activitySeed)
	for _, f := range files {
		f.mu.Lock()
		place := f.place
		f.mu.Unlock()
		if place != inStaging {
			continue
		}
		fi, err := st.disk.lstat(f.name())
		if err != nil {
			continue
		}
		var b [32]byte
		binary.NativeEndian.PutUint64(b[:], f.seq)
		binary.NativeEndian.PutUint64(b[8:], uint64(fi.Size()))
		binary.NativeEndian.PutUint64(b[16:], uint64(fi.ModTime().UnixNano()))
		// A program may set the time of change of content back, not this one.
		binary.NativeEndian.PutUint64(b[24:], uint64(changeTime(fi).UnixNano()))
		h.Write(b[:])
	}
	a.files = h.Sum64()
	return a
}
