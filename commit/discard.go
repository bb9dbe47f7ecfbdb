package commit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"syscall"

	"github.com/hubfs/hubfs/remote"
)

// A Discarded says what Discard did beyond dropping what was staged.
type Discarded struct {
	Head      string   `json:"head,omitempty"`      // commit of the branch that the worktree moved on to; "" if it did not
	Conflicts []string `json:"conflicts,omitempty"` // paths that are still in conflict with the branch
}

// Discard drops what is staged at a path and below, so that it means what the
// base has there; "" drops everything. EBUSY while a commit runs.
//
// A rename is one thing with two sides, and discarding either undoes it: the
// content is where it was again, and no more where it went. Staged files that
// were put into a directory which was moved stay, unless they are at or below
// the path themselves. A file that was changed after it was moved is a new one:
// where it was, it is deleted, and both can be discarded for themselves.
//
// If others changed what was discarded, the worktree moves on to the branch's
// head so that theirs is what is shown, once nothing staged is in conflict with
// it any more; without the Hub that is left for later, which is no error.
func (w *Worktree) Discard(ctx context.Context, path string) (Discarded, error) {
	select {
	case <-w.commit:
		defer func() { w.commit <- struct{}{} }()
	default:
		return Discarded{}, fmt.Errorf("discard %q: a commit is running: %w", path, syscall.EBUSY)
	}
	w.mu.RLock()
	dirs := w.ownDirs(path)
	known := slices.Clone(w.conflicts)
	for q := range w.clashes {
		known = append(known, q)
	}
	w.mu.RUnlock()
	changes, about, err := w.discard(path)
	if err != nil {
		return Discarded{}, fmt.Errorf("discard %q: %w", path, err)
	}
	w.tell(changes)
	d := w.advance(ctx, append(about, path), known)
	w.tell(gone(ctx, dirs))
	return d, nil
}

// ownDirs are the directories at a path and below that are there in their own
// right, whatever the base has. Under mu.
func (w *Worktree) ownDirs(path string) (dirs []Change) {
	var walk func(d *Dir)
	see := func(d *Dir, name string) {
		if k := d.kids[name]; k != nil && k.dir != nil {
			if k.through == nil && k.dir.natural() {
				dirs = append(dirs, Change{Dir: d, Name: name})
			}
			walk(k.dir)
		}
	}
	walk = func(d *Dir) {
		for name := range d.kids {
			see(d, name)
		}
	}
	if path == "" {
		walk(w.root)
	} else if d, name := w.find(path); d != nil {
		see(d, name)
	}
	return dirs
}

// gone are those of the names that mean nothing any more.
func gone(ctx context.Context, names []Change) (out []Change) {
	for _, c := range names {
		if _, err := c.Dir.Lookup(ctx, c.Name); errors.Is(err, fs.ErrNotExist) {
			out = append(out, c)
		}
	}
	return out
}

// discard gives the names that mean something else by it, and where else than
// at the path something was undone.
func (w *Worktree) discard(path string) (changes []Change, about []string, err error) {
	w.mu.Lock()
	defer w.unlock()
	switch {
	case w.closed:
		return nil, nil, fs.ErrClosed
	case w.st == nil:
		return nil, nil, nil
	case path != "" && !w.covers(path):
		return nil, nil, nil
	}
	undone := w.undo(path, false)
	for _, c := range undone {
		about = append(about, join(c.Dir.path(), c.Name))
	}
	changes = append(w.names(path), undone...)
	if err := w.append(record{Op: opDiscard, P: path, D: true}); err != nil {
		return nil, nil, err
	}
	if err := w.must(w.applyDiscard(path, true)); err != nil {
		return nil, nil, err
	}
	w.lastErr = ""
	return changes, about, nil
}

// advance moves the worktree on to the branch's head, if what was discarded was
// in conflict with it and nothing is any more.
func (w *Worktree) advance(ctx context.Context, paths, known []string) (d Discarded) {
	still := func(paths []string) {
		w.mu.Lock()
		w.conflicts = paths
		w.mu.Unlock()
		d.Conflicts = paths
	}
	w.mu.RLock()
	base, repo, skip := w.base, w.repo, w.st == nil || len(w.pending) > 0
	rest := slices.DeleteFunc(known, func(q string) bool { return !w.overlays(q) && !w.holds(q) })
	w.mu.RUnlock()
	slices.Sort(rest)
	rest = slices.Compact(rest)
	if skip {
		still(rest)
		return d
	}
	head, err := w.s.o.Client.Snapshot(ctx, repo)
	if head = usable(head); err != nil || head == nil || base != nil && head.Commit() == base.Commit() {
		still(rest)
		return d
	}
	t, err := compareTrees(ctx, base, head)
	if err != nil {
		still(rest)
		return d
	}
	about := t.blind || len(known) > 0
	for q := range t.changed {
		about = about || slices.ContainsFunc(paths, func(p string) bool { return below(q, p) || below(p, q) })
	}
	if !about {
		return d
	}
	t.peer(ctx, base, nil, w.beside(nil))
	w.mu.Lock()
	both := t.overBeside(nil, w.besides(nil)) // as it is now
	t.under(w.keptOrigins(nil), both)
	if len(both) > 0 {
		w.mu.Unlock()
		still(slices.Sorted(maps.Keys(both)))
		return d
	}
	wasNew := w.isNew // and somebody else has made that repo
	changes, err := w.moveOn(head, t)
	w.mu.Unlock()
	if err != nil {
		still(rest)
		return d
	}
	if wasNew {
		if err := w.identify(); err != nil { // the next process does it
			w.s.o.Logger.Warn("repo.json could not be brought up to date", "repo", repo.String(), "error", err)
		}
	}
	w.tell(changes)
	d.Head = head.Commit()
	return d
}

// holds reports whether anything is staged below a path. Under mu.
func (w *Worktree) holds(p string) bool {
	d, name := w.find(p)
	return d != nil && d.kids[name] != nil && d.kids[name].dir != nil && d.kids[name].dir.changed()
}

// moveOn puts the branch's head under what is staged, none of which it
// collides with. Under mu.
func (w *Worktree) moveOn(head *remote.Snapshot, t *theirs) ([]Change, error) {
	if err := w.append(baseRecord(head)); err != nil {
		return nil, err
	}
	w.conflicts, w.lastErr = nil, ""
	w.rise(head)
	foreign := t.paths()
	if t.blind { // anything may be another
		foreign = slices.Collect(maps.Keys(t.now))
	}
	return w.foreignChanges(foreign), nil
}

// revealAll lets new directories that cover nothing show what the new base has
// at their places.
func (w *Worktree) revealAll(d *Dir) {
	for name, k := range d.kids {
		if k.dir != nil {
			d.reveal(name, k)
			w.revealAll(k.dir)
		}
	}
}

// covers reports whether there is something of the overlay at a path, without
// making directories on the way. Under mu.
func (w *Worktree) covers(p string) bool {
	d, name := w.find(p)
	return d != nil && d.kids[name] != nil
}

// find is place without making anything: nil if the overlay does not reach. Under mu.
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

// applyDiscard drops what is staged at a path and below; with undo the renames
// that it is a side of are undone.
func (w *Worktree) applyDiscard(p string, undo bool) error {
	defer w.unclashBelow(p)
	if p == "" {
		w.root.clean()
		return nil
	}
	d, name, err := w.place(p)
	if err != nil {
		return err
	}
	if undo {
		w.undo(p, true)
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
		if k.through == nil && d.shows(name, k.dir.origin) {
			d.kids[name] = &kid{dir: k.dir, through: unchecked}
		}
		return
	}
	d.w.drop(k)
	delete(d.kids, name)
}
