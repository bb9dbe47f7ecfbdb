package hubtest

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// call is one request on its way through the Hub.
type call struct {
	hub *Hub
	w   *answer
	r   *http.Request
	who *account // nil: anonymous
}

// A handler serves one route; an *apiError becomes the answer.
type handler func(*call) error

// Handler is the Hub origin.
func (h *Hub) Handler() http.Handler {
	return h.origin("hub", func(r *http.Request) (string, handler) {
		kind, serve := h.route(r)
		return kind, func(c *call) error { return c.admit(serve) }
	})
}

// ContentHandler is the content origin.
func (h *Hub) ContentHandler() http.Handler { return h.origin("cdn", h.contentRoute) }

// origin wraps the routes of one origin in what both have: counts, faults,
// shape and log.
func (h *Hub) origin(name string, route func(*http.Request) (string, handler)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !h.counts.enter() {
			panic(http.ErrAbortHandler)
		}
		defer h.counts.running.Done()
		began := time.Now()
		kind, serve := route(r)
		h.counts.start(kind)
		a := &answer{ResponseWriter: w, req: r, hub: h, fault: h.faultFor(r), shape: h.shaper.shape.Load()}
		body := &countedBody{ReadCloser: r.Body, a: a}
		r.Body = body
		defer func() {
			h.counts.end(kind, body.n.Load(), a.sent)
			h.log.line(r, name, kind, a, body.n.Load(), began)
		}()
		h.play(a, r, serve)
	})
}

// play serves one request under its fault.
func (h *Hub) play(a *answer, r *http.Request, serve handler) {
	ctx, f := r.Context(), &a.fault
	if a.shape != nil {
		sleep(ctx, a.shape.Delay)
	}
	if f.Delay > 0 {
		// net/http notices a client that has gone only once the body is read.
		b, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(b))
		sleep(ctx, f.Delay)
	}
	if f.Drop {
		panic(http.ErrAbortHandler)
	}
	c := &call{hub: h, w: a, r: r}
	a.Header().Set("X-Request-Id", requestID())
	if f.After {
		a.lost = true
		c.answer(serve(c))
		a.lost, a.status, a.sent = false, 0, 0
		clear(a.Header())
		a.Header().Set("X-Request-Id", requestID())
		if !f.replaced() {
			panic(http.ErrAbortHandler)
		}
	}
	if f.replaced() {
		f.CutAfter, f.Flip, f.Stall = 0, 0, false
		if f.Status == 0 {
			f.Status = http.StatusOK
		}
		a.Header().Set("Content-Type", "text/plain; charset=utf-8")
		a.WriteHeader(f.Status)
		io.WriteString(a, f.Body)
		return
	}
	c.answer(serve(c))
}

func requestID() string {
	var b [16]byte
	rand.Read(b[:])
	return fmt.Sprintf("Root=1-%s-%s", hex.EncodeToString(b[:4]), hex.EncodeToString(b[4:]))
}

// admit finds the caller and holds it to its quota.
func (c *call) admit(serve handler) error {
	hd := c.w.Header()
	hd.Set("Access-Control-Expose-Headers", "X-Repo-Commit,X-Request-Id,X-Error-Code,X-Error-Message,X-Total-Count,ETag,Link,Accept-Ranges,Content-Range,X-Linked-Size,X-Linked-ETag,X-Xet-Hash")
	who, err := c.hub.caller(c.r)
	name, _, _ := net.SplitHostPort(c.r.RemoteAddr)
	if who != nil {
		name = "user " + who.name
	}
	ok := c.hub.limiter.take(hd, name, c.r.URL.EscapedPath(), c.hub.opt.Now())
	if c.hub.quirks.Load().NoRateHeaders {
		hd.Del("RateLimit")
		hd.Del("RateLimit-Policy")
	}
	if !ok {
		return &apiError{Status: http.StatusTooManyRequests, Message: "We had to rate limit you, you hit the quota of requests per 5 minutes period. Upgrade to a PRO user or Team/Enterprise organization account to get higher limits."}
	}
	if err != nil {
		return err
	}
	c.who = who
	return serve(c)
}

// answer turns an error into the Hub's answer to it.
func (c *call) answer(err error) {
	if err == nil || c.w.status != 0 {
		return
	}
	var e *apiError
	if !errors.As(err, &e) {
		e = &apiError{Status: http.StatusInternalServerError, Message: "Internal Error: " + err.Error()}
	}
	hd := c.w.Header()
	for k, v := range e.Header {
		hd.Set(k, v)
	}
	q := c.hub.quirks.Load()
	if q.PlainDenial && e.Status == http.StatusUnauthorized && e.Code == "RepoNotFound" {
		e = &apiError{Status: e.Status, Message: "Invalid username or password.", Text: true}
	}
	if e.Code != "" {
		hd.Set("X-Error-Code", e.Code)
	}
	if e.Text {
		hd.Set("Content-Type", "text/plain; charset=utf-8")
		c.w.WriteHeader(e.Status)
		io.WriteString(c.w, e.Message)
		return
	}
	hd.Set("X-Error-Message", headerText(e.Message))
	body := map[string]any{"error": e.Message}
	for k, v := range e.Extra {
		body[k] = v
	}
	c.json(e.Status, body)
}

// headerText makes s fit a header line.
func headerText(s string) string {
	b := []byte(s)
	for i := range b {
		if b[i] < ' ' || b[i] > '~' {
			b[i] = '?'
		}
	}
	return string(b)
}

// json answers with v.
func (c *call) json(status int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "application/json; charset=utf-8")
	c.w.Header().Set("Content-Length", itoa(int64(len(b))))
	c.w.WriteHeader(status)
	if c.r.Method != http.MethodHead {
		c.w.Write(b)
	}
	return nil
}

// maxJSON bounds request bodies that are one JSON value.
const maxJSON = 64 << 20

// read decodes the JSON body into v.
func (c *call) read(v any) error {
	b, err := io.ReadAll(io.LimitReader(c.r.Body, maxJSON+1))
	if err != nil {
		return badRequest("Unreadable body: " + err.Error())
	}
	if len(b) > maxJSON {
		return tooLarge("Payload too large")
	}
	if err := json.Unmarshal(b, v); err != nil {
		return badRequest("Invalid JSON: " + err.Error())
	}
	return nil
}

// flag reads a query parameter as the Hub reads booleans.
func (c *call) flag(name string) bool {
	switch c.r.URL.Query().Get(name) {
	case "true", "True", "1":
		return true
	}
	return false
}

// time formats t as every date of the API is.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
