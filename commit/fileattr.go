package commit

import (
	"io/fs"
	"time"
)

// Chmod changes the permission bits. They are kept until the file is
// forgotten, and in no commit.
func (f *File) Chmod(mode fs.FileMode) error {
	w := f.w
	w.mu.Lock()
	defer w.mu.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	// Only of a file with a name: the journal may not know the others any more.
	if w.files[f.seq] == f && !w.closed {
		if err := w.append(record{Op: opMode, S: f.seq, M: uint32(mode.Perm())}); err != nil {
			return err
		}
	}
	f.mode = mode.Perm()
	f.keepAttr(func(a *Attr) { a.Mode = f.mode })
	return nil
}

// keepAttr changes what a committed file is shown with under its name. Under
// Worktree.mu and mu.
func (f *File) keepAttr(set func(*Attr)) {
	if f.retired == nil {
		return
	}
	d, name := f.retired.dir, f.retired.name
	if k, ok := d.kept[name]; ok && k.blob == f.blob.ID {
		set(&k.attr)
		d.kept[name] = k
	}
	if k := d.kids[name]; k != nil && k.ref != nil && k.ref.entry.Blob.ID == f.blob.ID {
		d.kids[name] = k.withAttr(set)
	}
}

// Chtimes sets the times; a zero time leaves that one as it is. Of a file that
// was committed meanwhile the time of last change is kept beside it. ErrFrozen
// if it is gone.
func (f *File) Chtimes(atime, mtime time.Time) error {
	f.w.mu.Lock()
	defer f.w.mu.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.retired != nil && f.final != nil:
		if !mtime.IsZero() {
			f.final = timed{f.final, mtime}
			f.keepAttr(func(a *Attr) { a.Mtime = mtime })
		}
		return nil
	case f.place != inStaging:
		return ErrFrozen
	}
	err := f.st.disk.chtimes(f.name(), atime, mtime)
	if err == nil && f.final != nil { // a commit has looked at it already
		if st, err := f.st.disk.lstat(f.name()); err == nil {
			f.final = st
		}
	}
	return err
}

// timed is a file's description with another time of last change.
type timed struct {
	fs.FileInfo
	mtime time.Time
}

func (t timed) ModTime() time.Time { return t.mtime }
