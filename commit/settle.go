package commit

import (
	"context"
	"fmt"
	"strings"

	"github.com/hubfs/hubfs/remote"
)

// settle finds out about commits that were sent by this process or an earlier
// one and never answered. It gives the commit if one was made. If it can't be
// known yet they stay pending, with their files frozen; that is an error if to,
// where the next one is to go, has nothing that keeps both from being made.
func (w *Worktree) settle(ctx context.Context, to target) (*Result, error) {
	w.mu.RLock()
	pending := w.pending
	w.mu.RUnlock()
	if len(pending) == 0 {
		return nil, nil
	}
	o, err := w.outcome(ctx)
	if err == nil && o.landed != nil && !o.landed.target.away() {
		err = w.compareLanded(ctx, o.landed)
	}
	if err != nil {
		return nil, fmt.Errorf("settling the last commit: %w", err)
	}
	switch {
	case o.landed != nil:
		res := w.resultOf(o)
		w.land(o.landed, w.ours(o.landed, o.commit), nil)
		return &res, nil
	case o.sure:
		return nil, w.voidAll(nil)
	}
	for _, p := range pending {
		if p.target.pull != nil || !p.target.same(to) {
			return nil, fmt.Errorf("whether the last commit, to %s, was made is not known yet: try again in some minutes (%w)", p.target, remote.ErrUnknownOutcome)
		}
	}
	return nil, nil
}

// compareLanded finds what others had changed between the base and the commit
// that a plan was made on by an earlier process: what was staged since is
// compared with it.
func (w *Worktree) compareLanded(ctx context.Context, p *plan) error {
	base := w.baseSnapshot()
	if p.theirs != nil || p.parent == "" || base != nil && base.Commit() == p.parent {
		return nil
	}
	t, err := compareTrees(ctx, base, w.s.o.Client.SnapshotAt(w.Repo(), p.parent, w.Date()))
	if vanished(err) {
		return nil // rewritten since: nothing is left of theirs to be lost
	}
	if err != nil {
		return err
	}
	t.peer(ctx, base, p, w.beside(p))
	p.theirs = t
	return nil
}

// resultOf is what settling tells of a commit.
func (w *Worktree) resultOf(o outcome) Result {
	res := Result{Commit: o.commit, URL: w.pageOf(o.commit), Files: o.landed.changes(), Bytes: o.landed.bytes(), Commits: 1}
	res.Branch = o.landed.target.branch
	if o.pull != "" {
		res.PullRequest, res.Branch = o.pull, remote.PullRequest{Number: o.number}.Ref()
	}
	return res
}

// An outcome is what became of the pending plans.
type outcome struct {
	landed *plan  // nil = none
	commit string // that it became
	pull   string // page of the pull request that it became
	number int
	sure   bool // none of the others can still become one
}

// outcome looks for the pending plans where they were to go. The child of the
// commit that a plan lies on is the plan's if it has all that was planned: the
// Hub accepts one child only. It is not sure while the branch has not moved on:
// the request may still be under way.
func (w *Worktree) outcome(ctx context.Context) (o outcome, err error) {
	w.mu.RLock()
	plans := w.pending
	w.mu.RUnlock()
	o.sure = true
	heads := make(map[string]*remote.Snapshot)
	children := make(map[string]string)
	for i := len(plans) - 1; i >= 0; i-- {
		p := plans[i]
		if p.target.pull != nil {
			pr, commit, sure, err := w.findPull(ctx, p)
			if err != nil {
				return o, err
			}
			o.sure = o.sure && sure
			if pr != nil {
				o.landed, o.commit, o.number, o.pull = p, commit, pr.Number, w.pageOfPull(pr.Number)
			}
			continue
		}
		repo := w.targetRepo(p)
		head := heads[repo.Rev]
		if head == nil {
			if head, err = w.s.o.Client.Snapshot(ctx, repo); err != nil {
				return o, err
			}
			heads[repo.Rev] = head
		}
		if head.Commit() == p.parent {
			o.sure = false
			continue
		}
		child, ok := children[repo.Rev+" "+p.parent]
		if !ok {
			if child, err = w.childOf(ctx, repo, p.parent, head.Commit()); err != nil {
				return o, err
			}
			children[repo.Rev+" "+p.parent] = child
		}
		made, err := p.madeBy(ctx, w.s.o.Client.SnapshotAt(repo, child, head.Date()))
		if err != nil {
			return o, err
		}
		// What was taken back after the first of two plans makes the second
		// the smaller one: the commit has that too.
		if made && (o.landed == nil || p.changes() > o.landed.changes()) {
			o.landed, o.commit = p, child
		}
	}
	o.sure = o.sure || o.landed != nil
	return o, nil
}

// childOf is the commit after parent in the history of a branch; the oldest one
// for the parent "". If the history was rewritten and has the parent no more,
// it is the head: what it has of our content was committed.
func (w *Worktree) childOf(ctx context.Context, repo remote.Repo, parent, head string) (string, error) {
	last := head
	for c, err := range w.s.o.Client.Commits(ctx, repo) {
		if err != nil {
			return "", err
		}
		if c.ID == parent {
			return last, nil
		}
		last = c.ID
	}
	if parent == "" {
		return last, nil
	}
	return head, nil
}

// madeBy reports whether a tree has all that was planned.
func (p *plan) madeBy(ctx context.Context, tree *remote.Snapshot) (bool, error) {
	for _, it := range p.items {
		if it.same {
			continue
		}
		e, err := tree.Stat(ctx, it.path)
		if absent(err) || err == nil && (e.Dir || e.Blob.ID != it.blob.ID && it.path != attributes) {
			return false, nil // the Hub adds lines to .gitattributes
		}
		if err != nil {
			return false, err
		}
	}
	for _, path := range p.deletes {
		e, err := tree.Stat(ctx, path)
		if err == nil && !e.Dir {
			return false, nil
		}
		if err != nil && !absent(err) {
			return false, err
		}
	}
	return true, nil
}

// pageOf is the page of a commit.
func (w *Worktree) pageOf(commit string) string { return w.page() + "/commit/" + commit }

// page is the repo's page.
func (w *Worktree) page() string {
	return w.s.o.Client.Endpoint() + "/" + strings.TrimPrefix(w.Repo().Path(), "models/")
}
