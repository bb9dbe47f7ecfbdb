package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// part turns a response into exactly the n bytes from off, or an error.
func (k *Content) part(res *http.Response, off, n int64) (io.ReadCloser, error) {
	mismatch := func(format string, args ...any) error {
		res.Body.Close()
		err := fmt.Errorf("%w: bytes %d to %d of %s asked for, %s", ErrMismatch, off, off+n-1, quote(k.e.Path), fmt.Sprintf(format, args...))
		return k.c.netError(res.Request, err)
	}
	if res.StatusCode == http.StatusRequestedRangeNotSatisfiable {
		return nil, mismatch("the server has %s of %d", quote(escape(res.Header.Get("Content-Range"), 80)), k.e.Size)
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return nil, k.c.fail(res)
	}
	if enc := res.Header.Get("Content-Encoding"); res.Uncompressed || enc != "" && !strings.EqualFold(enc, "identity") {
		return nil, mismatch("got them encoded as %s", quote(escape(enc, 40)))
	}
	switch res.StatusCode {
	case http.StatusPartialContent:
		first, last, total, ok := parseContentRange(res.Header.Get("Content-Range"))
		if !ok || first != off || last != off+n-1 || total >= 0 && total != k.e.Size {
			return nil, mismatch("got %s of a file of %d", quote(escape(res.Header.Get("Content-Range"), 80)), k.e.Size)
		}
		if res.ContentLength >= 0 && res.ContentLength != n {
			return nil, mismatch("got %d bytes", res.ContentLength)
		}
		return &part{body: res.Body, left: n, whole: true}, nil
	case http.StatusOK:
		// The server does not know ranges: skip to the one that was wanted.
		if res.ContentLength >= 0 && res.ContentLength != k.e.Size {
			return nil, mismatch("got a whole file of %d bytes, not %d", res.ContentLength, k.e.Size)
		}
		if _, err := io.CopyN(io.Discard, res.Body, off); err != nil {
			res.Body.Close()
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			// A break before the range is one like any other: see stream.
			return brokenBody{k.c.netError(res.Request, err)}, nil
		}
		return &part{body: res.Body, left: n, whole: off+n == k.e.Size}, nil
	}
	return nil, mismatch("got status %d", res.StatusCode)
}

// A brokenBody is that of a connection that is known to be broken.
type brokenBody struct{ err error }

func (b brokenBody) Read([]byte) (int, error) { return 0, b.err }
func (b brokenBody) Close() error             { return nil }

// parseContentRange reads "bytes a-b/total"; a total of "*" is -1.
func parseContentRange(s string) (first, last, total int64, ok bool) {
	unit, rest, _ := strings.Cut(strings.TrimSpace(s), " ")
	span, size, ok := strings.Cut(strings.TrimSpace(rest), "/")
	from, to, ok2 := strings.Cut(span, "-")
	if !ok || !ok2 || !strings.EqualFold(unit, "bytes") {
		return 0, 0, 0, false
	}
	first, ok = parseSize(from)
	last, ok2 = parseSize(to)
	if !ok || !ok2 || last < first {
		return 0, 0, 0, false
	}
	if size == "*" {
		return first, last, -1, true
	}
	total, ok = parseSize(size)
	return first, last, total, ok && last < total
}

// parseSize reads a number of digits only.
func parseSize(s string) (int64, bool) {
	n, err := strconv.ParseUint(s, 10, 63)
	return int64(n), err == nil && s[0] != '+'
}

// A part is exactly left bytes of a body. If the body has to end with it
// (whole), more bytes are an error.
type part struct {
	body  io.ReadCloser
	left  int64
	whole bool
}

func (p *part) Close() error { return p.body.Close() }

func (p *part) Read(b []byte) (int, error) {
	if p.left == 0 {
		if p.whole {
			var extra [1]byte
			if n, err := p.body.Read(extra[:]); n > 0 {
				return 0, fmt.Errorf("%w: more bytes than were asked for", ErrMismatch)
			} else if err == nil {
				return 0, nil
			}
			// Whatever else the end of the body says, all bytes are here.
		}
		return 0, io.EOF
	}
	if int64(len(b)) > p.left {
		b = b[:p.left]
	}
	n, err := p.body.Read(b)
	p.left -= int64(n)
	switch {
	case p.left == 0:
		err = nil // the end is told by the next Read, which looks for more
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

const (
	maxBreaks  = 8         // of a stream,
	fairLength = 128 << 10 // not counting those before so many bytes that came in one go
)

// A stream resumes where the connection broke. Each new connection has the
// retries of the transport; it is not tried once a caller has waited for as long
// as Timeouts.Retry.
type stream struct {
	k       *Content
	ctx     context.Context
	body    io.ReadCloser
	off     int64
	left    int64
	waiting time.Time // since when the caller has waited for a byte
	breaks  int
	since   int64 // bytes since the last break
}

func (s *stream) Close() error { return s.body.Close() }

func (s *stream) Read(p []byte) (int, error) {
	s.waiting = time.Now()
	for {
		n, err := s.body.Read(p)
		s.off += int64(n)
		s.left -= int64(n)
		if n > 0 {
			if s.since += int64(n); s.since >= fairLength {
				s.breaks = 0
			}
			return n, nil // an error comes back by itself
		}
		if err == nil || err == io.EOF && s.left == 0 || len(p) == 0 {
			return 0, err
		}
		if again := s.resume(err); again != nil {
			return 0, again
		}
	}
}

// resume opens the rest, or returns why not.
func (s *stream) resume(broken error) error {
	s.breaks++
	s.since = 0
	switch {
	case s.ctx.Err() != nil:
		return context.Cause(s.ctx)
	case errors.Is(broken, ErrMismatch), s.left == 0, s.breaks > maxBreaks,
		time.Since(s.waiting) >= s.k.c.timeouts.Retry:
		return fmt.Errorf("read %s at %d: %w", quote(s.k.e.Path), s.off, &netError{
			method: http.MethodGet, url: showURL(s.k.url()), err: broken, text: redact(broken.Error(), s.k.c.token),
		})
	}
	s.body.Close()
	if s.breaks > 1 {
		if err := sleep(s.ctx, s.k.c.timeouts.Backoff); err != nil {
			return err
		}
	}
	body, err := s.k.open(s.ctx, s.off, s.left)
	if err != nil {
		return err
	}
	s.body = body
	return nil
}
