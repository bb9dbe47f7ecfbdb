package hubtest

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// client asks a Hub as token, follows no redirect and fails the test on
// what net/http calls an error.
type client struct {
	t     *testing.T
	hub   *Hub
	token string
}

var direct = &http.Client{
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

type reply struct {
	*http.Response
	body []byte
}

func start(t *testing.T, o Options) *Hub {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if n := h.TokenLeaks(); n != 0 {
			t.Errorf("%d tokens reached the content origin", n)
		}
		direct.CloseIdleConnections()
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	h.AddUser("acme", "tok-acme", User{Orgs: map[string]string{"org": "write", "club": "read"}})
	h.AddUser("bob", "tok-bob", User{})
	h.AddUser("acme", "tok-read", User{TokenRole: "read"})
	return h
}

func as(t *testing.T, h *Hub, token string) client { return client{t, h, token} }

// do sends one request; url may be a path of the Hub origin.
func (c client) do(method, url string, body string, headers ...string) (reply, error) {
	if strings.HasPrefix(url, "/") {
		url = c.hub.URL() + url
	}
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if c.token != "" && strings.HasPrefix(url, c.hub.URL()) {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := direct.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return reply{res, b}, err
}

// want is do with the status it must have.
func (c client) want(status int, method, url, body string, headers ...string) reply {
	c.t.Helper()
	r, err := c.do(method, url, body, headers...)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, url, err)
	}
	if r.StatusCode != status {
		c.t.Fatalf("%s %s: %s, want %d\n%s", method, url, r.Status, status, r.body)
	}
	return r
}

func (c client) get(url string) reply { c.t.Helper(); return c.want(200, "GET", url, "") }

// denied is want that also checks the error code.
func (c client) denied(status int, code, method, url, body string) {
	c.t.Helper()
	r := c.want(status, method, url, body)
	if got := r.Header.Get("X-Error-Code"); got != code {
		c.t.Errorf("%s %s: code %q, want %q", method, url, got, code)
	}
}

func (r reply) decode(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal(r.body, v); err != nil {
		t.Fatalf("%s: %v", r.body, err)
	}
}

func (r reply) next(t *testing.T) string {
	t.Helper()
	link := r.Header.Get("Link")
	if link == "" {
		return ""
	}
	url, rest, ok := strings.Cut(strings.TrimPrefix(link, "<"), ">")
	if !ok || !strings.Contains(rest, `rel="next"`) {
		t.Fatalf("Link %q", link)
	}
	return url
}

// ndjson builds a commit request of header and lines.
func ndjson(header map[string]any, lines ...any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.Encode(map[string]any{"key": "header", "value": header})
	for _, l := range lines {
		e.Encode(l)
	}
	return b.String()
}

type m = map[string]any

func line(key string, value m) m { return m{"key": key, "value": value} }

func addLine(path, content string) m {
	return line("file", m{"path": path, "encoding": "base64", "content": base64.StdEncoding.EncodeToString([]byte(content))})
}

func (c client) commit(status int, repo, rev, body string) reply {
	c.t.Helper()
	return c.want(status, "POST", "/api/models/"+repo+"/commit/"+rev, body, "Content-Type", "application/x-ndjson")
}

func sum(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

// batch asks to upload one object.
func (c client) batch(repo, content string, transfers ...string) lfsObject {
	c.t.Helper()
	if transfers == nil {
		transfers = []string{"basic"}
	}
	in, _ := json.Marshal(m{
		"operation": "upload", "transfers": transfers, "hash_algo": "sha256", "ref": m{"name": "main"},
		"objects": []m{{"oid": sum(content), "size": len(content)}},
	})
	r := c.want(200, "POST", "/"+repo+".git/info/lfs/objects/batch", string(in), "Accept", lfsMedia, "Content-Type", lfsMedia)
	var out struct{ Objects []lfsObject }
	r.decode(c.t, &out)
	if len(out.Objects) != 1 {
		c.t.Fatalf("batch answered %s", r.body)
	}
	return out.Objects[0]
}

// uploadLarge sends content the basic way, with verify.
func (c client) uploadLarge(repo, content string) {
	c.t.Helper()
	o := c.batch(repo, content)
	c.want(200, "PUT", o.Actions["upload"].Href, content)
	c.want(200, "POST", o.Actions["verify"].Href, fmt.Sprintf(`{"oid":%q,"size":%d}`, sum(content), len(content)))
}
