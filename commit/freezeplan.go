package commit

import (
	"context"
	"time"
)

// plan takes everything staged up to now, freezes what can be frozen and
// waits for the rest up to wait. The plan's files are frozen until thaw.
func (w *Worktree) plan(ctx context.Context, wait time.Duration) (p *plan, err error) {
	w.mu.Lock()
	if err := w.append(record{Op: opPlan}); err != nil {
		w.mu.Unlock()
		return nil, err
	}
	w.setMark()
	w.planning = true
	p = &plan{mark: w.mark, base: w.base, parent: w.baseCommit()}
	root := w.root.shoot("")
	w.mu.Unlock()

	defer func() {
		if err != nil {
			w.planned()
		}
	}()
	x, err := diff(ctx, p.base, root)
	if err != nil {
		return nil, err
	}
	p.left = x.left
	for path := range x.deletes {
		p.deletes = append(p.deletes, path)
	}
	var busy []*item
	for _, it := range x.items {
		busy = append(busy, it)
	}
	for waited := time.Duration(0); ; waited += lockPoll {
		if busy, err = p.freeze(busy); err != nil {
			p.thaw()
			return nil, err
		}
		if len(busy) == 0 || waited >= wait {
			break
		}
		if err := w.s.pause(ctx, lockPoll); err != nil {
			p.thaw()
			return nil, err
		}
	}
	for _, it := range busy {
		p.busy = append(p.busy, it.path)
	}
	p.sort()
	return p, nil
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
		}
	}
	return busy, nil
}

// lost reports whether the file was removed since it was planned.
func (f *File) lost() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.place != inStaging
}

// setBusy keeps for Status what a commit left out, and why.
func (w *Worktree) setBusy(p *plan) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reasons = make(map[string]string)
	for _, l := range p.left {
		w.reasons[l.Path] = l.Reason
	}
}
