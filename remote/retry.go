package remote

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	maxTries     = 5
	maxDialTries = 3 // a host that cannot be reached rarely can a moment later
)

// A policy is what one request asks of the transport, carried by its context.
type policy struct {
	header time.Duration // to wait for the head of the answer; 0 = Timeouts.Header
	budget time.Duration // no repetition later than this; 0 = Timeouts.Retry
	repeat repeat
	tries  int    // at most, also of a connection that is refused; 0 = maxTries, or maxDialTries
	long   bool   // sending takes its time: the budget bounds the waits alone
	failed func() // if not nil, is told of each attempt that will be repeated
}

// repeat says when a request may be sent again.
type repeat int

const (
	repeatIdempotent repeat = iota // GET and HEAD: always; others: never
	repeatAlways                   // any method: the caller knows that twice is as good as once
	repeatRefused                  // only when the server surely did not act: 429, or no connection
)

type policyKey struct{}

func withPolicy(ctx context.Context, p policy) context.Context {
	return context.WithValue(ctx, policyKey{}, p)
}

func policyOf(ctx context.Context) policy {
	p, _ := ctx.Value(policyKey{}).(policy)
	return p
}

// retry sends a request again after failures that pass: the connection, 408,
// 429, 500, 502, 503, 504. It waits as long as the server asks, else with
// exponential back-off and jitter, and gives up when the next wait would end
// past the budget; then the caller gets the answer or error as it is. A body
// is repeated only if it can be rewound (GetBody).
type retry struct {
	next http.RoundTripper
	t    Timeouts
}

func (t retry) RoundTrip(req *http.Request) (*http.Response, error) {
	p := policyOf(req.Context())
	budget := p.budget
	if budget == 0 {
		budget = t.t.Retry
	}
	waits := backoff.ExponentialBackOff{
		InitialInterval: t.t.Backoff, Multiplier: 2, RandomizationFactor: 0.25, MaxInterval: 16 * t.t.Backoff,
	}
	waits.Reset()
	start, waited := time.Now(), time.Duration(0)
	for try := 1; ; try++ {
		res, err := t.next.RoundTrip(req)
		if !p.again(req, res, err, try) {
			return res, err
		}
		wait := waits.NextBackOff()
		if res != nil {
			if asked := askedWait(res.Header, res.StatusCode); asked > 0 {
				wait = asked + wait/4
			}
		}
		spent := waited
		if !p.long {
			spent = time.Since(start)
		}
		if waited += wait; spent+wait > budget {
			return res, err
		}
		next, ok := rewind(req)
		if !ok {
			return res, err
		}
		if res != nil {
			drain(res.Body)
		}
		if p.failed != nil {
			p.failed()
		}
		if err := sleep(req.Context(), wait); err != nil {
			closeBody(next)
			return nil, err
		}
		req = next
	}
}

// again reports whether another try makes sense and is allowed.
func (p policy) again(req *http.Request, res *http.Response, err error, try int) bool {
	tries, dials := maxTries, maxDialTries
	if p.tries > 0 {
		tries, dials = p.tries, p.tries
	}
	if try >= tries || req.Context().Err() != nil {
		return false
	}
	idempotent := p.repeat == repeatAlways || req.Method == http.MethodGet || req.Method == http.MethodHead
	if err != nil {
		if !passing(err) {
			return false
		}
		if unreached(err) {
			return try < dials
		}
		return idempotent
	}
	switch res.StatusCode {
	case http.StatusTooManyRequests:
		return idempotent || p.repeat == repeatRefused
	case http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return idempotent
	}
	return false
}

// passing reports whether an error may be gone at the next try.
func passing(err error) bool {
	var cert *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var source *sourceError
	return !errors.Is(err, ErrOffline) && !errors.Is(err, http.ErrSchemeMismatch) &&
		!errors.As(err, &cert) && !errors.As(err, &record) && !errors.As(err, &source)
}

// unreached reports whether a request surely did not leave: no connection.
func unreached(err error) bool {
	var op *net.OpError
	var dns *net.DNSError
	return errors.As(err, &op) && op.Op == "dial" || errors.As(err, &dns)
}

// rewind is the request as it was before it was sent.
func rewind(req *http.Request) (*http.Request, bool) {
	next := req.Clone(req.Context())
	if req.Body == nil || req.Body == http.NoBody {
		return next, true
	}
	if req.GetBody == nil {
		return nil, false
	}
	body, err := req.GetBody()
	if err != nil {
		return nil, false
	}
	next.Body = body
	return next, true
}

// askedWait is how long the server wants to be left alone: Retry-After in
// seconds or as a date, else the reset of an exhausted rate limit
// (`RateLimit: "api";r=0;t=42`). Remaining requests (r>0) limit nothing.
func askedWait(h http.Header, status int) time.Duration {
	if v := strings.TrimSpace(h.Get("Retry-After")); v != "" {
		if n, err := strconv.ParseFloat(v, 64); err == nil && n >= 0 && n < 1e6 {
			return max(time.Duration(n*float64(time.Second)), time.Millisecond)
		}
		if at, err := http.ParseTime(v); err == nil {
			return max(time.Until(at), time.Millisecond)
		}
	}
	if status != http.StatusTooManyRequests {
		return 0
	}
	for _, line := range h.Values("RateLimit") {
		for policy := range strings.SplitSeq(line, ",") {
			r, t := -1, -1
			for field := range strings.SplitSeq(policy, ";") {
				k, v, _ := strings.Cut(field, "=")
				n, err := strconv.Atoi(strings.TrimSpace(v))
				if err != nil || n < 0 || n > 1e6 {
					continue
				}
				switch strings.TrimSpace(k) {
				case "r":
					r = n
				case "t":
					t = n
				}
			}
			if r == 0 && t >= 0 {
				return max(time.Duration(t)*time.Second, time.Millisecond)
			}
		}
	}
	return 0
}

// sleep waits, or returns why the caller does not want to any more.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// drainTime is how long a connection's reuse is worth waiting for.
const drainTime = time.Second

// drain reads a little of a body that nobody wants, so that its connection can
// be used again, and closes it.
func drain(body io.ReadCloser) {
	within(body, drainTime)
	_, _ = io.CopyN(io.Discard, body, 64<<10)
	body.Close()
}
