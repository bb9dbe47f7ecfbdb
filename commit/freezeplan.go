package commit

import (
	"context"
	"slices"
	"time"

	"github.com/hubfs/hubfs/remote"
)

// plan takes everything staged up to now, freezes what can be frozen and
// waits for the rest up to wait. The plan's files are frozen until thaw.
//
// Programs write under a temporary name, rename and close. A file that was
// renamed after it was taken, perhaps while its writer was waited for, makes
// the plan begin anew: no commit shall have the temporary name.
//
// A base other than the worktree's own stands for one that is gone.
func (w *Worktree) plan(ctx context.Context, wait time.Duration, f *filter, base *remote.Snapshot) (p *plan, err error) {
	defer func() {
		if err != nil {
			w.planned()
		}
	}()
	waited := time.Duration(0)
	for drafts := 1; ; {
		var busy []*item
		if p, busy, err = w.draft(ctx, f, base); err != nil {
			return nil, err
		}
		if len(busy) == 0 || waited >= wait {
			if drafts < maxDrafts && w.renamed(p) {
				drafts++
				p.thaw()
				continue
			}
			for _, it := range busy {
				p.busy = append(p.busy, it.stagedAt())
			}
			p.sort()
			p.busy = slices.Compact(p.busy)
			return p, nil
		}
		p.thaw()
		for again := true; again && waited < wait; waited += lockPoll {
			if err := w.s.pause(ctx, lockPoll); err != nil {
				return nil, err
			}
			again = slices.ContainsFunc(busy, func(it *item) bool {
				_, busy := it.file.look()
				return busy
			})
		}
	}
}

// maxDrafts bounds how often a plan begins anew: a commit of how things were
// is right too, and programs may rename for ever.
const maxDrafts = 5

// draft plans what is staged now, and gives what is busy.
func (w *Worktree) draft(ctx context.Context, f *filter, base *remote.Snapshot) (p *plan, busy []*item, err error) {
	w.mu.Lock()
	if err := w.append(record{Op: opPlan}); err != nil {
		w.mu.Unlock()
		return nil, nil, err
	}
	w.setMark()
	w.planning = true
	p = &plan{mark: w.mark, base: w.base, parent: w.baseCommit()}
	if base != nil {
		p.base, p.parent = base, base.Commit()
	}
	root := w.root.shoot("")
	w.mu.Unlock()

	x, err := diff(ctx, p.base, root)
	if err != nil {
		return nil, nil, err
	}
	p.left, p.links = x.left, x.links
	p.choice = newChoice(x)
	p.choice.filter(f)
	for path := range x.deletes {
		if _, out := p.choice.out[path]; !out {
			p.deletes = append(p.deletes, path)
		}
	}
	for path, it := range x.items {
		if _, out := p.choice.out[path]; !out {
			busy = append(busy, it)
		}
	}
	p.skip()
	if busy, err = p.freeze(busy); err != nil {
		p.thaw()
		return nil, nil, err
	}
	return p, busy, nil
}

// renamed reports whether a file of the plan is not at its place any more.
func (w *Worktree) renamed(p *plan) bool {
	if p.lost {
		return true
	}
	w.mu.RLock()
	defer w.mu.RUnlock()
	for _, it := range p.items {
		if it.file == nil || it.link != "" {
			continue
		}
		d, name := w.find(it.path)
		if d == nil || d.kids[name] == nil || d.kids[name].file != it.file {
			return true
		}
	}
	for _, l := range p.links {
		d, name := w.find(l.P)
		if d == nil || d.kids[name] == nil || d.kids[name].link == nil || d.kids[name].link.Target != l.T {
			return true
		}
	}
	return false
}

// planned ends what plan began.
func (w *Worktree) planned() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.planning = false
}

// freeze takes items whose files nothing can write, and gives the others.
func (p *plan) freeze(items []*item) (busy []*item, err error) {
	for _, it := range items {
		if it.file == nil {
			p.items = append(p.items, it)
			continue
		}
		ok, err := it.file.freeze()
		switch {
		case err != nil:
			return nil, err
		case ok:
			p.items = append(p.items, it)
		case !it.file.lost():
			busy = append(busy, it)
		default:
			p.lost = true
		}
	}
	// What is busy is in no plan, and a link is in it as a whole or not at all.
	links := make(map[string]bool)
	for _, it := range busy {
		links[it.link] = true
	}
	p.drop(func(it *item) bool { return it.link != "" && links[it.link] })
	return busy, nil
}

// lost reports whether the file was removed since it was planned.
func (f *File) lost() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.place != inStaging
}

// setReasons keeps for Status what a commit left out, and why.
func (w *Worktree) setReasons(p *plan) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reasons = make(map[string]string)
	for q, reason := range p.why {
		w.reasons[q] = reason
	}
	for _, ls := range [][]StagedPath{p.left, p.skipped} {
		for _, l := range ls {
			w.reasons[l.Path] = l.Reason
		}
	}
}
