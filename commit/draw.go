package commit

import (
	"context"

	"github.com/hubfs/hubfs/remote"
)

// draw makes the plan, with a model card in it if one is wanted. A base that is
// gone from the Hub with all that is known of it cannot be compared with: then
// what is staged is planned over what the branch is at now, if that was asked
// for.
func (c *committing) draw(ctx context.Context) (err error) {
	w := c.w
	defer func() {
		if err != nil && c.p != nil { // what is left to be done to it failed
			c.p.thaw()
			w.planned()
		}
	}()
	c.p, err = w.plan(ctx, c.o.Wait, c.filter, nil)
	if vanished(err) {
		head, herr := w.s.o.Client.Snapshot(ctx, w.Repo())
		if herr != nil {
			return herr
		}
		if !c.o.Force && !c.o.CreatePR {
			return w.rewritten(ctx, head)
		}
		if c.p, err = w.plan(ctx, c.o.Wait, c.filter, head); err == nil {
			err = c.seeAnew(ctx, head)
		}
	}
	if err != nil {
		return err
	}
	added, err := c.addCard(ctx)
	if err == nil && added {
		c.p.thaw()
		c.p, err = w.plan(ctx, c.o.Wait, c.filter, nil)
	}
	return err
}

// seeAnew counts all that a head has as changed: nothing else can be told.
func (c *committing) seeAnew(ctx context.Context, head *remote.Snapshot) error {
	t, err := compareTrees(ctx, nil, head)
	if err == nil {
		t.base, t.blind = c.w.BaseCommit(), true
		c.p.theirs, c.p.forced = t, t.overBeside(c.p, c.w.beside(c.p))
	}
	return err
}

// rewritten is the conflict of all that is staged with a branch whose history
// was rewritten.
func (w *Worktree) rewritten(ctx context.Context, head *remote.Snapshot) error {
	e := &ConflictError{Head: head.Commit(), Rewritten: true}
	for _, s := range w.Status(ctx).Staged {
		if s.Reason == "" {
			e.Paths = append(e.Paths, s.Path)
		}
	}
	return e
}
