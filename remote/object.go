package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"golang.org/x/sync/errgroup"
)

// uploadTries is how often one part is sent, at most. With the back-off of
// half a second it is a little more than a minute.
const uploadTries = 12

// An object is content on its way to the Hub: in one piece, or in parts.
type object struct {
	u *upload
	f LFSFile
	m *meter

	href   string // where to, or of several parts where to say that all are there
	verify string // "" if the Hub does not want to be asked
	chunk  int64  // size of a part, but the last; 0 if it goes in one piece
	parts  []piece
}

// A piece is one part; it is sent once it has an etag.
type piece struct {
	url  string
	etag string
	m    *partMeter
}

// planned takes the Hub's answer for the object, and tells whether it wants
// the content at all. The same upload as before keeps the parts that have
// arrived; in any other they begin anew.
func (o *object) planned(in lfsObject) (wanted bool, err error) {
	if in.Actions == nil || in.Actions.Upload == nil {
		return false, nil
	}
	c := o.u.c
	href, err := c.uploadURL(in.Actions.Upload.Href)
	if err != nil {
		return false, err
	}
	o.verify = ""
	if in.Actions.Verify != nil {
		if o.verify, err = c.uploadURL(in.Actions.Verify.Href); err != nil {
			return false, err
		}
	}
	urls := []string{href}
	chunk, several := in.Actions.Upload.chunkSize()
	if several {
		if urls, err = in.Actions.Upload.parts(c); err != nil {
			return false, err
		}
		if chunk <= 0 || int64(len(urls)) != (o.f.Size-1)/chunk+1 {
			return false, fmt.Errorf("the server wants %d bytes in %d parts of %d", o.f.Size, len(urls), chunk)
		}
	}
	if same := several && o.chunk == chunk && sameUpload(o.href, href); !same {
		o.m.restart()
		o.parts = make([]piece, len(urls))
		for i := range o.parts {
			o.parts[i].m = &partMeter{m: o.m}
		}
	}
	o.href, o.chunk = href, chunk
	for i, u := range urls {
		o.parts[i].url = u
	}
	return true, nil
}

// sameUpload compares where two uploads in parts are completed. Signatures
// differ each time, the number that the store gave the upload does not.
func sameUpload(a, b string) bool {
	if a == b {
		return true
	}
	x, err1 := url.Parse(a)
	y, err2 := url.Parse(b)
	if err1 != nil || err2 != nil {
		return false
	}
	id := x.Query().Get("uploadId")
	return id != "" && id == y.Query().Get("uploadId") && sameOrigin(x, y) && x.Path == y.Path
}

// send brings the object to the Hub. URLs that the store does not take any more
// have run out, while they waited for their turn or while other parts were
// sent: the Hub is asked for others, as long as that gets the object on.
func (o *object) send(ctx context.Context) error {
	for tries, sent := 0, -1; ; tries++ {
		err := o.sendParts(ctx)
		if err == nil {
			err = o.finish(ctx)
		}
		var e *Error
		if !errors.As(err, &e) || !e.expired || ctx.Err() != nil {
			return err
		}
		now := o.arrived()
		if tries > 0 && now <= sent {
			return err
		}
		sent = now
		plan, again := o.u.c.lfsBatch(ctx, o.u.repo, []LFSFile{o.f}, o.u.o.CreatePR)
		if again != nil {
			return again
		}
		if wanted, err := o.planned(plan[o.f.OID]); err != nil || !wanted {
			return err
		}
	}
}

// done tells that the Hub has the object.
func (o *object) done() {
	o.m.done(o.f.Size)
	o.u.o.Done(o.f.OID)
}

// arrived counts the parts that are there.
func (o *object) arrived() (n int) {
	for i := range o.parts {
		if o.parts[i].etag != "" {
			n++
		}
	}
	return n
}

// sendParts sends the parts that have not arrived, side by side.
func (o *object) sendParts(ctx context.Context) error {
	g, inner := errgroup.WithContext(ctx)
	sending, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for i := range o.parts {
		if o.parts[i].etag != "" {
			continue
		}
		serial, err := o.u.c.gate.enter(inner, o.u, o.f.Size)
		if err != nil {
			if ctx.Err() == nil { // one of the parts has failed, and says why
				break
			}
			return errors.Join(err, g.Wait())
		}
		g.Go(func() (err error) {
			defer func() { o.u.c.gate.leave(o.u, err == nil) }()
			if err = o.sendPart(sending, i, serial); err == nil {
				return nil
			}
			// When a URL has run out, the parts under way go on to their end: what
			// has arrived need not be sent again.
			var e *Error
			if !errors.As(err, &e) || !e.expired {
				cancel(err)
			}
			if o.chunk > 0 {
				err = fmt.Errorf("part %d: %w", i+1, err)
			}
			return err
		})
	}
	return g.Wait()
}

func (o *object) sendPart(ctx context.Context, i, serial int) error {
	p := &o.parts[i]
	off, n := int64(0), o.f.Size
	if o.chunk > 0 {
		off = int64(i) * o.chunk
		n = min(o.chunk, o.f.Size-off)
	}
	res, err := o.u.c.put(ctx, o.f, p, off, n, func() { o.u.c.gate.failed(serial) })
	if err != nil {
		return err
	}
	p.etag = res.Header.Get("ETag")
	if p.etag == "" && o.chunk > 0 {
		return o.u.c.netError(res.Request, fmt.Errorf("part %d was answered without an etag", i+1))
	}
	return nil
}

// put sends n bytes of a file from off to a signed URL. No token goes along,
// not even to the endpoint's own origin: the signature is the permission.
// failed is told of each attempt that came to nothing.
func (c *Client) put(ctx context.Context, f LFSFile, p *piece, off, n int64, failed func()) (*http.Response, error) {
	res, err := c.send(stray(ctx), call{
		method: http.MethodPut, path: p.url, size: n,
		body: func() (io.ReadCloser, error) { return f.open(off, n, p.m) },
		policy: policy{
			repeat: repeatAlways, tries: uploadTries, budget: c.patience(), long: true,
			header: c.timeouts.Commit, failed: failed,
		},
	})
	var e *Error
	if errors.As(err, &e) {
		switch e.Status {
		case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusGone:
			e.expired = true
		}
	}
	if err != nil {
		return nil, err
	}
	drain(res.Body)
	return res, nil
}

// finish puts the parts together, and has the object verified.
func (o *object) finish(ctx context.Context) error {
	if o.chunk > 0 {
		if err := o.complete(ctx); err != nil {
			// An answer that was lost, and an upload that is over: then the object
			// is there. One that is gone for other reasons begins anew.
			if o.verify != "" && o.check(ctx) == nil {
				return nil
			}
			var e *Error
			if errors.As(err, &e) && (e.Status == http.StatusForbidden || e.Status == http.StatusNotFound || e.Status == http.StatusGone) {
				e.expired = true
			}
			return fmt.Errorf("complete: %w", err)
		}
	}
	if o.verify == "" {
		return nil
	}
	if err := o.check(ctx); err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	return nil
}

// complete tells the server the etags that it gave with the parts.
func (o *object) complete(ctx context.Context) error {
	type done struct {
		Number int    `json:"partNumber"`
		ETag   string `json:"etag"`
	}
	parts := make([]done, len(o.parts))
	for i := range o.parts {
		parts[i] = done{Number: i + 1, ETag: o.parts[i].etag}
	}
	return o.post(stray(ctx), o.href, lfsType, map[string]any{"oid": o.f.OID, "parts": parts})
}

// check asks the Hub whether it has the object.
func (o *object) check(ctx context.Context) error {
	return o.post(ctx, o.verify, "application/json", map[string]any{"oid": o.f.OID, "size": o.f.Size})
}

func (o *object) post(ctx context.Context, url, ctype string, in any) error {
	body, size, err := jsonBody(in)
	if err != nil {
		return err
	}
	c := o.u.c
	res, err := c.send(ctx, call{
		method: http.MethodPost, path: url, body: body, size: size, ctype: ctype, accept: lfsType,
		policy: policy{repeat: repeatAlways, budget: c.patience(), header: c.timeouts.Commit},
	})
	if err != nil {
		return err
	}
	drain(res.Body)
	return nil
}
