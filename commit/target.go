package commit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/hubfs/hubfs/remote"
)

// A target says where a commit goes. The zero value is the worktree's own
// branch.
type target struct {
	branch string    // another branch of the repo
	pull   *int      // a pull request, which will have a higher number than this
	sent   time.Time // of a pull request: when it was about to be asked for
}

func (t target) away() bool { return t.branch != "" || t.pull != nil }

func (t target) same(o target) bool {
	return t.branch == o.branch && (t.pull != nil) == (o.pull != nil)
}

func (t target) String() string {
	switch {
	case t.pull != nil:
		return "a pull request"
	case t.branch != "":
		return "the branch " + t.branch
	}
	return "the branch"
}

// errTargets says that a commit cannot go to both.
var errTargets = fmt.Errorf("a commit goes to another branch or to a pull request, not to both: %w", fs.ErrInvalid)

// aim finds the target of a commit.
func (c *committing) aim() error {
	own := c.repo.Branch()
	switch {
	case c.o.CreatePR && c.o.Branch != "":
		return errTargets
	case c.o.CreatePR:
		c.to.pull = new(int)
	case c.o.Branch != "":
		to := normal(remote.Repo{Type: c.repo.Type, ID: c.repo.ID, Rev: c.o.Branch})
		if !remote.ValidRev(c.o.Branch) || remote.IsCommit(c.o.Branch) {
			return fmt.Errorf("branch %q: %w", c.o.Branch, fs.ErrInvalid)
		}
		if to.Branch() != own {
			c.to.branch = to.Branch()
			c.repo = to
		}
	}
	return nil
}

// targetRepo is the repo at the branch that a plan goes to.
func (w *Worktree) targetRepo(p *plan) remote.Repo {
	repo := w.Repo()
	if p.target.branch != "" {
		repo.Rev = p.target.branch
	}
	return normal(repo)
}

// head is where the target is now: nil for one without a commit. A branch that
// is missing is made from the base. A pull request begins at the base, as long
// as the Hub has that.
func (c *committing) head(ctx context.Context) (*remote.Snapshot, error) {
	cl := c.w.s.o.Client
	base := c.w.baseSnapshot()
	if c.to.pull != nil && base != nil {
		at := c.repo
		at.Rev = base.Commit()
		if _, err := cl.Info(ctx, at); err == nil {
			return base, nil
		} else if !vanished(err) {
			return nil, err
		}
	}
	head, err := cl.Snapshot(ctx, c.repo)
	if c.to.branch == "" || !vanished(err) {
		return usable(head), err
	}
	if base == nil {
		return nil, fmt.Errorf("branch %s: the repo has no commit to make it from: %w", c.to.branch, err)
	}
	err = cl.CreateBranch(ctx, c.repo, c.to.branch, base.Commit())
	if vanished(err) { // the history was rewritten: from what the branch is at now
		err = cl.CreateBranch(ctx, c.repo, c.to.branch, c.w.Repo().Branch())
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("branch %s: %w", c.to.branch, err)
	}
	head, err = cl.Snapshot(ctx, c.repo)
	return usable(head), err
}

// number notes the highest number that a pull request has now, so that one
// whose answer is lost is found among the later ones.
func (c *committing) number(ctx context.Context) error {
	if c.to.pull == nil {
		return nil
	}
	n := 0
	for pr, err := range c.w.s.o.Client.PullRequests(ctx, c.repo) {
		if err != nil {
			return fmt.Errorf("pull requests: %w", err)
		}
		n = max(n, pr.Number)
		break // newest first
	}
	c.to.pull, c.to.sent = &n, c.w.s.now().UTC().Truncate(time.Second)
	c.p.target = c.to
	return nil
}

// pullPatience is how long a pull request that was asked for and not answered
// may still appear: until then it is not asked for again.
const pullPatience = 5 * time.Minute

// findPull looks for the pull request of a plan among those that are newer than
// what there was before. sure is false as long as it may still appear.
func (w *Worktree) findPull(ctx context.Context, p *plan) (made *remote.PullRequest, commit string, sure bool, err error) {
	repo := w.targetRepo(p)
	me := w.s.user(ctx)
	for pr, err := range w.s.o.Client.PullRequests(ctx, repo) {
		if err != nil {
			return nil, "", false, err
		}
		if pr.Number <= *p.target.pull {
			break
		}
		if pr.Author != "" && me != "" && pr.Author != me {
			continue
		}
		at := repo
		at.Rev = pr.Ref()
		head, err := w.s.o.Client.Snapshot(ctx, at)
		if err != nil {
			return nil, "", false, err
		}
		child, err := w.childOf(ctx, at, p.parent, head.Commit())
		if err != nil {
			return nil, "", false, err
		}
		ok, err := p.madeBy(ctx, w.s.o.Client.SnapshotAt(at, child, head.Date()))
		if err != nil {
			return nil, "", false, err
		}
		if ok {
			return &pr, child, true, nil
		}
	}
	return nil, "", w.s.now().Sub(p.target.sent) >= pullPatience, nil
}

// pageOfPull is the page of a pull request.
func (w *Worktree) pageOfPull(n int) string {
	return fmt.Sprintf("%s/discussions/%d", w.page(), n)
}
