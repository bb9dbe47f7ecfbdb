package commit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"time"

	"github.com/hubfs/hubfs/remote"
)

// open makes the worktree of a repo that has none here yet. known, if not nil,
// is its snapshot.
func (s *Store) open(ctx context.Context, repo remote.Repo, known *remote.Snapshot) (*Worktree, error) {
	w := newWorktree(s, repo)
	if !s.o.ReadOnly {
		st, id, err := s.openState(ctx, repo, false)
		var held *heldError
		switch {
		case err == nil:
			if err := w.recover(ctx, st, id); err != nil {
				return nil, errors.Join(err, st.release())
			}
			return w, nil
		case errors.As(err, &held):
			w.holdBy(held)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, err
		}
	}
	snap := known
	if snap == nil {
		var err error
		if snap, err = s.o.Client.Snapshot(ctx, repo); err != nil {
			return nil, err
		}
		if to := normal(snap.Repo()); to != repo {
			return s.renamed(ctx, repo, to) // an old name: the changes belong to the new one
		}
	}
	w.base = usable(snap)
	return w, nil
}

// maxRenames is how often a repo may say that it is called otherwise.
const maxRenames = 4

// renamed opens the worktree of a repo that another name leads to. That it goes
// by its name is found out here first: two names that lead to each other would
// wait for each other's worktree.
func (s *Store) renamed(ctx context.Context, from, to remote.Repo) (*Worktree, error) {
	for range maxRenames {
		s.mu.Lock()
		w := s.trees[to]
		s.mu.Unlock()
		if w != nil {
			return w, nil
		}
		snap, err := s.o.Client.Snapshot(ctx, to)
		if err != nil {
			return nil, err
		}
		if now := normal(snap.Repo()); now != to {
			to = now
			continue
		}
		return s.shared(ctx, to, func() (*Worktree, error) { return s.open(s.ctx, to, snap) })
	}
	return nil, fmt.Errorf("%s: the Hub says that it was renamed, and renamed again, without end: %w", from, syscall.ELOOP)
}

// usable is nil for the snapshot of a repo that has no commit.
func usable(snap *remote.Snapshot) *remote.Snapshot {
	if snap == nil || snap.Commit() == "" {
		return nil
	}
	return snap
}

// recover brings back what an earlier process left, on the base it was staged
// on. If nothing is staged the base is what the branch is at now.
func (w *Worktree) recover(ctx context.Context, st *state, id identity) error {
	if err := w.replay(st); err != nil {
		return fmt.Errorf("%s: %w", st.disk.path, err)
	}
	// The token that staged it may write here. Of another account's the Hub is
	// asked before the next change, if it is known to be that.
	user, known := w.s.o.Client.KnownUser()
	other := known && id.User != "" && id.User != user.Name
	w.allowed = !w.s.o.Client.Anonymous() && !other
	w.assumed = w.allowed
	w.isNew = id.New && w.base == nil
	w.user = id.User
	if id.damage != nil {
		w.warn(fmt.Sprintf("%v: made anew, but for whose work it is", id.damage))
	}
	if id.New && !w.isNew || id.damage != nil {
		// The process ended between the two: repo.json must not say so when the
		// journal, which goes first, is gone.
		if err := st.identify(w.identity()); err != nil {
			w.s.o.Logger.Warn("repo.json could not be brought up to date", "repo", w.repo.String(), "error", err)
		}
	}
	if len(w.pending) == 0 {
		if st.journal.length() > 2*w.root.count()+100 || st.journal.sums.alone {
			if err := st.journal.rewrite(w.records()); err != nil {
				return err
			}
		}
	}
	if w.isNew || len(w.pending) > 0 || w.root.changed() {
		return nil
	}
	if w.user != "" { // it holds nothing of theirs any more
		w.take(w.s.user(ctx))
	}
	snap, err := w.s.o.Client.Snapshot(ctx, w.repo)
	switch {
	case err == nil:
	case w.base == nil, errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return err
	default:
		return nil // offline, or about as good: the base we know
	}
	if snap = usable(snap); snap == nil || w.base != nil && snap.Commit() == w.base.Commit() {
		return nil
	}
	if err := st.journal.append(baseRecord(snap)); err != nil {
		return err
	}
	w.rise(snap)
	return nil
}

// rise is rebase where no plan has become the new base: directories made here
// that cover nothing show what it has at their places, or they would hide it, and
// the next commit delete it. It is what a base record says that is about no intent.
func (w *Worktree) rise(snap *remote.Snapshot) {
	w.rebase(snap)
	w.revealAll(w.root)
}

// rebase puts another base under what is staged. Under Worktree.mu, or before
// anybody else has the worktree.
func (w *Worktree) rebase(snap *remote.Snapshot) {
	if w.base != nil {
		w.bases = append([]*remote.Snapshot{w.base}, w.bases...)
		if len(w.bases) > maxBases {
			w.bases = w.bases[:maxBases]
		}
	}
	w.base = snap
	if snap != nil {
		w.isNew = false
	}
}

// maxBases is how many earlier bases are kept for nodes that were looked up in
// them and are opened later.
const maxBases = 8

// snapshotAt is the snapshot a base record names.
func (w *Worktree) snapshotAt(r record) *remote.Snapshot {
	if r.C == "" {
		return nil
	}
	var t time.Time
	if r.T != nil {
		t = *r.T
	}
	return w.s.o.Client.SnapshotAt(w.repo, r.C, t)
}

// Create stages a repo that is not on the Hub yet: its first commit makes it.
// fs.ErrExist if it is there or staged already.
func (s *Store) Create(ctx context.Context, repo remote.Repo) (*Worktree, error) {
	repo = normal(repo)
	if repo.Rev != "" || !remote.ValidID(repo.ID) || repo.Namespace() == "" {
		return nil, fmt.Errorf("create %s: %w", repo, fs.ErrInvalid)
	}
	if _, err := s.Worktree(ctx, repo); err == nil {
		return nil, fmt.Errorf("create %s: %w", repo, fs.ErrExist)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	w := newWorktree(s, repo)
	w.isNew = true
	if err := w.may(ctx); err != nil {
		return nil, fmt.Errorf("create %s: %w", repo, err)
	}
	mine := false
	got, err := s.shared(ctx, repo, func() (*Worktree, error) {
		mine = true
		st, id, err := s.openState(s.ctx, repo, true)
		if held, ok := err.(*heldError); ok {
			return nil, &readOnlyError{held.Error()}
		}
		if err != nil {
			return nil, err
		}
		if id.Repo != "" && staged(st.disk.path, id) {
			return nil, errors.Join(fs.ErrExist, st.release())
		}
		id = identity{Endpoint: s.o.Client.Endpoint(), Repo: repo.String(), New: true, User: s.user(ctx)}
		if err := st.begin(id, header(nil)); err != nil {
			return nil, errors.Join(err, st.release())
		}
		w.st, w.user = st, id.User
		return w, nil
	})
	if err != nil {
		return nil, err
	}
	if !mine || got != w {
		return nil, fmt.Errorf("create %s: %w", repo, fs.ErrExist)
	}
	return w, nil
}
