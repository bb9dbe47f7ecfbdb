package remote

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// newTransport composes what every request goes through, from the outside in:
// repetition, deadlines, counting, the fixed headers, the token. Each is about
// one request to one URL; redirects are followed above them (redirect.go).
func newTransport(o Options, endpoint *url.URL, count *atomic.Int64) http.RoundTripper {
	base := o.Transport
	if base == nil {
		base = newBase(o.Timeouts)
	}
	if o.Offline {
		base = offline{}
	} else {
		base = counter{next: base, n: count}
	}
	tr := http.RoundTripper(bearer{next: base, endpoint: endpoint, token: newSecret(o.Token)})
	tr = userAgent{next: tr, agent: agent(o)}
	tr = deadlines{next: tr, t: o.Timeouts}
	return retry{next: tr, t: o.Timeouts}
}

// newBase is the connection pool. A content stream of one file may have some
// 30 ranges under way, so idle connections are kept for more than that; the
// large read buffers are what lets one core move more than 1 GB/s. HTTP/2 is
// off: its flow control would put all ranges on one TCP connection.
func newBase(t Timeouts) *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: t.Dial, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:    t.TLS,
		TLSNextProto:           map[string]func(string, *tls.Conn) http.RoundTripper{},
		MaxIdleConns:           256,
		MaxIdleConnsPerHost:    96,
		IdleConnTimeout:        60 * time.Second,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: 256 << 10,
		ReadBufferSize:         256 << 10,
		WriteBufferSize:        128 << 10,
	}
}

// An offline transport is where requests end when none may leave.
type offline struct{}

func (offline) RoundTrip(req *http.Request) (*http.Response, error) {
	closeBody(req)
	return nil, ErrOffline
}

// A counter counts what really goes out, repetitions and redirects included.
type counter struct {
	next http.RoundTripper
	n    *atomic.Int64
}

func (t counter) RoundTrip(req *http.Request) (*http.Response, error) {
	t.n.Add(1)
	return t.next.RoundTrip(req)
}

// userAgent sets the fixed headers, and drops those nobody shall see: a
// Referer would carry one URL's signature to another host.
type userAgent struct {
	next  http.RoundTripper
	agent string
}

func (t userAgent) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("User-Agent", t.agent)
	req.Header.Del("Referer")
	req.Header.Del("Cookie")
	return t.next.RoundTrip(req)
}

// agent joins the parts of the user agent, each once.
func agent(o Options) string {
	s := o.UserAgent
	if s == "" {
		s = "hubfs"
	}
	if o.Origin != "" {
		s += "; origin/" + o.Origin
	}
	var parts []string
	seen := map[string]bool{}
	for p := range strings.SplitSeq(s, ";") {
		p = strings.TrimSpace(p)
		if p != "" && !seen[p] {
			seen[p] = true
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, "; ")
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		req.Body.Close()
	}
}
