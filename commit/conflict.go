package commit

import (
	"context"
	"slices"

	"github.com/hubfs/hubfs/remote"
)

// follow puts the plan on top of what the branch has moved to, if that
// touched nothing of ours.
func (c *committing) follow(ctx context.Context) error {
	head, err := c.w.s.o.Client.Snapshot(ctx, c.repo)
	if err != nil {
		return err
	}
	head = usable(head)
	if err := c.clash(ctx, c.w.baseSnapshot(), head); err != nil {
		return err
	}
	return c.p.onto(ctx, head)
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

// clash is a *ConflictError if what changed from base to head and the plan
// have paths in common, or one of them has a file where the other has a
// directory. The same change made by both is none.
func (c *committing) clash(ctx context.Context, base, head *remote.Snapshot) error {
	before, err := tree(ctx, base)
	if err != nil {
		return err
	}
	after, err := tree(ctx, head)
	if err != nil {
		return err
	}
	changed := make(map[string]bool)
	for p, b := range after {
		if before[p].ID != b.ID {
			changed[p] = true
		}
	}
	for p := range before {
		if _, ok := after[p]; !ok {
			changed[p] = true
		}
	}
	c.p.foreign = c.p.foreign[:0]
	for p := range changed {
		c.p.foreign = append(c.p.foreign, p)
	}
	if _, ok := after[attributes]; ok && base == nil && len(after) == 1 {
		delete(changed, attributes) // the Hub's own first commit
	}

	adds := make(map[string]bool)
	both := make(map[string]bool)
	for _, it := range c.p.items {
		if it.same {
			continue
		}
		adds[it.path] = true
		b, there := after[it.path]
		if changed[it.path] && !(there && (it.sum != nil && it.sum.is(b) || it.sum == nil && b.ID == it.blob.ID)) {
			both[it.path] = true
		}
		for dir := parentOf(it.path); dir != ""; dir = parentOf(dir) {
			if _, file := after[dir]; file && changed[dir] {
				both[dir] = true
			}
		}
	}
	for _, p := range c.p.deletes {
		if _, there := after[p]; changed[p] && there {
			both[p] = true
		}
	}
	beside := c.w.beside(c.p)
	for p, what := range beside {
		_, there := after[p]
		switch {
		case adds[p], !changed[p], !there && what != besideFile:
		default:
			both[p] = true
		}
		for dir := parentOf(p); dir != "" && what == besideFile; dir = parentOf(dir) {
			if _, file := after[dir]; file && changed[dir] {
				both[dir] = true
			}
		}
	}
	for p := range changed {
		if _, there := after[p]; !there {
			continue
		}
		for dir := parentOf(p); dir != ""; dir = parentOf(dir) {
			if what, ok := beside[dir]; adds[dir] || ok && what != besideDir {
				both[dir] = true
			}
		}
	}
	if len(both) == 0 {
		return nil
	}
	e := &ConflictError{}
	for p := range both {
		e.Paths = append(e.Paths, p)
	}
	slices.Sort(e.Paths)
	if head != nil {
		e.Head = head.Commit()
	}
	return e
}

// What is staged beside a plan.
const (
	besideFile = iota + 1
	besideDir
	besideGone
)

// beside is what is staged and no part of the plan: busy files, and what was
// changed since. It lies over the plan's base too, and would later replace what
// others did on the way to another one without anybody being told.
func (w *Worktree) beside(p *plan) map[string]int {
	known := make(map[*File]bool)
	for _, it := range p.items {
		if it.file != nil && it.link == "" {
			known[it.file] = true
		}
	}
	copied := make(map[string]bool)
	for _, l := range p.links {
		copied[l.P] = true
	}
	left := make(map[string]bool)
	for _, l := range p.left {
		left[l.Path] = true
	}
	found := make(map[string]int)
	var walk func(d *Dir, at string)
	walk = func(d *Dir, at string) {
		for name, k := range d.kids {
			q, late := join(at, name), k.gen > p.mark.gen
			switch {
			case k.link != nil && leftOut(q) == "":
				if late || !copied[q] { // it may become a copy by the next commit
					found[q] = besideFile
				}
			case left[q] || leftOut(q) != "":
			case k.dir != nil:
				if k.through == nil {
					found[q] = besideDir
				}
				walk(k.dir, q)
			case k.file != nil && (late || !known[k.file]), k.ref != nil && late:
				found[q] = besideFile
			case k.gone() && late:
				found[q] = besideGone
			}
		}
	}
	w.mu.RLock()
	defer w.mu.RUnlock()
	walk(w.root, "")
	return found
}

// attributes is what the Hub puts into a new repo.
const attributes = ".gitattributes"

// tree is all files of a snapshot.
func tree(ctx context.Context, snap *remote.Snapshot) (map[string]remote.Blob, error) {
	files := make(map[string]remote.Blob)
	if snap == nil {
		return files, nil
	}
	entries, err := snap.Walk(ctx)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if !e.Dir {
			files[e.Path] = e.Blob
		}
	}
	return files, nil
}
