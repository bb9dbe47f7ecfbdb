package commit

import (
	"context"

	"github.com/hubfs/hubfs/blockcache"
	"github.com/hubfs/hubfs/remote"
)

// Blob gives the content of a committed file, pinned in the cache until it is
// closed. It makes no request: reading does.
func (w *Worktree) Blob(ctx context.Context, e remote.Entry) (*blockcache.Blob, error) {
	// Content that a commit is just moving into the cache need not be fetched.
	w.mu.RLock()
	adopting, repo := w.adopting, w.repo
	w.mu.RUnlock()
	if adopting != nil && adopting.blobs[e.Blob.ID] {
		select {
		case <-adopting.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	commit, path := w.whence(ctx, e)
	at := e
	at.Path = path
	return w.s.o.Cache.Blob(e.Blob.ID, e.Size, w.s.o.Client.Content(repo, commit, at))
}

// whence says at which commit and path a blob can be fetched. A node may have
// been looked up before the base moved on, so earlier bases count too.
func (w *Worktree) whence(ctx context.Context, e remote.Entry) (commit, path string) {
	w.mu.RLock()
	src, moved := w.sources[e.Blob.ID]
	snaps := append([]*remote.Snapshot{w.base}, w.bases...)
	commit = w.baseCommit()
	w.mu.RUnlock()
	if moved && src.path == e.Path {
		return src.commit, src.path
	}
	if len(snaps) > 1 {
		for _, snap := range snaps {
			if snap == nil {
				continue
			}
			if have, err := snap.Stat(ctx, e.Path); err == nil && have.Blob.ID == e.Blob.ID {
				return snap.Commit(), e.Path
			}
		}
	}
	if moved {
		return src.commit, src.path
	}
	return commit, e.Path
}
