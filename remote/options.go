package remote

import (
	"fmt"
	"log/slog"
	"net/http"
	"time"
)

// DefaultEndpoint is the Hub meant by an empty Options.Endpoint.
const DefaultEndpoint = "https://huggingface.co"

const stagingEndpoint = "https://hub-ci.huggingface.co"

// Options configure a Client. The zero value is an anonymous client of the
// public Hub that reads nothing from the environment; FromEnv fills in what
// the user has set for huggingface_hub.
type Options struct {
	Endpoint  string            // base URL, without credentials; a path prefix is kept
	Token     string            // sent to the endpoint's own origin only; "" = anonymous
	Offline   bool              // every request fails with ErrOffline before it is sent
	UserAgent string            // "tool/version; key/value"; "" = "hubfs"
	Origin    string            // who uses the tool, added to the user agent as "origin/…"
	Transport http.RoundTripper // nil = one made for many parallel ranges, with the environment's proxies
	Timeouts  Timeouts
	Logger    *slog.Logger // warnings the Hub sends with its answers; nil = dropped
}

// Timeouts bound every wait on the network. A zero field has the default
// given with it; tests set small ones.
type Timeouts struct {
	Dial    time.Duration // a TCP connection, name look-up included; 10 s
	TLS     time.Duration // the TLS handshake; 10 s
	Header  time.Duration // from the request sent to the head of the answer; 15 s
	Commit  time.Duration // Header for requests that make the server work: questions about 256 files, commits, completed uploads; 120 s
	Stall   time.Duration // the longest pause of a body, either way; 15 s
	Retry   time.Duration // no repetition is begun once a read has taken that long; 30 s
	Backoff time.Duration // the first wait before a repetition, doubled each time; 500 ms
}

func (t Timeouts) withDefaults() Timeouts {
	set := func(d *time.Duration, def time.Duration) {
		if *d <= 0 {
			*d = def
		}
	}
	set(&t.Dial, 10*time.Second)
	set(&t.TLS, 10*time.Second)
	set(&t.Header, 15*time.Second)
	set(&t.Commit, 120*time.Second)
	set(&t.Stall, 15*time.Second)
	set(&t.Retry, 30*time.Second)
	set(&t.Backoff, 500*time.Millisecond)
	return t
}

// String leaves the token out, so that options can be logged.
func (o Options) String() string {
	token := "none"
	if o.Token != "" {
		token = hidden
	}
	return fmt.Sprintf("{Endpoint:%s Token:%s Offline:%t UserAgent:%q}", redact(o.Endpoint, secret{}), token, o.Offline, o.UserAgent)
}

// GoString is String, for %#v.
func (o Options) GoString() string { return "remote.Options" + o.String() }
