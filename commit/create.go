package commit

import (
	"context"
	"fmt"
	"io/fs"
	"math"
	"os"
	"syscall"
	"time"
)

func (w *Worktree) newFile(st *state, seq uint64, mode fs.FileMode) *File {
	return &File{w: w, st: st, seq: seq, mode: mode.Perm(), at: math.MaxInt64}
}

// opError names the operation and the path once, at this package's boundary.
func opError(op string, d *Dir, name string, err error) error {
	return &fs.PathError{Op: op, Path: join(d.Path(), name), Err: err}
}

// Create stages a new empty file. If the name exists already, that is
// fs.ErrExist with excl; without, the file it means is given as Edit gives it.
func (d *Dir) Create(ctx context.Context, name string, perm fs.FileMode, excl bool) (*File, error) {
	f, g, err := d.create(ctx, name, perm, excl, true)
	if g != nil {
		err = g.Close()
	}
	return f, err
}

// CreateOpen is Create with excl, then File.Open(os.O_RDWR) without looking the
// file up again.
func (d *Dir) CreateOpen(ctx context.Context, name string, perm fs.FileMode) (*File, *os.File, error) {
	return d.create(ctx, name, perm, true, false)
}

// create gives a new file with its descriptor. A commit finds the file busy as
// long as that is open; await is for a caller that closes it.
func (d *Dir) create(ctx context.Context, name string, perm fs.FileMode, excl, await bool) (*File, *os.File, error) {
	if err := checkName(d.Path(), name); err != nil {
		return nil, nil, err
	}
	w := d.w
	if err := w.Writable(ctx); err != nil {
		return nil, nil, err
	}
	fail := func(err error) (*File, *os.File, error) { return nil, nil, opError("create", d, name, err) }
	s, err := d.look(ctx, name)
	if err != nil {
		return fail(err)
	}
	for {
		if s.exists() {
			switch {
			case excl:
				return fail(fs.ErrExist)
			case s.dir() != nil:
				return fail(syscall.EISDIR)
			}
			f, err := d.Edit(ctx, name, false)
			return f, nil, err
		}
		f, g, err := w.freshOpen(perm)
		if err != nil {
			return fail(err)
		}
		if await {
			f.await()
		}
		ok, err := w.name(f, &s)
		if ok {
			return f, g, nil
		}
		f.st.discard(f)
		g.Close()
		if err != nil {
			return fail(err)
		}
		if s, err = d.look(ctx, name); err != nil {
			return fail(err)
		}
	}
}

// freshOpen makes a staged file without a name, open for reading and writing.
func (w *Worktree) freshOpen(perm fs.FileMode) (*File, *os.File, error) {
	w.mu.RLock()
	st := w.st
	w.mu.RUnlock()
	if st == nil {
		return nil, nil, errDropped
	}
	seq, g, err := st.newFile()
	if err != nil {
		return nil, nil, err
	}
	return w.newFile(st, seq, perm), g, nil
}

// fresh makes a staged file without a name.
func (w *Worktree) fresh(perm fs.FileMode) (*File, error) {
	f, g, err := w.freshOpen(perm)
	if err != nil {
		return nil, err
	}
	return f, g.Close()
}

// name gives a file the name of a slot, if that is still valid.
func (w *Worktree) name(f *File, s *slot) (bool, error) {
	w.mu.Lock()
	defer w.unlock()
	if w.closed {
		return false, fs.ErrClosed
	}
	if w.st != f.st {
		return false, errDropped
	}
	if !s.valid() {
		return false, nil
	}
	r := record{Op: opPut, P: join(s.d.path(), s.name), S: f.seq, M: uint32(f.mode)}
	if err := w.append(r); err != nil {
		return false, err
	}
	f.mu.Lock()
	f.at = w.st.journal.now()
	f.mu.Unlock()
	w.files[f.seq] = f
	err := w.must(w.apply(r))
	w.compact()
	return true, err
}

// compactAfter is how many records a journal has at least when it is
// rewritten while it is used.
var compactAfter = 10_000 // tests: fewer

// compact rewrites a journal that has become much longer than what it says,
// so that programs that make and remove files all day do not fill the disk.
func (w *Worktree) compact() {
	n := w.st.journal.length()
	if n < compactAfter || n < 4*w.live || w.planning || len(w.pending) > 0 {
		return
	}
	rs := w.records()
	w.live = len(rs)
	if n >= 4*w.live {
		if err := w.st.journal.rewrite(rs); err != nil {
			w.s.o.Logger.Warn("the journal could not be shortened", "repo", w.repo.String(), "error", err)
		}
	}
}

// must reports a record that was written and could not be applied: then
// memory and journal differ, and nothing may be added to either.
func (w *Worktree) must(err error) error {
	if err != nil {
		w.closed = true
		w.lastErr = err.Error()
		w.s.o.Logger.Error("staging stopped: operation and journal do not agree", "repo", w.repo.String(), "error", err)
	}
	return err
}

// change is the frame of operations on names: look tells what they mean and
// valid whether that is still so; do makes the record of the operation, under
// Worktree.mu. done, if not nil, follows when it is in effect.
func (w *Worktree) change(ctx context.Context, look func() error, valid func() bool, do func() (record, error), done func()) error {
	if err := w.Writable(ctx); err != nil {
		return err
	}
	for {
		if err := look(); err != nil {
			return err
		}
		again, err := w.try(valid, do, done)
		if !again {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

func (w *Worktree) try(valid func() bool, do func() (record, error), done func()) (again bool, err error) {
	w.mu.Lock()
	defer w.unlock()
	if w.closed {
		return false, fs.ErrClosed
	}
	if w.st == nil {
		return false, errDropped
	}
	if !valid() {
		return true, nil
	}
	r, err := do()
	if err != nil || r.Op == "" {
		return false, err
	}
	if err := w.append(r); err != nil {
		return false, err
	}
	if err := w.must(w.apply(r)); err != nil {
		return false, err
	}
	if done != nil {
		done()
	}
	w.compact()
	return false, nil
}

// Mkdir makes a directory. Git has none that are empty: it is in no commit
// until there is a file in it.
func (d *Dir) Mkdir(ctx context.Context, name string, perm fs.FileMode) (*Dir, error) {
	if err := checkName(d.Path(), name); err != nil {
		return nil, err
	}
	var s slot
	var made *Dir
	err := d.w.change(ctx, func() (err error) {
		s, err = d.peek(ctx, name, false)
		return err
	}, func() bool {
		return s.valid()
	}, func() (record, error) {
		s.settle()
		if s.exists() {
			return record{}, fs.ErrExist
		}
		now := time.Now()
		return record{Op: opDir, P: join(d.path(), name), M: uint32(perm.Perm()), T: &now}, nil
	}, func() {
		made = d.kids[name].dir
	})
	if err != nil {
		return nil, opError("mkdir", d, name, err)
	}
	return made, nil
}

// Chmod changes the permission bits a directory is shown with. They are kept
// as long as the worktree is open.
func (d *Dir) Chmod(mode fs.FileMode) {
	d.w.mu.Lock()
	defer d.w.mu.Unlock()
	d.mode = mode.Perm()
}

var errUnsettled = fmt.Errorf("the outcome of the last commit is not known yet")
