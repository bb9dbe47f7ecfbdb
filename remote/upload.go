package remote

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// patience is how long repetitions of a request may go on that nobody waits
// for with a system call: uploads and commits outlast a rate limit's window.
func (c *Client) patience() time.Duration { return 12 * c.timeouts.Retry }

// UploadLFS stores content that the Hub does not have yet, so that a commit can
// refer to it. It is an Uploader that is given all files at once.
func (c *Client) UploadLFS(ctx context.Context, repo Repo, files []LFSFile, o UploadOptions) error {
	u := c.Upload(ctx, repo, o)
	_ = u.Add(files...) // Wait says it too
	return u.Wait()
}

// An Uploader stores content that the Hub does not have yet, while more of it
// becomes known. Up to 256 objects are asked about in one request; what the Hub
// wants is sent over at most 32 connections for all uploads of the client,
// large objects first, the parts of one side by side. Objects are verified
// where the Hub wants it. Files of one content are sent once.
//
// Failures that pass are ridden out: a part that has arrived is not sent again,
// and URLs that have run out are asked for anew. After an error the objects
// that have arrived stay there: the Hub will not ask for them another time.
type Uploader struct {
	c    *Client
	repo Repo
	o    UploadOptions
	ctx  context.Context
	g    *errgroup.Group // the planner and the objects
	stop context.CancelCauseFunc

	sending int // requests under way; guarded by the client's gate

	mu     sync.Mutex
	known  map[string]int64 // size by OID of all that was added
	fresh  []LFSFile        // added, not yet asked about
	ended  bool             // no more will be added
	failed error
	wake   chan struct{} // holds one token when fresh or ended have changed
}

// waitingObjects is how many objects may wait for a connection before the Hub
// is asked about more: URLs run out while they wait.
const waitingObjects = 2 * maxConns

// Upload begins an upload. Wait has to be called, whatever happens.
func (c *Client) Upload(ctx context.Context, repo Repo, o UploadOptions) *Uploader {
	if o.Progress == nil {
		o.Progress = func(int64) {}
	}
	if o.Done == nil {
		o.Done = func(string) {}
	}
	u := &Uploader{c: c, repo: repo, o: o, known: map[string]int64{}, wake: make(chan struct{}, 1)}
	ctx, u.stop = context.WithCancelCause(ctx)
	u.g, u.ctx = errgroup.WithContext(ctx)
	u.failed = repo.check()
	u.g.Go(u.plan)
	return u
}

// Add hands over more files; it does not wait for them. The error, which Wait
// has too, says that the upload has failed and that more files are of no use.
func (u *Uploader) Add(files ...LFSFile) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ended {
		return errors.New("the upload has ended")
	}
	for _, f := range files {
		u.add(f)
	}
	u.stir()
	return u.failed
}

// add takes one file. The caller holds mu.
func (u *Uploader) add(f LFSFile) {
	size, dup := u.known[f.OID]
	switch {
	case u.failed != nil:
	case !sha256Hex.MatchString(f.OID):
		u.failed = fmt.Errorf("%s is not a SHA-256", quote(f.OID))
	case f.Size <= 0:
		u.failed = fmt.Errorf("%s is empty, which only a regular file can be", f.OID)
	case dup && size != f.Size:
		u.failed = fmt.Errorf("%s with two sizes, %d and %d", f.OID, size, f.Size)
	case dup:
		u.o.Progress(f.Size)
	default:
		u.known[f.OID] = f.Size
		u.fresh = append(u.fresh, f)
	}
}

// Wait says that there are no more files, and waits for those that were added.
func (u *Uploader) Wait() error {
	u.mu.Lock()
	u.ended = true
	u.stir()
	u.mu.Unlock()
	err := u.g.Wait()
	u.stop(nil)
	if err != nil {
		return fmt.Errorf("upload to %s: %w", u.repo, err)
	}
	return nil
}

// stir wakes the planner. The caller holds mu.
func (u *Uploader) stir() {
	select {
	case u.wake <- struct{}{}:
	default:
	}
}

// plan asks about files as they come, and starts what the Hub wants.
func (u *Uploader) plan() error {
	room := make(chan struct{}, waitingObjects)
	for {
		batch, more, err := u.next()
		switch {
		case err != nil:
			return u.fail(err)
		case len(batch) > 0:
			if err := u.begin(batch, room); err != nil {
				return u.fail(err)
			}
		case !more:
			return nil
		default:
			select {
			case <-u.wake:
			case <-u.ctx.Done():
				return context.Cause(u.ctx)
			}
		}
	}
}

// next takes the largest files, as many as fit one question. more says that
// there may be others.
func (u *Uploader) next() (batch []LFSFile, more bool, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.failed != nil {
		return nil, false, u.failed
	}
	slices.SortStableFunc(u.fresh, func(a, b LFSFile) int {
		switch {
		case a.Size > b.Size:
			return -1
		case a.Size < b.Size:
			return 1
		}
		return 0
	})
	n := min(len(u.fresh), batchSize)
	batch = slices.Clone(u.fresh[:n])
	u.fresh = slices.Delete(u.fresh, 0, n)
	return batch, !u.ended || len(u.fresh) > 0, nil
}

// fail keeps the first error for those who add.
func (u *Uploader) fail(err error) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.failed == nil {
		u.failed = err
	}
	return err
}

// begin asks about a batch and starts its objects, as room for them comes free.
func (u *Uploader) begin(batch []LFSFile, room chan struct{}) error {
	plan, err := u.c.lfsBatch(u.ctx, u.repo, batch, u.o.CreatePR)
	if err != nil {
		return err
	}
	for _, f := range batch {
		o := &object{u: u, f: f, m: &meter{report: u.o.Progress}}
		if wanted, err := o.planned(plan[f.OID]); err != nil {
			return fmt.Errorf("%s: %w", f.OID, err)
		} else if !wanted {
			o.m.done(f.Size)
			u.o.Done(f.OID)
			continue
		}
		select {
		case room <- struct{}{}:
		case <-u.ctx.Done():
			return context.Cause(u.ctx)
		}
		u.g.Go(func() error {
			defer func() { <-room }()
			if err := o.send(u.ctx); err != nil {
				return u.fail(fmt.Errorf("%s: %w", f.OID, err))
			}
			o.m.done(f.Size)
			u.o.Done(f.OID)
			return nil
		})
	}
	return nil
}
