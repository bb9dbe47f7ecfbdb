package remote

import (
	"context"
	"net/http"
	"net/url"
	"strings"
)

// bearer adds the token to requests for the endpoint's own origin, and takes
// an Authorization header off all others. net/http keeps credentials for
// sub-domains and for other ports of a host; here each request is judged by
// itself, so there is nothing to be kept by mistake.
type bearer struct {
	next     http.RoundTripper
	endpoint *url.URL
	token    secret
}

func (t bearer) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Del("Authorization")
	if t.token.reveal() != "" && sameOrigin(req.URL, t.endpoint) && !strayed(req.Context()) {
		req.Header.Set("Authorization", "Bearer "+t.token.reveal())
	}
	return t.next.RoundTrip(req)
}

type strayedKey struct{}

// stray marks a request whose redirects have left the endpoint's origin. It
// gets no token any more, even if another host leads it back: that host chose
// the URL, and must not have it fetched in the user's name.
func stray(ctx context.Context) context.Context {
	return context.WithValue(ctx, strayedKey{}, true)
}

func strayed(ctx context.Context) bool { return ctx.Value(strayedKey{}) != nil }

// sameOrigin compares scheme, host and port, as RFC 6454 has it.
func sameOrigin(a, b *url.URL) bool {
	return strings.EqualFold(a.Scheme, b.Scheme) && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	switch strings.ToLower(u.Scheme) {
	case "http":
		return "80"
	case "https":
		return "443"
	}
	return ""
}
