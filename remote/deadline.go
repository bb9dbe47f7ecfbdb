package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"os"
	"sync"
	"time"
)

// A timeoutError is a wait that went past its deadline.
type timeoutError struct {
	what  string
	after time.Duration
}

func (e *timeoutError) Error() string { return fmt.Sprintf("%s within %s", e.what, e.after) }
func (e *timeoutError) Timeout() bool { return true }
func (e *timeoutError) Is(target error) bool {
	return target == os.ErrDeadlineExceeded || target == context.DeadlineExceeded
}

// deadlines ends a request that makes no progress: connecting, sending its
// body, waiting for the answer's head, and while a reader waits for more of
// the answer's body. Total time has no bound; a large body may take long.
type deadlines struct {
	next http.RoundTripper
	t    Timeouts
}

func (t deadlines) RoundTrip(req *http.Request) (*http.Response, error) {
	parent := req.Context()
	header := policyOf(parent).header
	if header == 0 {
		header = t.t.Header
	}
	ctx, cancel := context.WithCancelCause(parent)
	w := &watchdog{cancel: cancel}
	w.arm("no connection and no answer", t.t.Dial+t.t.TLS+header)

	hasBody := req.Body != nil && req.Body != http.NoBody
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) {
			if hasBody {
				w.rearm("the request could not be sent on", t.t.Stall)
			} else {
				w.rearm("no answer", header)
			}
		},
		WroteRequest: func(httptrace.WroteRequestInfo) { w.rearm("no answer", header) },
	})
	req = req.Clone(ctx)
	if hasBody {
		req.Body = &watchedUpload{ReadCloser: req.Body, w: w, stall: t.t.Stall}
		if again := req.GetBody; again != nil {
			// net/http starts anew by itself when a kept connection is dead.
			req.GetBody = func() (io.ReadCloser, error) {
				body, err := again()
				if err != nil {
					return nil, err
				}
				return &watchedUpload{ReadCloser: body, w: w, stall: t.t.Stall}, nil
			}
		}
	}
	res, err := t.next.RoundTrip(req)
	w.stop()
	if err != nil {
		err = causeOf(ctx, parent, err)
		cancel(nil)
		return nil, err
	}
	res.Body = &watchedBody{body: res.Body, w: w, stall: t.t.Stall, ctx: ctx, parent: parent}
	return res, nil
}

// causeOf puts the reason in the place of the "context canceled" that it
// looked like to the transport.
func causeOf(ctx, parent context.Context, err error) error {
	if parent.Err() != nil {
		return context.Cause(parent)
	}
	var late *timeoutError
	if errors.As(context.Cause(ctx), &late) {
		return late
	}
	return err
}

// A watchdog cancels a request when it is not told otherwise in time.
type watchdog struct {
	cancel context.CancelCauseFunc

	mu    sync.Mutex
	timer *time.Timer
	what  string
	after time.Duration
	done  bool // the head has arrived: the transport's late callbacks are ignored
}

func (w *watchdog) arm(what string, d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.what, w.after = what, d
	if w.timer == nil {
		w.timer = time.AfterFunc(d, w.fire)
		return
	}
	w.timer.Reset(d)
}

// rearm is arm while the request is being sent. The transport may call back
// after it has returned the response, which must not start the clock again.
func (w *watchdog) rearm(what string, d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.done {
		w.what, w.after = what, d
		w.timer.Reset(d)
	}
}

func (w *watchdog) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done = true
	w.timer.Stop()
}

func (w *watchdog) fire() {
	w.mu.Lock()
	err := &timeoutError{what: w.what, after: w.after}
	w.mu.Unlock()
	w.cancel(err)
}

// A watchedUpload notes that the transport still takes body bytes.
type watchedUpload struct {
	io.ReadCloser
	w     *watchdog
	stall time.Duration
}

func (b *watchedUpload) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.w.rearm("the request could not be sent on", b.stall)
	return n, err
}

// A watchedBody runs the clock only while somebody waits in Read: a slow
// reader is no stall.
type watchedBody struct {
	body        io.ReadCloser
	w           *watchdog
	stall       time.Duration
	ctx, parent context.Context
	whole       *time.Timer // bounds all of it; nil = no bound
}

// within bounds the rest of an answer's body as a whole: an answer that drips
// makes progress for ever. It is for answers that are no content, and is called
// by the one that reads.
func within(body io.ReadCloser, d time.Duration) {
	b, ok := body.(*watchedBody)
	if !ok {
		return
	}
	if b.whole != nil {
		b.whole.Stop()
	}
	b.whole = time.AfterFunc(d, func() { b.w.cancel(&timeoutError{what: "no end of the answer", after: d}) })
}

func (b *watchedBody) Read(p []byte) (int, error) {
	b.w.arm("no more of the answer", b.stall)
	n, err := b.body.Read(p)
	b.w.stop()
	if err != nil && err != io.EOF {
		err = causeOf(b.ctx, b.parent, err)
	}
	return n, err
}

func (b *watchedBody) Close() error {
	err := b.body.Close()
	if b.whole != nil {
		b.whole.Stop()
	}
	b.w.cancel(nil)
	return err
}
