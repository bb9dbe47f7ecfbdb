package commit

import (
	"context"
	"errors"
	"fmt"

	"github.com/hubfs/hubfs/remote"
)

// commitParts makes one commit after the other until all is in one that goes
// into it.
func (w *Worktree) commitParts(ctx context.Context, o CommitOptions) (sum Result, err error) {
	for part := 1; ; part++ {
		c, res, err := w.commitOnce(ctx, o, part)
		sum.add(res)
		if err != nil || c == nil || !c.p.more {
			return sum, err
		}
		if c.to.pull != nil { // the others belong to it too
			o.CreatePR, o.Branch = false, res.Branch
		}
	}
}

// add puts together what several commits did.
func (r *Result) add(o Result) {
	first := *r
	*r = o
	r.Files += first.Files
	r.Bytes += first.Bytes
	r.Commits += first.Commits
	r.Warnings = append(first.Warnings, o.Warnings...)
	if first.PullRequest != "" {
		r.PullRequest = first.PullRequest
	}
	if first.Commits > 0 {
		r.Unchanged = false
		if o.Commits == 0 {
			r.Commit, r.URL, r.Branch = first.Commit, first.URL, first.Branch
		}
	}
}

func (w *Worktree) commitOnce(ctx context.Context, o CommitOptions, part int) (*committing, Result, error) {
	// An earlier commit may turn out to have been made: then ours is planned
	// anew on top of it.
	var done Result
	for range maxTries {
		c := &committing{w: w, o: o, part: part, repo: w.Repo(), progress: serial(o.Progress)}
		if err := c.aim(); err != nil {
			return nil, Result{}, err
		}
		landed, err := w.settle(ctx, c.to)
		if err != nil {
			return nil, Result{}, err
		}
		if landed != nil {
			done = *landed
			if !w.Dirty() {
				return nil, done, nil
			}
		}
		res, err := c.run(ctx)
		if errors.Is(err, errAgain) {
			continue
		}
		if err == nil && res.Unchanged && done.Commit != "" {
			done.Busy, done.Skipped = res.Busy, res.Skipped
			return c, done, nil
		}
		return c, res, err
	}
	return nil, Result{}, fmt.Errorf("gave up after %d tries: %w", maxTries, remote.ErrConflict)
}
