package commit

import (
	"errors"
	"io/fs"
	"os"
)

// discard takes away the content of a file that no name leads to, as soon as
// nothing has it open any more: until then it can be opened again through
// whatever has it. A file that is still open waits in the trash for the next
// sweep.
//
// The name of a file that was ever synced may be there after a power cut until
// the record that took it is durable too: then the bytes have to be there as
// well. So these are kept until a sync of the journal, which bury makes.
func (st *state) discard(f *File) {
	f.mu.Lock()
	f.unlinked = true
	at := f.at
	f.mu.Unlock()
	if st.journal != nil {
		if named, all := st.journal.durable(at); named && !all {
			st.mu.Lock()
			defer st.mu.Unlock()
			st.doomed = append(st.doomed, f)
			if !st.burying {
				st.burying = true
				st.buriers.Go(st.bury)
			}
			return
		}
	}
	st.drop(f)
}

// bury drops files that wait for the journal, many with one sync.
func (st *state) bury() {
	for {
		st.mu.Lock()
		files := st.doomed
		st.doomed = nil
		if len(files) == 0 {
			st.burying = false
			st.mu.Unlock()
			return
		}
		st.mu.Unlock()
		// After an error they stay for the next process, which finds what they are.
		if st.journal.sync() == nil {
			for _, f := range files {
				st.drop(f)
			}
		}
	}
}

func (st *state) drop(f *File) {
	if !f.remove(false) {
		st.mu.Lock()
		st.trash[f.seq] = f
		st.mu.Unlock()
	}
}

// Closed says that a descriptor of the file was closed. If no name leads to it
// any more and that was the last one, its bytes are gone and their room is free
// when Closed returns.
func (f *File) Closed() {
	f.st.mu.Lock()
	_, unlinked := f.st.trash[f.seq]
	f.st.mu.Unlock()
	if unlinked && f.remove(false) {
		f.st.mu.Lock()
		delete(f.st.trash, f.seq)
		f.st.mu.Unlock()
	}
}

// remove reports whether the content is gone or not ours to take.
func (f *File) remove(force bool) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.place != inStaging || !f.unlinked {
		return true // it has been named meanwhile
	}
	if f.holds > 0 {
		return true // thaw comes here again
	}
	g, err := f.st.disk.open(f.name(), os.O_RDONLY)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	free, err := unopened(g)
	g.Close()
	if !force && (err != nil || !free) {
		return false
	}
	final, err := f.st.disk.lstat(f.name())
	if err != nil {
		return false
	}
	if err := f.st.disk.remove(f.name()); err != nil {
		return false
	}
	f.place, f.final, f.sum = nowhere, final, nil
	return true
}

// sweep looks at up to n files of the trash again; all of them if n < 0, and
// then whether they are open or not: descriptors keep what they have.
func (st *state) sweep(n int) {
	force := n < 0
	st.mu.Lock()
	var files []*File
	for _, f := range st.trash {
		if n == 0 {
			break
		}
		n--
		files = append(files, f)
	}
	st.mu.Unlock()
	for _, f := range files {
		if f.remove(force) {
			st.mu.Lock()
			delete(st.trash, f.seq)
			st.mu.Unlock()
		}
	}
}
