package commit

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// Tmpfile stages an empty file that has no name, as O_TMPFILE makes it. It is
// gone when nothing has it open any more, g (O_RDWR) included, unless Link has
// named it. A crash takes it.
func (d *Dir) Tmpfile(ctx context.Context, perm fs.FileMode) (f *File, g *os.File, err error) {
	w := d.w
	if err := w.Writable(ctx); err != nil {
		return nil, nil, err
	}
	w.mu.RLock()
	st, dead := w.st, d.dead
	w.mu.RUnlock()
	if dead {
		return nil, nil, opError("tmpfile", d, "", fs.ErrNotExist)
	}
	seq, g, err := st.newFile()
	if err != nil {
		return nil, nil, opError("tmpfile", d, "", err)
	}
	f = w.newFile(st, seq, perm)
	f.unlinked, f.nameless = true, true
	st.mu.Lock()
	st.trash[seq] = f
	st.mu.Unlock()
	return f, g, nil
}

// Link names a file that Tmpfile has made and that never had a name. EPERM for
// any other: Git knows no hard links. fs.ErrExist if the name is there.
func (d *Dir) Link(ctx context.Context, name string, f *File) error {
	if err := checkName(d.Path(), name); err != nil {
		return err
	}
	if f.w != d.w {
		return opError("link", d, name, syscall.EXDEV)
	}
	if err := d.w.Writable(ctx); err != nil {
		return err
	}
	for {
		s, err := d.look(ctx, name)
		if err == nil && s.exists() {
			err = fs.ErrExist
		}
		ok := false
		if err == nil {
			ok, err = f.christen(&s)
		}
		switch {
		case err != nil:
			return opError("link", d, name, err)
		case ok:
			return nil
		}
	}
}

// christen takes the file out of the trash and names it; what fails leaves it
// there.
func (f *File) christen(s *slot) (bool, error) {
	f.mu.Lock()
	switch {
	case !f.nameless:
		f.mu.Unlock()
		return false, syscall.EPERM
	case f.place != inStaging:
		f.mu.Unlock()
		return false, fmt.Errorf("file %d: %w", f.seq, fs.ErrNotExist)
	}
	f.nameless, f.unlinked = false, false // so that no sweep takes it, and no second Link
	f.mu.Unlock()
	ok, err := f.w.name(f, s)
	if ok {
		f.st.mu.Lock()
		delete(f.st.trash, f.seq)
		f.st.mu.Unlock()
		return true, err
	}
	f.mu.Lock()
	f.nameless, f.unlinked = true, true
	f.mu.Unlock()
	return false, err
}
