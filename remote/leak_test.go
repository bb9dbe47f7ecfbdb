package remote_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/hubfs/hubfs/remote"
)

// fakeNet answers requests to any host without a network.
type fakeNet func(r *http.Request) *http.Response

func (f fakeNet) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close()
	}
	res := f(r)
	if res == nil {
		return nil, errors.New("no such host")
	}
	res.Request = r
	return res, nil
}

func answer(status int, body string, header ...string) *http.Response {
	res := &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: http.NoBody, ContentLength: int64(len(body)),
	}
	if body != "" {
		res.Body = readCloser{strings.NewReader(body)}
	}
	for _, h := range header {
		k, v, _ := strings.Cut(h, ": ")
		res.Header.Add(k, v)
	}
	return res
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

// The matrix: from an endpoint over one to three redirects, through every kind
// of neighbour, with every kind of request. The token is seen by the endpoint's
// own origin only, and not even there once another host has led back to it.
func TestTokenStaysAtItsOrigin(t *testing.T) {
	const token = "hf_canaryCanaryCanary"
	origins := []string{
		"https://hub.example", "https://hub.example:443", "https://HUB.example", "https://hub.example:8443", "http://hub.example",
		"https://sub.hub.example", "https://hub.example.evil.org", "https://evil.org", "https://example", "https://hub.example.",
	}
	endpoints := []string{"https://hub.example", "http://hub.example", "https://hub.example:8443"}
	origin := func(r *http.Request) string {
		port := r.URL.Port()
		if port == "" {
			port = map[string]string{"http": "80", "https": "443"}[r.URL.Scheme]
		}
		return r.URL.Scheme + "://" + strings.ToLower(r.URL.Hostname()) + ":" + port
	}
	cells := 0
	methods := map[string]func(c *remote.Client) error{
		"GET": func(c *remote.Client) error { _, err := c.Info(context.Background(), model("a/b")); return err },
		"content": func(c *remote.Client) error {
			_, err := readRange(c.Content(model("a/b"), strings.Repeat("c", 40), remote.Entry{Path: fmt.Sprint(cells), Size: 9, Blob: remote.Blob{ID: "git:" + strings.Repeat("a", 40)}}), 0, 9)
			return err
		},
		"POST": func(c *remote.Client) error {
			_, err := c.Commit(context.Background(), model("a/b"), remote.CommitRequest{Summary: "x", Deletes: []string{"f"}})
			return err
		},
	}
	sent := 0
	for _, endpoint := range endpoints {
		var net fakeNet
		c := clientOf(t, remote.Options{Endpoint: endpoint, Token: token, Timeouts: quick, Transport: fakeNet(func(r *http.Request) *http.Response { return net(r) })})
		for _, a := range origins {
			for _, b := range append([]string{""}, origins...) {
				for _, last := range []string{"", endpoint} {
					for _, status := range []int{301, 302, 303, 307, 308} {
						for name, call := range methods {
							chain := []string{a}
							for _, hop := range []string{b, last} {
								if hop != "" {
									chain = append(chain, hop)
								}
							}
							cells++
							home, own := "", true
							net = fakeNet(func(r *http.Request) *http.Response {
								if home == "" {
									home = origin(r)
								}
								own = own && origin(r) == home
								auth := r.Header.Get("Authorization")
								if auth != "" {
									sent++
								}
								if own != (auth == "Bearer "+token) {
									t.Errorf("%s %s from %s by %v (%d): Authorization %q at %s", name, r.Method, endpoint, chain, status, auth, r.URL)
								}
								if ref := r.Header.Get("Referer"); ref != "" {
									t.Errorf("Referer %q", ref)
								}
								if strings.HasPrefix(home, "https:") && r.URL.Scheme != "https" {
									t.Errorf("%s from %s by %v: sent in the clear to %s", name, endpoint, chain, r.URL)
								}
								i := strings.Count(r.URL.RawQuery, "h")
								if i >= len(chain) {
									return answer(200, "[]")
								}
								return answer(status, "", "Location: "+chain[i]+"/x?"+strings.Repeat("h", i+1))
							})
							if err := call(c); err != nil && strings.Contains(err.Error(), token) {
								t.Errorf("the error holds the token: %v", err)
							}
						}
					}
				}
			}
		}
	}
	t.Logf("%d chains, the token was sent %d times", cells, sent)
}

func TestRedirectRules(t *testing.T) {
	for name, c := range map[string]struct{ location, want string }{
		"loop":         {"https://hub.example/loop", "more than 5 redirects"},
		"downgrade":    {"http://hub.example/x", "from https to http"},
		"file":         {"file:///etc/passwd", "not HTTP"},
		"no host":      {"https:///x", "not HTTP"},
		"no URL":       {"https://[::1", "no URL"},
		"credentials":  {"https://u:p@hub.example/x", "with a user"},
		"control byte": {"https://hub.example/\x01", "no URL"},
	} {
		t.Run(name, func(t *testing.T) {
			var n int
			cl := clientOf(t, remote.Options{Endpoint: "https://hub.example", Timeouts: quick, Transport: fakeNet(func(r *http.Request) *http.Response {
				n++
				return answer(302, "", "Location: "+c.location)
			})})
			_, err := cl.Info(t.Context(), model("a/b"))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if n > 6 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

// Nothing that is signed or secret is in an error, whatever the server says.
func TestErrorsHoldNoSecrets(t *testing.T) {
	const token, signature = "hf_canaryCanaryCanary", "SIGNATURECANARY"
	bodies := []string{
		`{"error":"you sent Bearer ` + token + ` and https://s3.example/x?X-Amz-Signature=` + signature + ` failed"}`,
		`token ` + token + "\x1b[31m\nhttps://u:" + token + "@h/?" + signature,
		`{"error":["` + token + `"],"errors":[{"message":"see https://x/y#` + signature + `"}]}`,
	}
	for _, body := range bodies {
		for _, status := range []int{302, 400, 401, 403, 404, 416, 200} {
			var mu sync.Mutex
			c := clientOf(t, remote.Options{Endpoint: "https://hub.example", Token: token, Timeouts: quick, Transport: fakeNet(func(r *http.Request) *http.Response {
				mu.Lock()
				defer mu.Unlock()
				if r.URL.Host == "hub.example" && status == 302 {
					return answer(302, "", "Location: https://cdn.example/o?X-Amz-Signature="+signature)
				}
				s := status
				if s == 302 {
					s = 403
				}
				return answer(s, body, "X-Error-Message: "+strings.ReplaceAll(body, "\n", " "), "X-Error-Code: x"+signature[:0]+"\x1b[1m", "X-Request-Id: r\x1b]0;")
			})})
			k := c.Content(model("a/b"), strings.Repeat("c", 40), remote.Entry{Path: "f", Size: 9, Blob: remote.Blob{ID: "git:" + strings.Repeat("a", 40)}})
			_, err1 := readRange(k, 0, 9)
			_, err2 := c.Info(t.Context(), model("a/b"))
			_, err3 := c.CreateRepo(t.Context(), model("a/b"), remote.CreateOptions{})
			_, err4 := c.Commit(t.Context(), model("a/b"), remote.CommitRequest{Summary: "x", Deletes: []string{"f"}})
			err5 := c.UploadLFS(t.Context(), model("a/b"), []remote.LFSFile{lfsFile("x")}, remote.UploadOptions{})
			for i, err := range []error{err1, err2, err3, err4, err5} {
				s := fmt.Sprintf("%v %+v", err, err)
				if strings.Contains(s, token) || strings.Contains(s, signature) || strings.ContainsAny(s, "\x1b\n") {
					t.Errorf("%d, call %d: %q", status, i, s)
				}
			}
		}
	}
	o := remote.Options{Token: token}
	for _, s := range []string{fmt.Sprint(o), fmt.Sprintf("%+v %#v %s", o, o, o)} {
		if strings.Contains(s, token) {
			t.Error(s)
		}
	}
	c := newClient(t, "https://hub.example", token)
	if s := fmt.Sprintf("%v %+v %#v", c, c, c); strings.Contains(s, token) {
		t.Error("a printed client shows its token")
	}
}
