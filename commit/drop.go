package commit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Drop gives up everything that is staged in the repo, commits whose outcome
// is not known included, and what a damaged journal had set aside; its state
// directory goes away. A repo that is still to be created is one no more, and
// its worktree is closed. EBUSY while a commit runs.
func (w *Worktree) Drop(ctx context.Context) error {
	select {
	case <-w.commit:
		defer func() { w.commit <- struct{}{} }()
	default:
		return fmt.Errorf("drop %s: a commit is running: %w", w.Repo(), syscall.EBUSY)
	}
	select { // nobody makes the state while it goes
	case <-w.setUp:
		defer func() { w.setUp <- struct{}{} }()
	case <-ctx.Done():
		return ctx.Err()
	}
	changes, err := w.dropAll()
	if err != nil {
		return fmt.Errorf("drop %s: %w", w.Repo(), err)
	}
	w.tell(changes)
	return nil
}

// errDropped is of an operation during which Drop took the state away.
var errDropped = fmt.Errorf("what was staged was dropped meanwhile: %w", syscall.ESTALE)

func (w *Worktree) dropAll() ([]Change, error) {
	w.mu.Lock()
	if w.closed || w.st == nil {
		defer w.mu.Unlock()
		if w.closed {
			return nil, fs.ErrClosed
		}
		return nil, nil
	}
	st, isNew := w.st, w.isNew
	changes := w.names("")
	w.root.clean()
	pending := w.pending
	w.pending, w.planning, w.files = nil, false, make(map[uint64]*File)
	w.conflicts, w.lastErr, w.warnings, w.reasons = nil, "", nil, nil
	w.st = nil
	if isNew {
		w.closed, w.root.dead = true, true
	}
	w.unlock()
	for _, p := range pending {
		p.thaw()
	}
	if isNew {
		w.s.forget(w)
	}
	st.sweep(-1)
	return changes, st.eraseAll()
}

// forget takes a worktree out of the store.
func (s *Store) forget(w *Worktree) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for repo, t := range s.trees {
		if t == w {
			delete(s.trees, repo)
		}
	}
}

// eraseAll is erase with what was set aside. What says that it is
// there goes first, so that
// nothing comes back of what is cut off in the middle.
func (st *state) eraseAll() error {
	entries, err := os.ReadDir(st.disk.path)
	if err != nil {
		return errors.Join(err, st.release())
	}
	var aside []string
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), asidePrefix) {
			aside = append(aside, e.Name())
		}
	}
	if err := st.forget(); err != nil {
		return errors.Join(err, st.release())
	}
	for _, name := range aside {
		if err := st.disk.removeAll(name); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", filepath.Join(st.disk.path, name), err), st.release())
		}
	}
	return st.erase()
}
