package hubtest

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestResolveShapes(t *testing.T) {
	h := start(t, Options{})
	repo := h.Repo("acme/m")
	sha := repo.Commit("main", "files", map[string]string{
		"sub/a b.json": `{"a":1}`, "m.bin": "\x00\x01large", "empty": "",
	})
	anon := as(t, h, "")

	// A: a relative 307, good with its query and without.
	r := anon.want(307, "GET", "/acme/m/resolve/main/sub/a%20b.json", "")
	etag := `"` + gitHash("blob", []byte(`{"a":1}`)) + `"`
	if r.Header.Get("X-Repo-Commit") != sha || r.Header.Get("ETag") != etag {
		t.Errorf("%v", r.Header)
	}
	to, _ := url.Parse(r.Header.Get("Location"))
	if to.Host != "" || to.RawQuery == "" {
		t.Errorf("Location %s", to)
	}
	for _, u := range []string{to.String(), to.EscapedPath()} {
		r := anon.get(u)
		if string(r.body) != `{"a":1}` || r.Header.Get("ETag") != etag || r.Header.Get("X-Repo-Commit") != sha {
			t.Errorf("%s: %v %s", u, r.Header, r.body)
		}
	}

	// B: an absolute 302 to the other origin.
	r = anon.want(302, "HEAD", "/acme/m/resolve/"+sha+"/m.bin", "")
	if r.Header.Get("X-Linked-Size") != "7" || r.Header.Get("X-Linked-Etag") != `"`+sum("\x00\x01large")+`"` {
		t.Errorf("%v", r.Header)
	}
	if loc := r.Header.Get("Location"); !strings.HasPrefix(loc, h.CDNURL()+"/") {
		t.Errorf("Location %s", loc)
	} else if r := anon.get(loc); string(r.body) != "\x00\x01large" {
		t.Errorf("%q", r.body)
	}

	// C: at once, for empty and private files.
	if r := anon.get("/acme/m/resolve/main/empty"); len(r.body) != 0 {
		t.Errorf("%q", r.body)
	}
	repo.SetPrivate(true)
	r = as(t, h, "tok-acme").want(200, "HEAD", "/acme/m/resolve/main/sub/a%20b.json", "")
	if r.ContentLength != 7 {
		t.Errorf("length %d", r.ContentLength)
	}
	repo.SetPrivate(false)

	for shape, status := range map[byte]int{'A': 307, 'B': 302, 'C': 200} {
		h.SetQuirks(Quirks{Resolve: func(string, string) byte { return shape }})
		for _, p := range []string{"m.bin", "sub/a%20b.json"} {
			r := anon.want(status, "GET", "/acme/m/resolve/main/"+p, "")
			if loc := r.Header.Get("Location"); loc != "" {
				r = anon.get(loc)
			}
			if want := repo.Read("main", strings.ReplaceAll(p, "%20", " ")); string(r.body) != string(want) {
				t.Errorf("%c %s: %q", shape, p, r.body)
			}
		}
	}
	h.SetQuirks(Quirks{})

	if r := anon.get("/acme/m/raw/main/m.bin"); string(r.body) != string(pointer(sum("\x00\x01large"), 7)) {
		t.Errorf("raw %s", r.body)
	}
	r = anon.want(404, "GET", "/acme/m/resolve/main/none", "")
	if r.Header.Get("X-Error-Code") != "EntryNotFound" || r.Header.Get("X-Repo-Commit") != sha {
		t.Errorf("%v", r.Header)
	}
	anon.denied(404, "EntryNotFound", "GET", "/acme/m/resolve/main/sub", "")
	anon.denied(404, "RevisionNotFound", "GET", "/acme/m/resolve/none/m.bin", "")
}

func TestRanges(t *testing.T) {
	h := start(t, Options{})
	h.Repo("acme/m").Put("m.bin", "\x000123456789")
	c := as(t, h, "")
	loc := c.want(302, "GET", "/acme/m/resolve/main/m.bin", "").Header.Get("Location")
	r := c.want(206, "GET", loc, "", "Range", "bytes=1-3")
	if string(r.body) != "012" || r.Header.Get("Content-Range") != "bytes 1-3/11" {
		t.Errorf("%v %q", r.Header, r.body)
	}
	c.want(206, "GET", loc, "", "Range", "bytes=5-")
	r = c.want(416, "GET", loc, "", "Range", "bytes=11-")
	if got := r.Header.Get("Content-Range"); got != "bytes */11" {
		t.Errorf("Content-Range %q", got)
	}
	c.want(304, "GET", loc, "", "If-None-Match", r.Header.Get("ETag")+`"`+sum("\x000123456789")+`"`)

	h.SetQuirks(Quirks{WholeBody: true, UnquotedETags: true, BareRedirect: true})
	r = c.want(302, "GET", "/acme/m/resolve/main/m.bin", "")
	if r.Header.Get("X-Linked-Size")+r.Header.Get("X-Linked-Etag")+r.Header.Get("X-Repo-Commit") != "" {
		t.Errorf("%v", r.Header)
	}
	r = c.want(200, "GET", loc, "", "Range", "bytes=1-3")
	if len(r.body) != 11 || strings.Contains(r.Header.Get("ETag"), `"`) {
		t.Errorf("%v %q", r.Header, r.body)
	}
}

func TestSignedURLs(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	h := start(t, Options{URLTTL: time.Minute, Now: func() time.Time { return now }})
	h.Repo("acme/m").Put("m.bin", "\x00")
	c := as(t, h, "")
	fresh := func() string { return c.want(302, "GET", "/acme/m/resolve/main/m.bin", "").Header.Get("Location") }
	for _, style := range []Quirks{{}, {CloudFront: true}} {
		h.SetQuirks(style)
		loc := fresh()
		c.get(loc)
		c.want(403, "HEAD", loc, "") // signed for GET only
		c.want(403, "GET", loc+"0", "")
		c.want(403, "GET", strings.Split(loc, "?")[0], "")
		now = now.Add(time.Minute)
		c.want(403, "GET", loc, "")
		loc = fresh()
		h.ExpireURLs()
		c.want(403, "GET", loc, "")
		c.get(fresh())
	}
	h.SetQuirks(Quirks{GoneStatus: 401})
	loc := fresh()
	h.ExpireURLs()
	c.want(401, "GET", loc, "")
}

func TestTokenLeakIsRefusedAndCounted(t *testing.T) {
	h, err := New(Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if err := h.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	h.Repo("acme/m").Put("m.bin", "\x00")
	c := as(t, h, "")
	loc := c.want(302, "GET", "/acme/m/resolve/main/m.bin", "").Header.Get("Location")
	c.want(400, "GET", loc, "", "Authorization", "Bearer x")
	if h.TokenLeaks() != 1 {
		t.Errorf("%d leaks", h.TokenLeaks())
	}
}
