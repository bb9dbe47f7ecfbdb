package remote

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// patience is how long repetitions of a request may go on that nobody waits
// for with a system call: uploads and commits outlast a rate limit's window.
func (c *Client) patience() time.Duration { return 12 * c.timeouts.Retry }

// waitingObjects is how many objects may be begun at once, most of them waiting
// for a connection, before the Hub is asked about more: URLs run out meanwhile.
const waitingObjects = 2 * maxConns

// An upload is one UploadLFS.
type upload struct {
	c    *Client
	repo Repo
	o    UploadOptions

	sending int // requests under way; guarded by the client's gate
}

// UploadLFS stores content that the Hub does not have yet, so that a commit can
// refer to it. Up to 256 objects are asked about in one request; what the Hub
// wants is sent over at most 32 connections for all uploads of the client,
// large objects first, the parts of one side by side. Objects are verified
// where the Hub wants it. Files of one content are sent once.
//
// Failures that pass are ridden out: a part that has arrived is not sent again,
// and URLs that have run out are asked for anew. After an error the objects
// that have arrived stay there: the Hub will not ask for them another time.
func (c *Client) UploadLFS(ctx context.Context, repo Repo, files []LFSFile, o UploadOptions) error {
	if o.Progress == nil {
		o.Progress = func(int64) {}
	}
	if o.Done == nil {
		o.Done = func(string) {}
	}
	u := &upload{c: c, repo: repo, o: o}
	if err := u.all(ctx, files); err != nil {
		return fmt.Errorf("upload to %s: %w", repo, err)
	}
	return nil
}

func (u *upload) all(ctx context.Context, files []LFSFile) error {
	if err := u.repo.check(); err != nil {
		return err
	}
	files, err := u.distinct(files)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(1 + waitingObjects)
	g.Go(func() error {
		for batch := range slices.Chunk(files, batchSize) {
			if err := u.begin(ctx, g, batch); err != nil {
				return err
			}
		}
		return nil
	})
	return g.Wait()
}

// distinct is one file of each content, large ones first.
func (u *upload) distinct(files []LFSFile) (some []LFSFile, err error) {
	known := map[string]int64{}
	for _, f := range files {
		size, dup := known[f.OID]
		switch {
		case !sha256Hex.MatchString(f.OID):
			return nil, fmt.Errorf("%s is not a SHA-256", quote(f.OID))
		case f.Size <= 0:
			return nil, fmt.Errorf("%s is empty, which only a regular file can be", f.OID)
		case dup && size != f.Size:
			return nil, fmt.Errorf("%s with two sizes, %d and %d", f.OID, size, f.Size)
		case dup:
			u.o.Progress(f.Size)
		default:
			known[f.OID] = f.Size
			some = append(some, f)
		}
	}
	slices.SortStableFunc(some, func(a, b LFSFile) int { return cmp.Compare(b.Size, a.Size) })
	return some, nil
}

// begin asks about a batch and starts its objects, as room for them comes free.
func (u *upload) begin(ctx context.Context, g *errgroup.Group, batch []LFSFile) error {
	plan, err := u.c.lfsBatch(ctx, u.repo, batch, u.o.CreatePR)
	if err != nil {
		return err
	}
	for _, f := range batch {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		o := &object{u: u, f: f, m: &meter{report: u.o.Progress}}
		if wanted, err := o.planned(plan[f.OID]); err != nil {
			return fmt.Errorf("%s: %w", f.OID, err)
		} else if !wanted {
			o.done()
			continue
		}
		g.Go(func() error {
			if err := o.send(ctx); err != nil {
				return fmt.Errorf("%s: %w", f.OID, err)
			}
			o.done()
			return nil
		})
	}
	return nil
}
