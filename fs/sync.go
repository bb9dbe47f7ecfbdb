package fs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"

	"github.com/hubfs/hubfs/commit"
	"github.com/hubfs/hubfs/remote"
)

// A SyncEvent is one thing that happens during a sync, and a JSON line read
// from .hubfs/sync. "progress" carries Event, "result" the Result of one repo,
// "error" says why something was not committed. The last one is "done" if
// nothing went wrong, else an "error".
type SyncEvent struct {
	Type          string        `json:"type"`
	Repo          string        `json:"repo,omitempty"`
	Code          string        `json:"code,omitempty"` // of an error: "conflict", "busy", "held", "failed" or "usage"
	Error         string        `json:"error,omitempty"`
	Place         string        `json:"place,omitempty"`  // of an error: where the repo is in the mount; "" where one is mounted
	Subdir        string        `json:"subdir,omitempty"` // of an error: the folder of the repo that is mounted
	Paths         []string      `json:"paths,omitempty"`  // of a conflict, in the repo
	Head          string        `json:"head,omitempty"`   // of a conflict: the commit that the branch is at
	Sides         []commit.Side `json:"sides,omitempty"`  // of a conflict: what both did, path by path
	Event         commit.Event  `json:"event,omitzero"`   // of "progress"
	commit.Result               // of "result"; flat in the JSON. Branch also of an error: the one that was asked for, or is the mount's own
}

// errBusy is part of the error of a sync that left files out.
var errBusy = errors.New("files that are open for writing were left out")

// errReadOnly is what a sync says that cannot have anything to commit.
var errReadOnly = fmt.Errorf("the mount is read-only: there is nothing to commit (%w)", syscall.EROFS)

// Sync makes commits and tells events, one at a time, what happens; events may
// be nil. It returns the errors of what was not committed, after having tried
// everything that was asked for.
func (s *Server) Sync(ctx context.Context, req SyncRequest, events func(SyncEvent)) error {
	if events == nil {
		events = func(SyncEvent) {}
	}
	return s.m.sync(ctx, req, events)
}

// answerSync answers .hubfs/sync.
func (m *mount) answerSync(ctx context.Context, request []byte, say func(any)) error {
	var req SyncRequest
	if err := decode(request, &req); err != nil {
		say(SyncEvent{Type: "error", Code: "usage", Error: err.Error()})
		return err
	}
	return m.sync(ctx, req, func(e SyncEvent) { say(e) })
}

func (m *mount) sync(ctx context.Context, req SyncRequest, events func(SyncEvent)) error {
	if req.Unmount && (req.Keep || m.opts.NoCommit) {
		m.keepStaged.Store(true)
		events(SyncEvent{Type: "done"})
		return nil
	}
	if m.opts.ReadOnly && req.Unmount {
		events(SyncEvent{Type: "done"})
		return nil
	}
	if m.opts.ReadOnly {
		events(SyncEvent{Type: "error", Code: "failed", Error: errReadOnly.Error()})
		return errReadOnly
	}
	opts, err := req.CommitOptions.or(m.opts.Commit).Commit(req.Unmount)
	var work []*commit.Worktree
	if err == nil {
		work, err = m.toSync(ctx, req)
	}
	if err != nil {
		code := "failed"
		if errors.Is(err, syscall.EINVAL) {
			code = "usage"
		}
		events(SyncEvent{Type: "error", Code: code, Error: err.Error()})
		return err
	}
	var failed []SyncEvent
	var errs []error
	for _, w := range work {
		repo := w.Repo().String()
		opts.Progress = func(e commit.Event) { events(SyncEvent{Type: "progress", Repo: repo, Event: e}) }
		res, err := w.Commit(ctx, opts)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("%s: %w", repo, err))
			e := SyncEventOf(w.Repo(), err)
			e.Place, e.Subdir, e.Branch = m.placeIn(w.Repo()), m.opts.Subdir, opts.Branch
			failed = append(failed, e)
			continue
		case len(res.Busy) > 0:
			errs = append(errs, fmt.Errorf("%s: %w: %s", repo, errBusy, strings.Join(res.Busy, ", ")))
		}
		m.appeared(w, res.Branch)
		events(SyncEvent{Type: "result", Repo: repo, Result: res})
	}
	m.notifier.settle(ctx) // so that who looks after the answer sees the commit
	for _, e := range failed {
		events(e)
	}
	if len(failed) == 0 {
		done := SyncEvent{Type: "done"}
		if len(errs) > 0 {
			done.Code = "busy"
		}
		events(done)
	}
	return errors.Join(errs...)
}

// SyncEventOf tells why a repo was not committed.
func SyncEventOf(repo remote.Repo, err error) SyncEvent {
	e := SyncEvent{Type: "error", Repo: repo.String(), Code: "failed", Error: err.Error()}
	var conflict *commit.ConflictError
	switch {
	case errors.As(err, &conflict):
		e.Code, e.Paths, e.Head, e.Sides = "conflict", conflict.Paths, conflict.Head, conflict.Sides
	case errors.Is(err, remote.ErrConflict):
		e.Code = "conflict"
	case errors.Is(err, commit.ErrHeld):
		e.Code = "held"
	}
	return e
}

// placeIn is where a repo is in the mount; "" in a mount of one repo.
func (m *mount) placeIn(repo remote.Repo) string {
	if m.opts.Repo != nil {
		return ""
	}
	ns, name := placeOf(repo)
	place := joinPath(ns, name)
	if repo.Type != remote.Model {
		place = repo.Type.Plural() + "/" + place
	}
	return place
}

// toSync are the worktrees that a request means. Of those that it does not
// name, only what has something staged.
func (m *mount) toSync(ctx context.Context, req SyncRequest) ([]*commit.Worktree, error) {
	if req.Repo != "" {
		repo, _, err := m.client.ParseRepo(req.Repo)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", syscall.EINVAL, err)
		}
		w, err := m.store.Worktree(ctx, repo)
		if err != nil {
			return nil, err
		}
		m.watch(w)
		return []*commit.Worktree{w}, nil
	}
	prefix := ""
	if !req.All {
		pl, _, err := m.requested(ctx, req.Path)
		if err != nil {
			return nil, err
		}
		if pl.work != nil {
			return []*commit.Worktree{pl.work}, nil
		}
		prefix = pl.prefix
	}
	return m.dirty(ctx, prefix)
}

// dirty are the worktrees with staged work whose path begins with prefix, also
// those left by an earlier mount that nobody has used since.
func (m *mount) dirty(ctx context.Context, prefix string) ([]*commit.Worktree, error) {
	var out []*commit.Worktree
	for _, w := range m.worktrees() {
		if w.Dirty() && strings.HasPrefix(w.Repo().Path(), prefix) {
			out = append(out, w)
		}
	}
	for _, repo := range m.leftovers() {
		if !strings.HasPrefix(repo.Path(), prefix) {
			continue
		}
		w, err := m.leftover(ctx, repo)
		if err != nil {
			// Another mount has it, or it can't be read: not ours to commit now.
			m.log.Info("staged work left alone", "repo", repo.String(), "err", err)
			continue
		}
		if w.Dirty() && !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	return out, nil
}
