package commit

import (
	"errors"
	"os"
)

// freeze shuts out new writers and reports whether there are none left; if
// there are, the file is as before. A frozen file stays so until thaw.
//
// The question is asked under mu: a file that is busy must never be seen frozen,
// or a second writer would be given a copy, and what the first one goes on
// writing would belong to no name.
func (f *File) freeze() (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.place != inStaging || f.isAwaited() {
		return false, nil
	}
	g, err := f.st.disk.open(f.name(), os.O_RDONLY)
	if err != nil {
		return false, err
	}
	defer g.Close()
	quiet, err := f.st.quiet(g)
	if err != nil || !quiet {
		return false, err
	}
	f.holds++
	return true, nil
}

// quiet reports whether nothing can write the file.
func (st *state) quiet(g *os.File) (bool, error) {
	ask := unwritten
	if st.noLease != nil {
		ask = st.noLease
	}
	ok, err := ask(g)
	if errors.Is(err, errNoLease) {
		st.leaseless.Store(true)
		n, err := ownDescriptors(g)
		return n == 0, err
	}
	return ok, err
}

// hold freezes without asking: for files that a commit had before.
func (f *File) hold() {
	f.mu.Lock()
	f.holds++
	f.mu.Unlock()
}

// thaw takes back one freeze or hold.
func (f *File) thaw() {
	f.mu.Lock()
	f.holds--
	drop := f.holds == 0 && f.unlinked && f.place == inStaging
	f.mu.Unlock()
	if drop {
		f.st.discard(f)
	}
}

// look says how large the file is and whether something may be writing it.
func (f *File) look() (size int64, busy bool) {
	f.mu.Lock()
	if f.place != inStaging {
		if f.final != nil {
			size = f.final.Size()
		}
		f.mu.Unlock()
		return size, false
	}
	frozen, awaited := f.holds > 0, f.isAwaited()
	g, err := f.st.disk.open(f.name(), os.O_RDONLY)
	f.mu.Unlock()
	if err != nil {
		return 0, false
	}
	defer g.Close()
	if st, err := g.Stat(); err == nil {
		size = st.Size()
	}
	if frozen || awaited {
		return size, awaited
	}
	quiet, err := f.st.quiet(g)
	return size, err == nil && !quiet
}

// leases reports whether the staging file system has them, found out with the
// first file that was asked about.
func (st *state) leases() bool { return !st.leaseless.Load() }
