package commit

import (
	"context"
	"fmt"
)

// user is the name of the account that commits are made by, "" if it cannot be
// found out. After MayWrite it takes no request.
func (s *Store) user(ctx context.Context) string {
	u, err := s.o.Client.WhoAmI(ctx)
	if err != nil {
		return ""
	}
	return u.Name
}

// whose holds an automatic commit of what another account staged: it would be
// made under this one's name. For one that was asked for it gives the name of
// the account that takes the work over by it, "" if it is not another one.
func (w *Worktree) whose(ctx context.Context, automatic bool) (string, error) {
	w.mu.RLock()
	owner := w.user
	w.mu.RUnlock()
	if owner == "" {
		return "", nil
	}
	user := w.s.user(ctx)
	switch {
	case user == "", user == owner:
		return "", nil
	case automatic:
		return "", fmt.Errorf("it was staged by %s and would be committed by %s: %w", owner, user, ErrHeld)
	}
	return user, nil
}

// take writes down that what is staged is a user's work, or with "" that
// nobody knows whose. If it can't be, automatic commits are held as before.
func (w *Worktree) take(user string) {
	w.mu.RLock()
	st, id := w.st, w.identity()
	w.mu.RUnlock()
	if id.User == user {
		return
	}
	id.User = user
	if err := st.identify(id); err != nil {
		w.s.o.Logger.Warn("whose work is staged could not be written down", "repo", id.Repo, "error", err)
		return
	}
	w.mu.Lock()
	w.user = user
	w.mu.Unlock()
}

// identify writes down whose and which repo it is. It waits for the disk, so it
// is for who may commit, without Worktree.mu.
func (w *Worktree) identify() error {
	w.mu.RLock()
	st, id := w.st, w.identity()
	w.mu.RUnlock()
	return st.identify(id)
}

// identity is what repo.json says. Under mu.
func (w *Worktree) identity() identity {
	return identity{Endpoint: w.s.o.Client.Endpoint(), Repo: w.repo.String(), New: w.isNew, User: w.user}
}
