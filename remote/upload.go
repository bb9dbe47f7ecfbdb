package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const parallelUploads = 6

// patience is how long repetitions of a request may go on that nobody waits
// for with a system call: uploads and commits outlast a rate limit's window.
func (c *Client) patience() time.Duration { return 12 * c.timeouts.Retry }

// UploadLFS stores content that the Hub does not have yet, so that a commit can
// refer to it: 256 objects are asked about in one request, several are sent
// side by side, each is verified where the Hub wants it. Files of one content
// are sent once. A lost or refused upload is repeated from its beginning.
func (c *Client) UploadLFS(ctx context.Context, repo Repo, files []LFSFile, o UploadOptions) error {
	if err := repo.check(); err != nil {
		return err
	}
	progress := o.Progress
	if progress == nil {
		progress = func(int64) {}
	}
	known := map[string]int64{}
	var todo []LFSFile
	for _, f := range files {
		size, dup := known[f.OID]
		switch {
		case !sha256Hex.MatchString(f.OID):
			return fmt.Errorf("upload to %s: %s is not a SHA-256", repo, quote(f.OID))
		case f.Size <= 0:
			return fmt.Errorf("upload to %s: %s is empty, which only a regular file can be", repo, f.OID)
		case dup && size != f.Size:
			return fmt.Errorf("upload to %s: %s with two sizes, %d and %d", repo, f.OID, size, f.Size)
		case dup:
			progress(f.Size)
		default:
			known[f.OID] = f.Size
			todo = append(todo, f)
		}
	}
	for batch := range slices.Chunk(todo, batchSize) {
		if err := c.uploadBatch(ctx, repo, batch, o.CreatePR, progress); err != nil {
			return fmt.Errorf("upload to %s: %w", repo, err)
		}
	}
	return nil
}

func (c *Client) uploadBatch(ctx context.Context, repo Repo, files []LFSFile, pr bool, progress func(int64)) error {
	plan, err := c.lfsBatch(ctx, repo, files, pr)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallelUploads)
	for _, f := range files {
		m := &meter{report: progress}
		o := plan[f.OID]
		if o.Actions == nil || o.Actions.Upload == nil {
			m.reach(f.Size)
			continue
		}
		g.Go(func() error {
			err := c.upload(ctx, f, o, m)
			var e *Error
			if errors.As(err, &e) && e.content && (e.Status == http.StatusForbidden || e.Status == http.StatusUnauthorized) {
				// The URL ran out while the file waited for its turn: ask for
				// another, once.
				plan, again := c.lfsBatch(ctx, repo, []LFSFile{f}, pr)
				if again != nil {
					return again
				}
				err = nil
				if o = plan[f.OID]; o.Actions != nil && o.Actions.Upload != nil {
					err = c.upload(ctx, f, o, m)
				}
			}
			if err != nil {
				return fmt.Errorf("%s: %w", f.OID, err)
			}
			m.reach(f.Size)
			return nil
		})
	}
	return g.Wait()
}

// upload sends one object and has it verified.
func (c *Client) upload(ctx context.Context, f LFSFile, o lfsObject, m *meter) error {
	href, err := c.uploadURL(o.Actions.Upload.Href)
	if err != nil {
		return err
	}
	if chunk, ok := o.Actions.Upload.chunkSize(); ok {
		err = c.multipart(ctx, f, o, href, chunk, m)
	} else {
		_, err = c.put(ctx, f, href, 0, f.Size, m)
	}
	if err != nil || o.Actions.Verify == nil {
		return err
	}
	verify, err := c.uploadURL(o.Actions.Verify.Href)
	if err != nil {
		return err
	}
	body, size, err := jsonBody(map[string]any{"oid": f.OID, "size": f.Size})
	if err != nil {
		return err
	}
	res, err := c.send(ctx, call{
		method: http.MethodPost, path: verify, body: body, size: size, ctype: "application/json",
		policy: policy{repeat: repeatAlways, budget: c.patience(), header: c.timeouts.Commit},
	})
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	drain(res.Body)
	return nil
}

// put sends n bytes of a file from off to a signed URL. No token goes along,
// not even to the endpoint's own origin: the signature is the permission.
func (c *Client) put(ctx context.Context, f LFSFile, href string, off, n int64, m *meter) (*http.Response, error) {
	res, err := c.send(stray(ctx), call{
		method: http.MethodPut, path: href, size: n,
		body: func() (io.ReadCloser, error) {
			file, err := f.Open()
			if err != nil {
				return nil, &sourceError{err}
			}
			if _, err := file.Seek(off, io.SeekStart); err != nil {
				file.Close()
				return nil, &sourceError{err}
			}
			return &source{file: file, left: n, pos: off, m: m}, nil
		},
		policy: policy{repeat: repeatAlways, budget: c.patience(), header: c.timeouts.Commit},
	})
	if err != nil {
		return nil, err
	}
	drain(res.Body)
	return res, nil
}

// A sourceError is a failure to read what is to be sent: trying again, or
// asking the server, is of no use.
type sourceError struct{ err error }

func (e *sourceError) Error() string { return e.err.Error() }
func (e *sourceError) Unwrap() error { return e.err }

// A source is exactly left bytes of a file.
type source struct {
	file io.ReadCloser
	left int64
	pos  int64
	m    *meter
}

func (s *source) Close() error { return s.file.Close() }

func (s *source) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	if int64(len(p)) > s.left {
		p = p[:s.left]
	}
	n, err := s.file.Read(p)
	s.left -= int64(n)
	s.pos += int64(n)
	s.m.reach(s.pos)
	switch {
	case err == io.EOF && s.left > 0:
		err = &sourceError{fmt.Errorf("the file is %d bytes shorter than it was", s.left)}
	case err != nil && err != io.EOF:
		err = &sourceError{err}
	case s.left == 0:
		err = io.EOF
	}
	return n, err
}

// A meter reports how far one upload has come, each byte once.
type meter struct {
	report func(int64)

	mu   sync.Mutex
	high int64
}

func (m *meter) reach(pos int64) {
	m.mu.Lock()
	n := pos - m.high
	if n > 0 {
		m.high = pos
	}
	m.mu.Unlock()
	if n > 0 {
		m.report(n)
	}
}
