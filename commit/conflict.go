package commit

import (
	"context"
	"maps"
	"slices"

	"github.com/hubfs/hubfs/remote"
)

// follow puts the plan on top of what its branch has moved to, if that touched
// nothing of ours, or ours is to go over it.
func (c *committing) follow(ctx context.Context) error {
	head, err := c.head(ctx)
	if err != nil {
		return err
	}
	if err := c.clash(ctx, c.w.baseSnapshot(), head); err != nil {
		return err
	}
	return c.onto(ctx, head)
}

// onto is plan.onto, with whatever stands in the plan's way taken out of it if
// that was asked for.
func (c *committing) onto(ctx context.Context, head *remote.Snapshot) error {
	if err := c.p.onto(ctx, head); err != nil {
		return err
	}
	if (c.o.Force || c.to.pull != nil) && c.p.theirs != nil {
		c.p.clear(c.p.theirs.now)
	}
	return nil
}

func (w *Worktree) baseSnapshot() *remote.Snapshot {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.base
}

// onto makes another commit the plan's parent. What was no change stays none.
func (p *plan) onto(ctx context.Context, head *remote.Snapshot) error {
	x := differ{ctx: ctx, base: head}
	for _, it := range p.items {
		e, ok, err := x.stat(it.path)
		if err != nil {
			return err
		}
		if it.same {
			continue
		}
		it.old, it.had = e, ok && !e.Dir
		if it.sum != nil {
			it.same = it.had && it.sum.is(it.old.Blob)
		} else {
			it.same = it.had && it.old.Blob.ID == it.blob.ID
		}
		if it.same {
			it.blob = it.old.Blob
		}
	}
	var left []string
	for _, d := range p.deletes {
		e, ok, err := x.stat(d)
		if err != nil {
			return err
		}
		if ok && !e.Dir {
			left = append(left, d)
		}
	}
	p.deletes, p.base, p.parent = left, head, ""
	if head != nil {
		p.parent = head.Commit()
	}
	return nil
}

// clear deletes, as far as the plan does not yet, files of a tree where the
// plan has directories, and what is below its files.
func (p *plan) clear(now map[string]remote.Entry) {
	dels := make(map[string]bool, len(p.deletes))
	for _, d := range p.deletes {
		dels[d] = true
	}
	adds := make(map[string]bool, len(p.items))
	for _, it := range p.items {
		adds[it.path] = true
		for dir := parentOf(it.path); dir != ""; dir = parentOf(dir) {
			if _, file := now[dir]; file {
				dels[dir] = true
			}
		}
	}
	for q := range now {
		for dir := parentOf(q); dir != ""; dir = parentOf(dir) {
			if adds[dir] {
				dels[q] = true
			}
		}
	}
	p.deletes = slices.Sorted(maps.Keys(dels))
}

// clash is a *ConflictError if what changed from base to head and what is
// staged have paths in common, or one of them has a file where the other has a
// directory. The same change made by both is none. With Force, and for a pull
// request, there is none.
func (c *committing) clash(ctx context.Context, base, head *remote.Snapshot) error {
	if base != nil && head != nil && base.Commit() == head.Commit() {
		c.p.theirs = nil
		return nil
	}
	t, err := compareTrees(ctx, base, head)
	if err != nil {
		return err
	}
	beside := c.w.beside(c.p)
	t.peer(ctx, base, c.p, beside)
	c.p.theirs = t
	both := t.overPlan(c.p)
	maps.Copy(both, t.overBeside(c.p, beside))
	c.w.mu.RLock()
	origins := c.w.keptOrigins(c.p)
	c.w.mu.RUnlock()
	t.under(origins, both)
	if c.o.Force || c.to.pull != nil { // a pull request shows both
		c.p.forced = both
		return nil
	}
	if len(both) == 0 {
		return nil
	}
	e := &ConflictError{Paths: slices.Sorted(maps.Keys(both)), Rewritten: t.blind}
	if head != nil {
		e.Head = head.Commit()
	}
	e.Sides = c.w.sides(ctx, e.Paths, c.p, t)
	return e
}

// unseen is a *ConflictError if the plan would put what was staged during an
// earlier commit over what that brought from others.
func (c *committing) unseen(ctx context.Context) error {
	w := c.w
	if c.o.Force || c.o.CreatePR {
		return nil
	}
	w.mu.RLock()
	paths := w.clashed(c.p)
	since := ""
	if len(paths) > 0 {
		since = w.clashes[paths[0]]
	}
	base, repo := w.base, w.repo
	w.mu.RUnlock()
	if len(paths) == 0 {
		return nil
	}
	e := &ConflictError{Paths: paths}
	if base != nil {
		e.Head = base.Commit()
	}
	// What they did is for people to know: it is a conflict without it, too.
	t, err := compareTrees(ctx, usable(w.s.o.Client.SnapshotAt(repo, since, w.Date())), base)
	if err == nil {
		e.Sides = w.sides(ctx, paths, c.p, t)
	}
	return e
}
