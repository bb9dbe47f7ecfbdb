package fs

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/hubfs/hubfs/commit"
)

// A DiffRequest is the JSON line that .hubfs/diff takes.
type DiffRequest struct {
	Path string `json:"path"` // in the mount, also one that was deleted; of a namespace and the root: all that is below
}

// A DiscardRequest is the JSON line that .hubfs/discard takes.
type DiscardRequest struct {
	Path   string `json:"path"`              // in a repo of the mount, or its root: what is staged there and below
	DryRun bool   `json:"dry_run,omitempty"` // only tell what would be dropped
}

// A ChangeEvent is a line of the answer of .hubfs/diff and .hubfs/discard.
// "delta" carries Delta, "dropped" carries Staged, "settled" what else the
// discarding of a path did. The last one is "done" or "error".
type ChangeEvent struct {
	Type      string             `json:"type"`
	Repo      string             `json:"repo,omitempty"`
	Delta     *commit.Delta      `json:"delta,omitempty"`
	Staged    *commit.StagedPath `json:"staged,omitempty"`
	Discarded *commit.Discarded  `json:"discarded,omitempty"`
	Error     string             `json:"error,omitempty"`
}

// answerDiff answers .hubfs/diff.
func (m *mount) answerDiff(ctx context.Context, request []byte, say func(any)) error {
	var req DiffRequest
	err := decode(request, &req)
	if err == nil {
		err = m.diff(ctx, req, func(e ChangeEvent) { say(e) })
	}
	return conclude(err, say)
}

func conclude(err error, say func(any)) error {
	if err != nil {
		say(ChangeEvent{Type: "error", Error: err.Error()})
	} else {
		say(ChangeEvent{Type: "done"})
	}
	return err
}

func (m *mount) diff(ctx context.Context, req DiffRequest, say func(ChangeEvent)) error {
	pl, parts, err := m.requested(ctx, req.Path)
	if err != nil {
		return err
	}
	work := []*commit.Worktree{pl.work}
	if pl.work == nil {
		if work, err = m.dirty(ctx, pl.prefix); err != nil {
			return err
		}
	}
	var errs []error
	for _, w := range work {
		deltas, err := w.Diff(ctx, strings.Join(parts, "/"))
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", w.Repo(), err))
		}
		for _, d := range deltas {
			say(ChangeEvent{Type: "delta", Repo: w.Repo().String(), Delta: &d})
		}
	}
	return errors.Join(errs...)
}

// answerDiscard answers .hubfs/discard.
func (m *mount) answerDiscard(ctx context.Context, request []byte, say func(any)) error {
	var req DiscardRequest
	err := decode(request, &req)
	if err == nil {
		err = m.discard(ctx, req, func(e ChangeEvent) { say(e) })
	}
	return conclude(err, say)
}

func (m *mount) discard(ctx context.Context, req DiscardRequest, say func(ChangeEvent)) error {
	if m.opts.ReadOnly {
		return errReadOnly
	}
	pl, parts, err := m.requested(ctx, req.Path)
	if err != nil {
		return err
	}
	if pl.work == nil {
		return fmt.Errorf("%s is no repo, nor in one: %w", filepath.Join(m.dir, pl.prefix), syscall.EINVAL)
	}
	path, repo := strings.Join(parts, "/"), pl.work.Repo().String()
	before := pl.work.Status(ctx).Staged
	if req.DryRun {
		for _, s := range dropping(before, path) {
			say(ChangeEvent{Type: "dropped", Repo: repo, Staged: &s})
		}
		return nil
	}
	did, err := pl.work.Discard(ctx, path)
	if err != nil {
		return fmt.Errorf("%s: %w", repo, err)
	}
	m.notifier.settle(ctx)
	left := map[string]string{}
	for _, s := range pl.work.Status(ctx).Staged {
		left[s.Path] = s.Op
	}
	for _, s := range before {
		if left[s.Path] != s.Op {
			say(ChangeEvent{Type: "dropped", Repo: repo, Staged: &s})
		}
	}
	if did.Head != "" || len(did.Conflicts) > 0 {
		say(ChangeEvent{Type: "settled", Repo: repo, Discarded: &did})
	}
	return nil
}

// dropping is what discarding a path would drop: what is staged there and below,
// and the other sides of the renames among that.
func dropping(staged []commit.StagedPath, path string) (out []commit.StagedPath) {
	inside := func(p string) bool { return path == "" || p == path || strings.HasPrefix(p, path+"/") }
	from := map[string]bool{}
	for _, s := range staged {
		if s.Op == "move" && inside(s.Path) {
			from[s.From] = true
		}
	}
	for _, s := range staged {
		if inside(s.Path) || s.Op == "delete" && from[s.Path] || s.Op == "move" && inside(s.From) {
			out = append(out, s)
		}
	}
	return out
}
