package commit

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// A seam is where tests come between this package and the disk. Every effect
// on the state directory goes through one: it can be made to fail, be the last,
// or be recorded.
type seam struct {
	// hook is called before an effect, which an error keeps from happening.
	hook func(op, name string) error
	// around is called in the place of an effect, which do has; it also sees
	// syncs, since what they do not cover a power cut may take.
	around func(e effect, do func() error) error
}

// An effect is one change of what the disk has, or a sync of it.
type effect struct {
	op   string
	name string   // for hook: relative to the worktree's directory
	path string   // absolute; "" if the effect is on file
	to   string   // of a rename, absolute
	file *os.File // that is written, truncated or synced; a directory is synced by it too
	from *os.File // of a clone
	off  int64    // of a write, -1 = at the end; size of a truncate
	data []byte   // of a write
}

// Kinds of effects.
const (
	effMkdir    = "mkdir"
	effCreate   = "create"
	effWrite    = "write"
	effClone    = "clone"
	effTruncate = "truncate"
	effChtimes  = "chtimes"
	effSync     = "sync"
	effRename   = "rename"
	effRemove   = "remove"
)

func (s *seam) do(e effect, do func() error) error {
	if s.hook != nil {
		if err := s.hook(e.op, e.name); err != nil {
			return &fs.PathError{Op: e.op, Path: e.name, Err: err}
		}
	}
	if s.around != nil {
		return s.around(e, do)
	}
	return do()
}

// The rest is what happens beside the worktrees' own directories.

// mkdirAll makes a directory and those it is in, durably: a directory that a
// power cut takes has everything in it.
func (s *seam) mkdirAll(path string) error {
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		return nil
	}
	parent := filepath.Dir(path)
	if parent != path {
		if err := s.mkdirAll(parent); err != nil {
			return err
		}
	}
	if err := s.mkdirAt(path); err != nil {
		return err
	}
	return s.syncDirAt(parent)
}

// mkdirAt makes one directory; one that is there is no error.
func (s *seam) mkdirAt(path string) error {
	return s.do(effect{op: effMkdir, name: filepath.Base(path), path: path}, func() error {
		if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		return nil
	})
}

func (s *seam) syncDirAt(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrPermission) {
		return nil // one that may be written and not read; nobody can sync it
	}
	if err != nil {
		return err
	}
	defer f.Close()
	return s.syncFile(f)
}

func (s *seam) syncFile(f *os.File) error {
	return s.do(effect{op: effSync, name: filepath.Base(f.Name()), file: f}, f.Sync)
}

func (s *seam) renameAt(from, to string) error {
	return s.do(effect{op: effRename, name: filepath.Base(to), path: from, to: to}, func() error { return os.Rename(from, to) })
}

func (s *seam) removeAt(path string) error {
	return s.do(effect{op: effRemove, name: filepath.Base(path), path: path}, func() error { return os.Remove(path) })
}
