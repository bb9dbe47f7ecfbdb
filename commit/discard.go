package commit

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
)

// A Discarded says what Discard did beyond dropping what was staged.
type Discarded struct {
	Head      string   `json:"head,omitempty"`      // commit of the branch that the worktree moved on to; "" if it did not
	Conflicts []string `json:"conflicts,omitempty"` // paths that are still in conflict with the branch
}

// Discard drops what is staged at a path and below, so that it means what the
// base has there; "" drops everything. A moved file is two paths: where it
// was, and where it is. EBUSY while a commit runs.
func (w *Worktree) Discard(ctx context.Context, path string) (Discarded, error) {
	select {
	case <-w.commit:
		defer func() { w.commit <- struct{}{} }()
	default:
		return Discarded{}, fmt.Errorf("discard %q: a commit is running: %w", path, syscall.EBUSY)
	}
	changes, err := w.discard(path)
	if err != nil {
		return Discarded{}, fmt.Errorf("discard %q: %w", path, err)
	}
	w.tell(changes)
	return Discarded{}, nil
}

func (w *Worktree) discard(path string) ([]Change, error) {
	w.mu.Lock()
	defer w.unlock()
	switch {
	case w.closed:
		return nil, fs.ErrClosed
	case w.st == nil:
		return nil, nil
	case path != "" && !w.covers(path):
		return nil, nil
	}
	before := w.names(path)
	if err := w.append(record{Op: opDiscard, P: path}); err != nil {
		return nil, err
	}
	if err := w.must(w.applyDiscard(path)); err != nil {
		return nil, err
	}
	w.conflicts, w.lastErr = nil, ""
	return before, nil
}

// covers reports whether there is something of the overlay at a path, without
// making directories on the way.
func (w *Worktree) covers(p string) bool {
	d, name := w.find(p)
	return d != nil && d.kids[name] != nil
}

// find is place without making anything: nil if the overlay does not reach.
func (w *Worktree) find(p string) (*Dir, string) {
	d := w.root
	for {
		name, rest, more := strings.Cut(p, "/")
		if !more {
			return d, name
		}
		k := d.kids[name]
		if k == nil || k.dir == nil {
			return nil, ""
		}
		d, p = k.dir, rest
	}
}

// names are the names at a path and below that the overlay gives a meaning.
func (w *Worktree) names(path string) (changes []Change) {
	var walk func(d *Dir)
	walk = func(d *Dir) {
		for name, k := range d.kids {
			if k.dir == nil || !k.dir.natural() {
				changes = append(changes, Change{Dir: d, Name: name})
			}
			if k.dir != nil {
				walk(k.dir)
			}
		}
	}
	if path == "" {
		walk(w.root)
		return changes
	}
	d, name := w.find(path)
	if k := d.kids[name]; k.dir != nil {
		walk(k.dir)
	}
	return append(changes, Change{Dir: d, Name: name})
}

func (w *Worktree) applyDiscard(p string) error {
	if p == "" {
		w.root.clean()
		return nil
	}
	d, name, err := w.place(p)
	if err != nil {
		return err
	}
	d.cleanName(name)
	return nil
}

// clean drops everything staged in a directory that stays.
func (d *Dir) clean() {
	for name := range d.kids {
		d.cleanName(name)
	}
	d.kept = nil
}

func (d *Dir) cleanName(name string) {
	k := d.kids[name]
	if k == nil {
		return
	}
	if k.dir != nil && k.dir.natural() {
		// The base has it: who is in it stays in it.
		k.dir.clean()
		if k.through == nil {
			d.kids[name] = &kid{dir: k.dir, through: unchecked}
		}
		return
	}
	d.w.drop(k)
	delete(d.kids, name)
}
