package commit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"github.com/hubfs/hubfs/remote"
)

// Commit makes one commit of everything staged that nothing can still write.
// Files that are busy are waited for up to CommitOptions.Wait, then left and
// named in the result. With nothing to commit it does nothing, and makes no
// request unless the base's listing is needed.
//
// The commit is made on top of the base, or of what the branch has moved to,
// if that changed none of our paths; *ConflictError if it did. After any error
// everything is still staged, and Commit may be called again: what the Hub got
// already is not sent twice. A commit whose outcome is unknown is looked for
// in the branch's history, now or by the next call, never sent again before.
func (w *Worktree) Commit(ctx context.Context, o CommitOptions) (Result, error) {
	select {
	case <-w.commit:
		defer func() { w.commit <- struct{}{} }()
	case <-ctx.Done():
		return Result{}, ctx.Err()
	}
	res, err := w.commitAll(ctx, o)
	w.note(res, err)
	if err != nil {
		return res, fmt.Errorf("commit %s: %w", w.Repo(), err)
	}
	return res, nil
}

// note keeps for Status how the last commit ended.
func (w *Worktree) note(res Result, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lastErr, w.conflicts = "", nil
	if err == nil {
		if !res.Unchanged { // else nothing was done about them
			w.warnings = nil
		}
		return
	}
	w.lastErr = err.Error()
	var c *ConflictError
	if errors.As(err, &c) {
		w.conflicts = c.Paths
	}
}

// Dirty reports whether a commit would have something to look at.
func (w *Worktree) Dirty() bool {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.st != nil && !w.closed && (len(w.pending) > 0 || w.root.changed())
}

func (w *Worktree) commitAll(ctx context.Context, o CommitOptions) (Result, error) {
	w.mu.RLock()
	closed := w.closed
	w.mu.RUnlock()
	if closed {
		return Result{}, fs.ErrClosed
	}
	if !w.Dirty() {
		return w.unchanged(), nil
	}
	if w.nothing(ctx) {
		return w.unchanged(), nil
	}
	if err := w.writable(ctx); err != nil {
		var no *readOnlyError
		if o.Automatic && errors.As(err, &no) {
			res := w.unchanged()
			res.Left = no.reason
			return res, nil
		}
		return Result{}, err
	}
	w.mu.RLock()
	proposes, known := w.proposes, slices.Clone(w.conflicts)
	w.mu.RUnlock()
	switch {
	case !proposes || o.CreatePR:
	case o.Automatic:
		res := w.unchanged()
		res.Left = "the token may not write here; hubfs sync opens a pull request with it"
		return res, nil
	case o.Branch != "":
		return Result{}, &readOnlyError{"the token may only open pull requests here"}
	default:
		o.CreatePR = true
	}
	user, err := w.whose(ctx, o.Automatic)
	if err != nil {
		return Result{}, err
	}
	res, err := w.commitParts(ctx, o)
	if err == nil && user != "" {
		w.take(user)
	}
	if err == nil && res.Branch != "" && len(known) > 0 {
		w.advance(ctx, nil, known) // both sides of the conflict are settled
	}
	return res, err
}

// nothing reports whether all that is staged is left out of commits, as far as
// that is known without asking the Hub what it ignores.
func (w *Worktree) nothing(ctx context.Context) bool {
	w.mu.RLock()
	base, pending := w.base, len(w.pending) > 0
	root := w.root.shoot("")
	w.mu.RUnlock()
	if pending || root.commits() {
		return false
	}
	// A file may be where the base has a directory.
	x, err := diff(ctx, base, root)
	return err == nil && len(x.items) == 0 && len(x.deletes) == 0
}

// maxTries bounds how often a commit follows a branch that moves.
const maxTries = 3

// errAgain says that the worktree has a new base, and the plan is void.
var errAgain = errors.New("plan again")

func (w *Worktree) unchanged() Result { return Result{Commit: w.BaseCommit(), Unchanged: true} }

// serial makes one call at a time.
func serial(f func(Event)) func(Event) {
	if f == nil {
		return func(Event) {}
	}
	var mu sync.Mutex
	return func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		f(e)
	}
}

// committing is one run of Commit.
type committing struct {
	w        *Worktree
	o        CommitOptions
	part     int         // of several commits, from 1
	repo     remote.Repo // at the branch that it goes to
	to       target
	progress func(Event)
	filter   *filter
	p        *plan
	inline   []remote.InlineFile
	warnings []string
}

func (c *committing) run(ctx context.Context) (res Result, err error) {
	w := c.w
	if c.filter, err = newFilter(c.o.Allow, c.o.Ignore); err != nil {
		return res, err
	}
	if err := c.draw(ctx); err != nil {
		return res, err
	}
	kept := false // the plan's files stay frozen: its outcome is not known
	defer func() {
		if !kept {
			c.p.thaw()
		}
		w.setReasons(c.p)
		w.planned()
	}()
	if err := c.compare(ctx); err != nil {
		return res, err
	}
	if c.p.changes() > 0 {
		if err := c.guard(ctx); err != nil {
			return res, err
		}
		if err := c.checkCard(ctx); err != nil {
			return res, err
		}
		if err := c.upload(ctx); err != nil {
			return res, err
		}
	}
	for range maxTries {
		if c.p.changes() == 0 {
			res := w.unchanged()
			res.Busy, res.Skipped = c.p.busy, len(c.p.skipped)
			return res, c.landQuietly()
		}
		res, kept, err = c.send(ctx)
		if !errors.Is(err, errMoved) {
			return res, err
		}
		if err := c.follow(ctx); err != nil {
			return res, err
		}
	}
	return res, fmt.Errorf("the branch moved %d times while committing: %w", maxTries, remote.ErrConflict)
}

// compare hashes what is staged and finds what of it is new. A repo that does
// not exist is made now, if there is anything to be put into it.
func (c *committing) compare(ctx context.Context) error {
	w := c.w
	long := len(c.p.parent) == 64
	if err := c.p.hashAll(ctx, long, c.progress); err != nil {
		return err
	}
	if err := c.unseen(ctx); err != nil {
		return err
	}
	if !w.New() {
		if c.p.changes() > 0 && (c.p.parent == "" || c.to.away()) {
			// A commit without a parent is made on top of whatever is there: see
			// first that it is nothing of ours.
			return c.follow(ctx)
		}
		return nil
	}
	if len(c.p.items) == 0 {
		return nil
	}
	head, err := c.create(ctx)
	if err != nil {
		return err
	}
	if head != nil && len(head.Commit()) == 64 {
		if err := c.p.hashAll(ctx, true, c.progress); err != nil {
			return err
		}
	}
	if c.to.away() {
		return c.follow(ctx)
	}
	return c.onto(ctx, head)
}

// create makes the repo on the Hub and gives its first commit as the base.
func (c *committing) create(ctx context.Context) (*remote.Snapshot, error) {
	w := c.w
	private := c.o.Private
	if private == nil && w.s.o.Private {
		private = &w.s.o.Private
	}
	o := remote.CreateOptions{Private: private, ExistOK: true}
	if c.repo.Type == remote.Space {
		o.SDK = c.p.sdk()
	}
	// A repo that is made and can't be noted down would be left there empty.
	free, err := w.st.reserve(c.p)
	if err != nil {
		return nil, err
	}
	own := w.Repo()
	_, err = w.s.o.Client.CreateRepo(ctx, own, o)
	free()
	if err != nil {
		return nil, err
	}
	head, err := w.s.o.Client.Snapshot(ctx, own)
	if err != nil {
		return nil, err
	}
	head = usable(head)
	// Somebody may have made it, and put things into it.
	if err := c.clash(ctx, nil, head); err != nil {
		return nil, err
	}
	w.mu.Lock()
	changes, err := w.created(head, c.p)
	w.mu.Unlock()
	if err == nil {
		err = w.identify()
	}
	w.tell(changes)
	return head, err
}

// created puts the first base under a new repo. Under mu.
func (w *Worktree) created(head *remote.Snapshot, p *plan) ([]Change, error) {
	r := record{Op: opBase}
	if head != nil {
		r = baseRecord(head)
	}
	clashes := w.clashesNow(p)
	if err := w.st.journal.append(append([]record{r}, clashes...)...); err != nil {
		return nil, err
	}
	for _, c := range clashes {
		w.clash(c.P, c.C)
	}
	w.rise(head)
	w.isNew = false
	return w.foreignChanges(p.theirs.paths()), nil
}

func (c *committing) result(commit, url string) Result {
	return Result{
		Commit: commit, URL: url, Files: c.p.changes(), Bytes: c.p.bytes(), Busy: c.p.busy, Commits: 1,
		Branch: c.to.branch, Skipped: len(c.p.skipped), Warnings: c.warnings,
	}
}

// ours is what a plan that has become a commit makes of the tree.
func (w *Worktree) ours(p *plan, commit string) *remote.Snapshot {
	repo := w.Repo()
	if p.target.branch != "" {
		repo = w.targetRepo(p)
	}
	return w.s.o.Client.SnapshotAt(repo, commit, time.Now().UTC().Truncate(time.Second))
}
