package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
)

const (
	maxJSON      = 4 << 20  // of an answer that describes one thing
	maxPage      = 32 << 20 // of a page of a listing; 1,000 entries are some 300 KB
	maxErrorBody = 64 << 10
)

// A call is one request to the API.
type call struct {
	method string
	path   string // below the endpoint, escaped, with its query; or a whole URL
	body   func() (io.ReadCloser, error)
	size   int64 // of the body; -1 = not known, sent in chunks
	ctype  string
	accept string
	policy policy
}

// jsonBody is a body that can be sent again.
func jsonBody(v any) (body func() (io.ReadCloser, error), size int64, err error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, 0, err
	}
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }, int64(len(b)), nil
}

// send makes the request. The response has a status of 2xx; every other one
// is an *Error. The caller closes its body.
func (c *Client) send(ctx context.Context, k call) (*http.Response, error) {
	u := k.path
	if strings.HasPrefix(u, "/") {
		u = c.base + u
	}
	req, err := http.NewRequestWithContext(withPolicy(ctx, k.policy), k.method, u, nil)
	if err != nil {
		return nil, fmt.Errorf("request to %s: not a URL", quote(redact(u, c.token)))
	}
	if k.body != nil {
		if req.Body, err = k.body(); err != nil {
			return nil, err
		}
		req.GetBody, req.ContentLength = k.body, k.size
		if k.size == 0 {
			req.Body.Close()
			req.Body = http.NoBody
		}
	}
	if k.ctype != "" {
		req.Header.Set("Content-Type", k.ctype)
	}
	if k.accept != "" {
		req.Header.Set("Accept", k.accept)
	}
	res, err := c.follow(req, nil)
	if err != nil {
		return nil, err
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return nil, c.fail(res)
	}
	return res, nil
}

// exchange sends a request and reads its answer. An answer that breaks off is
// asked for again if the request may be repeated; read starts anew then, and
// keeps nothing of the broken one.
func (c *Client) exchange(ctx context.Context, k call, read func(*http.Response) error) error {
	for try := 1; ; try++ {
		res, err := c.send(ctx, k)
		if err != nil {
			return err
		}
		within(res.Body, c.patience())
		err = read(res)
		drain(res.Body)
		if err == nil {
			return nil
		}
		err = c.badAnswer(res, err)
		repeatable := k.method == http.MethodGet || k.policy.repeat == repeatAlways
		if !repeatable || !brokenOff(err) || try >= maxDialTries || ctx.Err() != nil {
			return err
		}
		if sleep(ctx, c.timeouts.Backoff) != nil {
			return err
		}
	}
}

// brokenOff reports whether an answer ended before its end.
func brokenOff(err error) bool {
	var op *net.OpError
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &op)
}

// getJSON reads an answer of at most limit bytes into v.
func (c *Client) getJSON(ctx context.Context, path string, v any, limit int64) (res *http.Response, err error) {
	k := call{method: http.MethodGet, path: path, accept: "application/json"}
	err = c.exchange(ctx, k, func(r *http.Response) error {
		res = r
		return decode(r, v, limit)
	})
	return res, err
}

// postJSON sends in and reads the answer into out.
func (c *Client) postJSON(ctx context.Context, path string, p policy, in, out any, limit int64) error {
	body, size, err := jsonBody(in)
	if err != nil {
		return err
	}
	k := call{
		method: http.MethodPost, path: path, body: body, size: size,
		ctype: "application/json", accept: "application/json", policy: p,
	}
	return c.exchange(ctx, k, func(r *http.Response) error { return decode(r, out, limit) })
}

// decode reads a JSON body.
func decode(res *http.Response, v any, limit int64) error {
	return json.NewDecoder(&bounded{r: res.Body, left: limit}).Decode(v)
}

// badAnswer is an error about a successful answer that cannot be read.
func (c *Client) badAnswer(res *http.Response, err error) error {
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	if errors.As(err, &syntax) || errors.As(err, &typ) || err == io.EOF {
		err = fmt.Errorf("the answer is not the JSON that was asked for: %s", redact(err.Error(), c.token))
	}
	return c.netError(res.Request, err)
}

var errTooLong = errors.New("the answer is too long")

// A bounded reader fails instead of reading more than left bytes.
type bounded struct {
	r    io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLong
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	return n, err
}

// fail is the only place where a status becomes an error. It reads and closes
// the body.
func (c *Client) fail(res *http.Response) *Error {
	defer drain(res.Body)
	e := &Error{
		Status:     res.StatusCode,
		Code:       escape(redact(res.Header.Get("X-Error-Code"), c.token), 100),
		Method:     res.Request.Method,
		URL:        showURL(res.Request.URL),
		RetryAfter: askedWait(res.Header, res.StatusCode),
		content:    !sameOrigin(res.Request.URL, c.endpoint),
	}
	for _, name := range []string{"X-Request-Id", "X-Amzn-Trace-Id", "X-Amz-Cf-Id"} {
		if v := res.Header.Get(name); v != "" {
			e.RequestID = escape(redact(v, c.token), 200)
			break
		}
	}
	within(res.Body, c.timeouts.Stall)
	body, _ := io.ReadAll(io.LimitReader(res.Body, maxErrorBody))
	e.Message = redact(errorText(res.Header, body), c.token)
	if json.Unmarshal(body, &e.remarks) != nil {
		e.remarks = remarks{}
	}
	return e
}

// errorText joins what the server says in the places where the Hub says it:
// X-Error-Message, and "error", "error_description", "errors[].message" of a
// JSON object, or a body of plain text.
func errorText(h http.Header, body []byte) string {
	var parts []string
	add := func(s string) {
		s = strings.TrimSpace(s)
		for _, p := range parts {
			if s == p {
				return
			}
		}
		if s != "" {
			parts = append(parts, s)
		}
	}
	add(h.Get("X-Error-Message"))
	var obj struct {
		Error       any    `json:"error"`
		Description string `json:"error_description"`
		Errors      []struct {
			Message string `json:"message"`
		} `json:"errors"`
	}
	if json.Unmarshal(body, &obj) == nil {
		switch v := obj.Error.(type) {
		case string:
			add(v)
		case []any:
			for _, x := range v {
				if s, ok := x.(string); ok {
					add(s)
				}
			}
		}
		add(obj.Description)
		for _, x := range obj.Errors {
			add(x.Message)
		}
	} else if ct := h.Get("Content-Type"); !strings.Contains(ct, "html") && !strings.Contains(ct, "xml") {
		add(string(body))
	}
	return strings.Join(parts, "; ")
}

// A netError is a request without an answer, or with one that makes no sense.
type netError struct {
	method, url string
	err         error
	text        string
}

func (e *netError) Error() string { return e.method + " " + e.url + ": " + e.text }
func (e *netError) Unwrap() error { return e.err }

// Is makes every kind of time-out of the network one: deadlines are found by
// os.ErrDeadlineExceeded whoever set them.
func (e *netError) Is(target error) bool {
	if target != os.ErrDeadlineExceeded && target != context.DeadlineExceeded {
		return false
	}
	var t interface{ Timeout() bool }
	return errors.As(e.err, &t) && t.Timeout()
}

// netError wraps err once, with the request it is about.
func (c *Client) netError(req *http.Request, err error) error {
	var known *netError
	if errors.As(err, &known) {
		return err
	}
	return &netError{method: req.Method, url: showURL(req.URL), err: err, text: redact(err.Error(), c.token)}
}

// hubURL brings a URL that the server has sent onto the configured endpoint,
// where it names the public Hub, or the endpoint's own host without TLS (a proxy
// that does not know how it is reached).
func (c *Client) hubURL(s string) (*url.URL, error) {
	for _, pub := range []string{DefaultEndpoint, stagingEndpoint} {
		if rest, ok := strings.CutPrefix(s, pub+"/"); ok {
			s = c.base + "/" + rest
		}
	}
	u, err := c.endpoint.Parse(s)
	if err != nil || u.Host == "" || u.User != nil {
		return nil, fmt.Errorf("the server sent something that is no URL")
	}
	if u.Scheme == "http" && c.endpoint.Scheme == "https" && strings.EqualFold(u.Hostname(), c.endpoint.Hostname()) {
		u.Scheme, u.Host = c.endpoint.Scheme, c.endpoint.Host
	}
	return u, nil
}
