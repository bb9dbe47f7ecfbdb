package commit

import (
	"context"
	"errors"
	"fmt"

	"github.com/hubfs/hubfs/remote"
)

// errMoved says that the branch is not where the plan expects it.
var errMoved = errors.New("the branch has moved")

// send makes the commit. The journal says so first: whatever happens from
// here, the next process can find out whether it was made. keep says that
// this could not be found out yet, and the plan's files stay frozen.
func (c *committing) send(ctx context.Context) (res Result, keep bool, err error) {
	w := c.w
	c.p.target = c.to
	if err := c.number(ctx); err != nil {
		return res, false, err
	}
	if err := w.intend(c.p); err != nil {
		return res, false, err
	}
	req := c.request()
	made, err := w.s.o.Client.Commit(ctx, c.repo, req)
	switch {
	case err == nil:
		res = c.result(made.Commit, made.URL)
		c.pull(&res, made.PullRequest, made.Number)
		c.progress(Event{Phase: "done", Done: res.Bytes, Total: res.Bytes, Files: res.Files, TotalFiles: res.Files})
		w.land(c.p, w.ours(c.p, made.Commit), c.p)
		return res, false, nil
	case errors.Is(err, remote.ErrUnknownOutcome), errors.Is(err, remote.ErrConflict):
		return c.lookFor(ctx, err)
	}
	return res, false, errors.Join(err, w.void(1))
}

// pull puts a pull request into a result.
func (c *committing) pull(res *Result, page string, number int) {
	if c.to.pull != nil {
		res.PullRequest, res.Branch = page, remote.PullRequest{Number: number}.Ref()
	}
}

// lookFor finds out what became of a commit whose answer tells nothing, or
// that was refused because the branch has moved: by an earlier attempt of
// ours, perhaps.
func (c *committing) lookFor(ctx context.Context, cause error) (res Result, keep bool, err error) {
	w := c.w
	o, err := w.outcome(ctx)
	switch {
	case err != nil || !o.sure:
		if errors.Is(cause, remote.ErrConflict) {
			// Refused for sure; only earlier attempts are in doubt.
			if verr := w.void(1); err != nil || verr != nil {
				return res, false, errors.Join(cause, err, verr)
			}
			// Where the branch is, it may be that nothing of them ever comes: on
			// top of that, the Hub takes either theirs or ours.
			return res, false, errMoved
		}
		return res, true, fmt.Errorf("%w; the next sync finds out", cause)
	case o.landed == c.p:
		res = c.result(o.commit, w.pageOf(o.commit))
		c.pull(&res, o.pull, o.number)
		w.land(c.p, w.ours(c.p, o.commit), c.p)
		return res, false, nil
	case o.landed != nil:
		if err := w.compareLanded(ctx, o.landed); err != nil {
			return res, false, errors.Join(err, w.void(1))
		}
		w.land(o.landed, w.ours(o.landed, o.commit), c.p)
		return res, false, errAgain
	}
	if err := w.voidAll(c.p); err != nil {
		return res, false, err
	}
	if errors.Is(cause, remote.ErrConflict) {
		return res, false, errMoved
	}
	return res, false, cause
}

// intend writes that a plan is about to be sent, durably.
func (w *Worktree) intend(p *plan) error {
	w.mu.Lock()
	err := w.st.journal.append(p.intent())
	if err == nil {
		w.pending = append(w.pending, p)
	}
	w.mu.Unlock()
	if err == nil {
		if err = w.st.journal.sync(); err != nil {
			err = errors.Join(err, w.void(1))
		}
	}
	return err
}

// void says that the last n plans came to nothing.
func (w *Worktree) void(n int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	n = min(n, len(w.pending))
	if n == 0 {
		return nil
	}
	w.pending = w.pending[:len(w.pending)-n]
	// Without the record the next process looks for the commit and finds none.
	return w.st.journal.append(record{Op: opVoid, S: uint64(n)})
}

// voidAll says so of all plans, and gives their files back, but for those of
// the plan that is being sent: they are its owner's.
func (w *Worktree) voidAll(current *plan) error {
	w.mu.Lock()
	plans := w.pending
	w.mu.Unlock()
	err := w.void(len(plans))
	for _, p := range plans {
		if p != current {
			p.thaw()
		}
	}
	return err
}
