package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"runtime"
	"sync"
	"time"
	"weak"
)

// Content reads one file at one commit. Its first read resolves the file: the
// Hub answers with the bytes or redirects to a URL that is signed for some
// time. That URL is kept, so that every further range is one request; it is
// resolved again when it has expired, and once if it is refused before.
type Content struct {
	c      *Client
	repo   Repo
	commit string
	e      Entry

	mu        sync.Mutex
	at        *location  // where the bytes are; nil = not known
	resolving *resolving // somebody is finding out
}

// A location is where ranges of a file can be had without asking the Hub.
type location struct {
	url     *url.URL
	expires time.Time
	strayed bool // another host led here: no token, even on the endpoint's origin
}

// resolving is a look-up that others wait for. at and err are set before done
// is closed.
type resolving struct {
	done chan struct{}
	once sync.Once
	at   *location
	err  error
}

func (r *resolving) end(at *location, err error) {
	r.once.Do(func() {
		r.at, r.err = at, err
		close(r.done)
	})
}

// Content is the content of an entry of a snapshot. It makes no request.
func (c *Client) Content(repo Repo, commit string, e Entry) *Content {
	key := fmt.Sprintf("%s %s %s %d %s", repo.Path(), commit, e.Blob.ID, e.Size, e.Path)
	if v, ok := c.contents.Get(key); ok {
		return v
	}
	v := c.living(key, func() *Content { return &Content{c: c, repo: repo, commit: commit, e: e} })
	c.contents.Set(key, v, 1)
	return v
}

// living is the one Content of a key that anybody still holds, else a new one.
// The cache alone would not do: it takes what is set a moment later, and may
// refuse it, so two readers of a cold file would each resolve it.
func (c *Client) living(key string, make func() *Content) *Content {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p, ok := c.alive[key]; ok {
		if v := p.Value(); v != nil {
			return v
		}
	}
	v := make()
	c.alive[key] = weak.Make(v)
	runtime.AddCleanup(v, c.died, key)
	return v
}

// died forgets a Content that nobody holds any more, unless a new one has
// taken its place.
func (c *Client) died(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p, ok := c.alive[key]; ok && p.Value() == nil {
		delete(c.alive, key)
	}
}

// ReadRange streams the n bytes from off, or fewer where the file ends; nothing
// at all costs no request. The stream ends in io.EOF only after the last of
// them: a connection that breaks is resumed, and what the server sends is
// checked to be that part of a file of that size (ErrMismatch). The context
// bounds the stream too.
func (k *Content) ReadRange(ctx context.Context, off, n int64) (io.ReadCloser, error) {
	if off < 0 || n < 0 {
		return nil, &fs.PathError{Op: "read", Path: k.e.Path, Err: fs.ErrInvalid}
	}
	n = min(n, k.e.Size-off)
	if n <= 0 {
		return http.NoBody, nil
	}
	if err := k.repo.check(); err != nil {
		return nil, err
	}
	body, err := k.open(ctx, off, n)
	if err != nil {
		return nil, err
	}
	return &stream{k: k, ctx: ctx, body: body, off: off, left: n}, nil
}

// open requests one range, once, or twice if what was kept is no longer good.
func (k *Content) open(ctx context.Context, off, n int64) (io.ReadCloser, error) {
	for fresh := false; ; {
		at, r, err := k.locate(ctx)
		if err != nil {
			return nil, err
		}
		var res *http.Response
		if r != nil {
			res, err = k.resolve(ctx, r, off, n)
		} else {
			res, err = k.get(ctx, at, off, n, nil)
		}
		if err != nil {
			if ctx.Err() == nil {
				k.forget(at) // the Hub may know a better place by now
			}
			return nil, err
		}
		if res.StatusCode >= 400 && (r == nil || !sameOrigin(res.Request.URL, k.c.endpoint)) {
			k.forget(at)
			switch res.StatusCode {
			case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusGone,
				http.StatusBadRequest: // what some stores say to an expired signature
				if !fresh {
					fresh = true
					drain(res.Body)
					continue
				}
			}
		}
		return k.part(res, off, n)
	}
}

// locate returns where the bytes are, or the look-up that the caller has to
// do, after waiting for one that is under way.
func (k *Content) locate(ctx context.Context) (*location, *resolving, error) {
	for {
		k.mu.Lock()
		if k.at != nil && time.Now().Before(k.at.expires) {
			at := k.at
			k.mu.Unlock()
			return at, nil, nil
		}
		r := k.resolving
		if r == nil {
			r = &resolving{done: make(chan struct{})}
			k.resolving = r
			k.mu.Unlock()
			return nil, r, nil
		}
		k.mu.Unlock()
		select {
		case <-r.done:
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		}
		// The one who looked may have given up for reasons of its own; then
		// the next one looks.
		if r.err != nil && !errors.Is(r.err, context.Canceled) && !errors.Is(r.err, errCallerGone) {
			return nil, nil, r.err
		}
	}
}

var errCallerGone = errors.New("the caller has gone")

// resolve asks the Hub for the range, and keeps where it was sent to. Those who
// wait go on as soon as a place outside the Hub is known.
func (k *Content) resolve(ctx context.Context, r *resolving, off, n int64) (*http.Response, error) {
	at := &location{url: k.url(), expires: time.Now().Add(defaultLife)}
	res, err := k.get(ctx, at, off, n, func(to *location) {
		at = to
		if !sameOrigin(to.url, k.c.endpoint) {
			k.keep(r, at, nil)
		}
	})
	switch {
	case err != nil && ctx.Err() != nil:
		k.keep(r, nil, errCallerGone)
	case err != nil:
		k.keep(r, nil, err)
	case res.StatusCode == http.StatusOK || res.StatusCode == http.StatusPartialContent:
		k.keep(r, at, nil)
	case res.StatusCode >= 400 && res.StatusCode != http.StatusRequestedRangeNotSatisfiable && sameOrigin(res.Request.URL, k.c.endpoint):
		// The Hub's refusal is everybody's: each of many who wait would spend
		// the time of all repetitions, one after the other.
		err = k.c.fail(res)
		k.keep(r, nil, err)
		return nil, err
	default:
		// This answer is about this range or place only: let others ask for
		// themselves.
		k.keep(r, nil, errCallerGone)
	}
	return res, err
}

// keep notes a place and ends the look-up. The first place ends it; one that
// comes later, after a further redirect, takes its place.
func (k *Content) keep(r *resolving, at *location, err error) {
	k.mu.Lock()
	if at != nil && (k.resolving == r || k.at == r.at) {
		k.at = at
	}
	if k.resolving == r {
		k.resolving = nil
	}
	k.mu.Unlock()
	r.end(at, err)
}

// forget drops a location that is no longer good, unless it was already
// replaced. nil stands for whatever is kept.
func (k *Content) forget(at *location) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if at == nil || k.at == at {
		k.at = nil
	}
}

func (k *Content) url() *url.URL {
	u, err := k.c.endpoint.Parse(k.c.base + "/" + k.repo.Type.webPrefix() + k.repo.ID +
		"/resolve/" + escapeSegment(k.commit) + "/" + escapePath(k.e.Path))
	if err != nil { // cannot be: every part is escaped or validated
		return k.c.endpoint
	}
	return u
}

// get asks one location for a range and follows redirects. What the Hub says
// about the file on the way must agree with the tree.
func (k *Content) get(ctx context.Context, at *location, off, n int64, moved func(*location)) (*http.Response, error) {
	if at.strayed {
		ctx = stray(ctx)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.url.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", off, off+n-1))
	req.Header.Set("Accept-Encoding", "identity") // ranges are of the content, not of its gzip
	away := at.strayed
	res, err := k.c.follow(req, func(res *http.Response, to *url.URL) error {
		if err := k.agrees(res, away); err != nil {
			return err
		}
		away = away || !sameOrigin(to, k.c.endpoint)
		if moved != nil {
			moved(&location{url: to, expires: expiry(to, res.Header, time.Now()), strayed: away && sameOrigin(to, k.c.endpoint)})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if res.StatusCode < 300 {
		if err := k.agrees(res, away); err != nil {
			res.Body.Close()
			return nil, k.c.netError(res.Request, err)
		}
	}
	return res, nil
}
