package commit

import (
	"context"
	"fmt"
	"strings"

	"github.com/hubfs/hubfs/remote"
)

// settle finds out about commits that were sent by this process or an earlier
// one and never answered. It gives the commit if one was made. If it can't be
// known yet they stay pending, with their files frozen.
func (w *Worktree) settle(ctx context.Context) (*Result, error) {
	w.mu.RLock()
	n := len(w.pending)
	w.mu.RUnlock()
	if n == 0 {
		return nil, nil
	}
	landed, commit, sure, err := w.outcome(ctx)
	if err != nil {
		return nil, fmt.Errorf("settling the last commit: %w", err)
	}
	switch {
	case landed != nil:
		res := &Result{Commit: commit, URL: w.pageOf(commit), Files: landed.changes(), Bytes: landed.bytes()}
		w.land(landed, w.ours(commit), nil)
		return res, nil
	case sure:
		return nil, w.voidAll(nil)
	}
	return nil, nil
}

// outcome looks in the branch's history for the pending plans. The child of
// the commit that a plan lies on is the plan's if it has all that was planned:
// the Hub accepts one child only. sure is false while the branch has not moved
// on: the request may still be under way.
func (w *Worktree) outcome(ctx context.Context) (landed *plan, commit string, sure bool, err error) {
	w.mu.RLock()
	plans, repo := w.pending, w.repo
	w.mu.RUnlock()
	head, err := w.s.o.Client.Snapshot(ctx, repo)
	if err != nil {
		return nil, "", false, err
	}
	sure = true
	children := make(map[string]string)
	for i := len(plans) - 1; i >= 0; i-- {
		p := plans[i]
		if head.Commit() == p.parent {
			sure = false
			continue
		}
		child, ok := children[p.parent]
		if !ok {
			if child, err = w.childOf(ctx, p.parent, head.Commit()); err != nil {
				return nil, "", false, err
			}
			children[p.parent] = child
		}
		made, err := p.madeBy(ctx, w.s.o.Client.SnapshotAt(repo, child, head.Date()))
		if err != nil {
			return nil, "", false, err
		}
		// What was taken back after the first of two plans makes the second
		// the smaller one: the commit has that too.
		if made && (landed == nil || p.changes() > landed.changes()) {
			landed, commit = p, child
		}
	}
	return landed, commit, sure || landed != nil, nil
}

// childOf is the commit after parent in the branch's history; the oldest one
// for the parent "". If the history was rewritten and has the parent no more,
// it is the head: what it has of our content was committed.
func (w *Worktree) childOf(ctx context.Context, parent, head string) (string, error) {
	last := head
	for c, err := range w.s.o.Client.Commits(ctx, w.Repo()) {
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
func (w *Worktree) pageOf(commit string) string {
	repo := w.Repo()
	return w.s.o.Client.Endpoint() + "/" + strings.TrimPrefix(repo.Path(), "models/") + "/commit/" + commit
}
