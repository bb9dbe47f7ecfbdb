package fs

import (
	"context"
	"sync"
	"time"

	"github.com/hubfs/hubfs/commit"
)

// An autoCommitter commits worktrees whose staged work has been left alone for
// some time. Writes by passthrough make no call of this process, so it looks at
// the files every now and then.
type autoCommitter struct {
	m      *mount
	every  time.Duration // idle time
	cancel context.CancelFunc
	ended  chan struct{}
	opened time.Time // when leftovers were looked for; used by look only

	mu    sync.Mutex
	trees map[*commit.Worktree]*idle
}

// idle is what is known of one worktree with staged work.
type idle struct {
	seen  commit.Activity
	since time.Time // seen first, or tried to commit last
	tries int       // that left something staged, since the last change
}

// mostIdle bounds how long a commit that failed is not tried again.
const mostIdle = time.Hour

func newAutoCommitter(m *mount) *autoCommitter {
	return &autoCommitter{m: m, every: m.opts.CommitEvery, trees: map[*commit.Worktree]*idle{}}
}

// start looks until close is called.
func (a *autoCommitter) start() {
	ctx, cancel := context.WithCancel(context.Background())
	a.cancel, a.ended = cancel, make(chan struct{})
	tick := time.NewTicker(max(a.every/4, 10*time.Millisecond))
	go func() {
		defer close(a.ended)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				a.look(ctx, time.Now)
			case <-ctx.Done():
				return
			}
		}
	}()
}

// close gives up a commit that is under way: it is found, or made, by the one
// at the end of the mount.
func (a *autoCommitter) close() {
	if a == nil || a.cancel == nil {
		return
	}
	a.cancel()
	<-a.ended
}

// closed tells that a file was closed that could be written: one that a commit
// had to leave out can be had now.
func (a *autoCommitter) closed(w *commit.Worktree) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if t := a.trees[w]; t != nil {
		t.tries = 0
	}
}

// look commits what has been idle for long enough, unless all is to be kept. It
// asks for the time again and again, since a commit may take long.
func (a *autoCommitter) look(ctx context.Context, clock func() time.Time) {
	a.openLeftovers(ctx, clock())
	work := a.m.worktrees()
	staged := map[*commit.Worktree]bool{}
	for _, w := range work {
		if ctx.Err() != nil || a.m.keepStaged.Load() {
			return
		}
		if !w.Dirty() || staged[w] {
			continue
		}
		staged[w] = true
		if a.due(w, clock()) {
			a.commit(ctx, w, clock)
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for w := range a.trees {
		if !staged[w] {
			delete(a.trees, w)
		}
	}
}

// openLeftovers opens what an earlier mount left staged. One that cannot be had
// may cost a request, so they are not tried with each look.
func (a *autoCommitter) openLeftovers(ctx context.Context, now time.Time) {
	if !a.opened.IsZero() && now.Sub(a.opened) < max(a.every, leftoverEvery) {
		return
	}
	a.opened = now
	for _, repo := range a.m.leftovers() {
		if _, err := a.m.leftover(ctx, repo); err != nil {
			a.m.log.Info("staged work left alone", "repo", repo.String(), "err", err)
		}
	}
}

const leftoverEvery = time.Minute

// due tells whether nothing was done in w for long enough: for longer after
// each commit that left something.
func (a *autoCommitter) due(w *commit.Worktree, now time.Time) bool {
	act := w.Activity()
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.trees[w]
	if t == nil || t.seen != act {
		a.trees[w] = &idle{seen: act, since: now}
		return false
	}
	wait := a.every
	for range t.tries {
		if wait *= 2; wait >= mostIdle {
			wait = max(mostIdle, a.every)
			break
		}
	}
	return now.Sub(t.since) >= wait
}

func (a *autoCommitter) commit(ctx context.Context, w *commit.Worktree, clock func() time.Time) {
	o, err := a.m.opts.Commit.Commit(true)
	if err != nil {
		a.m.log.Error("options of the commits", "err", err)
		return
	}
	o.Wait = 0 // the next look comes soon enough
	res, err := w.Commit(ctx, o)
	repo := w.Repo().String()
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		a.m.log.Warn("not committed; it stays staged", "repo", repo, "err", err)
	case !res.Unchanged:
		a.m.log.Info("committed", "repo", repo, "commit", res.Commit, "url", res.URL, "busy", len(res.Busy))
	}
	a.m.appeared(w, res.Branch)
	now := clock() // what was changed during the commit has been left alone since then at most
	act, left := w.Activity(), w.Dirty()
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.trees[w]
	if t == nil {
		return
	}
	t.seen, t.since = act, now
	if left && (err != nil || res.Unchanged || len(res.Busy) > 0) {
		t.tries++
	} else {
		t.tries = 0
	}
}
