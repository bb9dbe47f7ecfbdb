package remote

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"weak"

	"github.com/dgraph-io/ristretto/v2"
	"golang.org/x/sync/singleflight"
)

// A Client talks to one Hub in the name of one user, or of nobody. It is safe
// for concurrent use; Close it when it is no longer needed.
type Client struct {
	endpoint *url.URL
	base     string // endpoint without a slash at the end
	token    secret
	tr       http.RoundTripper
	pool     http.RoundTripper // the innermost transport, for closing idle connections
	timeouts Timeouts
	logger   *slog.Logger
	requests atomic.Int64
	gate     *gate // of requests that carry content to the Hub

	listings *ristretto.Cache[string, *listing]
	contents *ristretto.Cache[string, *Content]

	// Work that several callers wait for runs under ctx, not under that of the
	// first of them; Close cancels it and waits.
	ctx    context.Context
	cancel context.CancelFunc
	flight singleflight.Group
	wg     sync.WaitGroup

	mu     sync.Mutex
	user   *User                            // WhoAmI's answer, once there is one
	warned map[string]bool                  // topics of X-HF-Warning already logged
	alive  map[string]weak.Pointer[Content] // every Content somebody holds, by its key
}

const (
	listingsCost = 128 << 20 // bytes of listings kept, roughly
	contentsKept = 4 << 10   // files whose signed URLs are remembered
)

// New makes a client. It sends nothing; the error is about the options.
func New(o Options) (*Client, error) {
	if o.Endpoint == "" {
		o.Endpoint = DefaultEndpoint
	}
	o.Timeouts = o.Timeouts.withDefaults()
	u, err := url.Parse(strings.TrimRight(o.Endpoint, "/"))
	switch {
	case err != nil, u.Host == "", u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("endpoint %s: not an http or https URL", quote(redact(o.Endpoint, secret{})))
	case u.User != nil, u.RawQuery != "", u.Fragment != "":
		return nil, fmt.Errorf("endpoint %s: must not hold a user, a query or a fragment", showURL(u))
	case !headerSafe(o.Token):
		return nil, fmt.Errorf("the token holds characters that no token has")
	case !headerSafe(agent(o)):
		return nil, fmt.Errorf("user agent %s: holds control characters", quote(agent(o)))
	}
	c := &Client{
		endpoint: u, base: u.String(), token: newSecret(o.Token),
		timeouts: o.Timeouts, logger: o.Logger, gate: newGate(), warned: map[string]bool{}, alive: map[string]weak.Pointer[Content]{},
	}
	if o.Transport == nil {
		o.Transport = newBase(o.Timeouts)
	}
	c.pool = o.Transport
	c.tr = newTransport(o, u, &c.requests)
	if c.listings, err = newCache[*listing](listingsCost, 2_000); err != nil {
		return nil, err
	}
	if c.contents, err = newCache[*Content](contentsKept, contentsKept); err != nil {
		return nil, err
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c, nil
}

func newCache[V any](cost, items int64) (*ristretto.Cache[string, V], error) {
	return ristretto.NewCache(&ristretto.Config[string, V]{
		NumCounters: 10 * items, MaxCost: cost, BufferItems: 64, IgnoreInternalCost: true,
	})
}

// headerSafe reports whether s can be sent in a header as it is.
func headerSafe(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return s == strings.TrimSpace(s)
}

// Endpoint is the base URL, without a slash at the end.
func (c *Client) Endpoint() string { return c.base }

// Anonymous reports whether requests carry no token.
func (c *Client) Anonymous() bool { return c.token.reveal() == "" }

// Requests is the number of HTTP requests sent so far, redirects followed and
// repetitions included.
func (c *Client) Requests() int64 { return c.requests.Load() }

// ParseRepo is the function ParseRepo that takes web URLs of the client's own
// endpoint, and no others.
func (c *Client) ParseRepo(s string) (repo Repo, subdir string, err error) {
	return parseRepo(s, c.endpoint)
}

// CloseIdle closes connections that no request uses.
func (c *Client) CloseIdle() {
	if t, ok := c.pool.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// Close ends what runs on behalf of several callers, waits for it, and frees
// the memory of listings. Requests with a context of their own are not ended.
// The client must not be used afterwards.
func (c *Client) Close() error {
	c.cancel()
	c.wg.Wait()
	c.listings.Close()
	c.contents.Close()
	c.CloseIdle()
	return nil
}

// shared runs fn once for all callers that ask for key meanwhile. A caller that
// gives up stops waiting; fn goes on under the client's own context, bounded by
// the deadlines of its requests.
func shared[T any](ctx context.Context, c *Client, key string, fn func(context.Context) (T, error)) (T, error) {
	c.wg.Add(1)
	done := c.flight.DoChan(key, func() (any, error) { return fn(c.ctx) })
	result := make(chan singleflight.Result, 1)
	go func() {
		defer c.wg.Done()
		result <- <-done
	}()
	var zero T
	select {
	case r := <-result:
		if r.Err != nil {
			return zero, r.Err
		}
		return r.Val.(T), nil
	case <-ctx.Done():
		return zero, context.Cause(ctx)
	}
}

// warn logs what the Hub wants its users to know, once per topic.
func (c *Client) warn(res *http.Response) {
	if c.logger == nil || !sameOrigin(res.Request.URL, c.endpoint) {
		return
	}
	for _, v := range res.Header.Values("X-HF-Warning") {
		topic, msg, ok := strings.Cut(v, ";")
		if !ok {
			topic, msg = "", v
		}
		c.mu.Lock()
		known := c.warned[topic] || len(c.warned) > 100
		c.warned[topic] = true
		c.mu.Unlock()
		if !known {
			c.logger.Warn("the Hub says: "+redact(msg, c.token), "topic", escape(topic, 100))
		}
	}
}
