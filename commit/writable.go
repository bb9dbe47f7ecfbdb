package commit

import (
	"context"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/hubfs/hubfs/remote"
)

// A readOnlyError says why nothing can be staged. It is syscall.EROFS.
type readOnlyError struct{ reason string }

func (e *readOnlyError) Error() string { return "read-only: " + e.reason }
func (e *readOnlyError) Unwrap() error { return syscall.EROFS }

// Writable reports whether changes can be staged: nil, or an error that is
// syscall.EROFS and says why not, or what kept it from being found out. A
// positive answer is kept, and so is the Hub's negative one.
func (w *Worktree) Writable(ctx context.Context) error {
	w.mu.RLock()
	ready, refused, closed := w.st != nil && w.allowed, w.refused, w.closed
	w.mu.RUnlock()
	switch {
	case closed:
		return fmt.Errorf("%s: %w", w.Repo(), fs.ErrClosed)
	case ready:
		return nil
	case refused != nil:
		return refused
	}
	if err := w.may(ctx); err != nil {
		return err
	}
	return w.prepare(ctx)
}

// writable is Writable for a commit: what recover took for granted is asked for
// now, as a commit needs the network anyway.
func (w *Worktree) writable(ctx context.Context) error {
	w.mu.RLock()
	assumed, repo := w.assumed, w.repo
	w.mu.RUnlock()
	if assumed {
		// Without an answer the Hub tells when it gets the commit.
		if ok, proposes, reason, err := w.ask(ctx, repo); err == nil {
			w.mu.Lock()
			w.assumed, w.allowed, w.proposes = false, ok, proposes
			if !ok {
				w.refused = &readOnlyError{reason}
			}
			w.mu.Unlock()
		}
	}
	return w.Writable(ctx)
}

// may asks who the token belongs to, once.
func (w *Worktree) may(ctx context.Context) error {
	w.mu.RLock()
	repo, allowed := w.repo, w.allowed
	w.mu.RUnlock()
	if allowed {
		return nil
	}
	refuse := func(reason string) error {
		err := &readOnlyError{reason}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.refused = err
		return err
	}
	if w.s.o.ReadOnly {
		return refuse("the mount is read-only")
	}
	ok, proposes, reason, err := w.ask(ctx, repo)
	if err != nil {
		return fmt.Errorf("may %s be written: %w", repo, err)
	}
	if !ok {
		return refuse(reason)
	}
	w.mu.Lock()
	w.allowed, w.proposes = true, proposes
	w.mu.Unlock()
	return nil
}

// ask finds out whether the token may write, or only propose if that is wanted
// in such repos: what is staged goes to pull requests then.
func (w *Worktree) ask(ctx context.Context, repo remote.Repo) (ok, proposes bool, reason string, err error) {
	ok, reason, err = w.s.o.Client.MayWrite(ctx, repo)
	if err != nil || ok || !w.s.o.PullRequests || w.New() || repo.Branch() != remote.DefaultBranch {
		return ok, false, reason, err
	}
	may, _, err := w.s.o.Client.MayPropose(ctx, repo)
	return may, may, reason, err
}

// prepare takes the state on disk before the first change.
func (w *Worktree) prepare(ctx context.Context) error {
	// Neither a caller that is killed nor Close waits for as long as another
	// process has the lock.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(w.s.ctx, cancel)()
	select {
	case <-w.setUp:
		defer func() { w.setUp <- struct{}{} }()
	case <-ctx.Done():
		return ctx.Err()
	}
	w.mu.RLock()
	ready, repo, base := w.st != nil, w.repo, w.base
	w.mu.RUnlock()
	if ready {
		return nil
	}
	st, id, err := w.s.openState(ctx, repo, true)
	if held, ok := err.(*heldError); ok {
		return w.holdBy(held)
	}
	if err != nil {
		return err
	}
	if id.Repo != "" {
		// Since this worktree was opened another process has staged here. What
		// it left does not lie over our base; if it left nothing, begin anew.
		if staged(st.disk.path, id) {
			st.release()
			return &readOnlyError{"another process has staged changes meanwhile: mount again to see them"}
		}
	}
	id = identity{Endpoint: w.s.o.Client.Endpoint(), Repo: repo.String(), User: w.s.user(ctx)}
	if err := st.begin(id, header(base)); err != nil {
		st.release()
		return err
	}
	w.mu.Lock()
	closed := w.closed
	if !closed {
		w.st, w.held, w.user = st, nil, id.User
	}
	w.mu.Unlock()
	if closed {
		st.erase()
		return fs.ErrClosed
	}
	return nil
}

func (w *Worktree) holdBy(held *heldError) error {
	err := &readOnlyError{held.Error()}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held = err
	return err
}
