package hubtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestRestart(t *testing.T) {
	dir := t.TempDir()
	h, err := New(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	r := h.Repo("acme/m")
	r.Put("a.txt", "1")
	want := r.Commit("main", "t", map[string]string{"m.bin": "\x00", "a.txt": "2"})
	r.Tag("v1", "main")
	r.SetPrivate(true)
	h.Repo("spaces/acme/s").Rename("acme/s2")
	h.Repo("acme/gone").Delete()
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	h = start(t, Options{Dir: dir})
	r = h.Repo("acme/m")
	if r.Head("main") != want || r.Head("v1") != want || len(r.Log("")) != 3 || string(r.Read("", "m.bin")) != "\x00" {
		t.Error("history is lost")
	}
	as(t, h, "").denied(401, "RepoNotFound", "GET", "/api/models/acme/m", "")
	c := as(t, h, "tok-acme")
	c.want(307, "GET", "/api/spaces/acme/s", "")
	if h.Has("acme/gone") {
		t.Error("a deleted repo is back")
	}
	if c.batch("acme/m", "\x00").Actions != nil {
		t.Error("the repo's large object is lost")
	}
}

func TestImport(t *testing.T) {
	h := start(t, Options{})
	src := t.TempDir()
	big := bytes.Repeat([]byte{0, 1, 2, 3}, 1<<19)
	for name, b := range map[string][]byte{"a.txt": []byte("hi"), "sub/big.bin": big, ".git/config": nil, "empty": nil} {
		p := filepath.Join(src, name)
		os.MkdirAll(filepath.Dir(p), 0o755)
		if err := os.WriteFile(p, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	os.Symlink("a.txt", filepath.Join(src, "link.txt"))
	r := h.Repo("acme/m")
	sha, err := r.Import(src)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(r.Read("", "sub/big.bin"), big) || string(r.Read("", "link.txt")) != "hi" || len(r.Files("")) != 5 {
		t.Errorf("%v", r.Files(""))
	}
	if again, err := r.Import(src); err != nil || again != sha {
		t.Errorf("the same folder made another commit: %v", err)
	}
	if _, err := r.Import(filepath.Join(src, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	r.PutReader("g.bin", 1<<20, &zeros{})
	r.PutSparse("s.bin", 1<<20)
	if f := r.Files(""); f["g.bin"] != f["s.bin"] || f["g.bin"].Size != 1<<20 || f["g.bin"].OID != sum(strings.Repeat("\x00", 1<<20)) {
		t.Errorf("%+v %+v", f["g.bin"], f["s.bin"])
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestEmptyRepoAndLongCommits(t *testing.T) {
	h := start(t, Options{})
	r := h.EmptyRepo("acme/e")
	c := as(t, h, "tok-acme")
	var info map[string]any
	c.get("/api/models/acme/e").decode(t, &info)
	if info["sha"] != nil {
		t.Errorf("%v", info)
	}
	c.denied(404, "RevisionNotFound", "GET", "/api/models/acme/e/tree/main", "")
	h.SetQuirks(Quirks{LongCommits: true})
	c.want(200, "POST", "/api/models/acme/e/preupload/main", `{"files":[]}`)
	c.commit(200, "acme/e", "main", ndjson(m{"summary": "first"}, addLine("a", "a")))
	head := r.Head("main")
	if len(head) != 64 {
		t.Errorf("head %s", head)
	}
	c.get("/api/models/acme/e/tree/" + head)
}

func TestCounts(t *testing.T) {
	h := start(t, Options{})
	h.Repo("acme/m").Put("m.bin", "\x000123")
	h.ResetCounts()
	c := as(t, h, "")
	c.get("/api/models/acme/m")
	c.get("/api/models/acme/m/tree/main")
	loc := c.want(302, "GET", "/acme/m/resolve/main/m.bin", "").Header.Get("Location")
	c.want(206, "GET", loc, "", "Range", "bytes=0-2")
	c.get(loc)
	// Bytes count when a request ends, which its client may see earlier.
	waitFor(t, func() bool { return h.Counts()[KindContent] == Count{N: 2, Out: 8} })
	n := h.Counts()
	if n[KindInfo].N != 1 || n[KindTree].N != 1 || n[KindResolve].N != 1 || h.Requests() != 5 {
		t.Errorf("%+v", n)
	}
	h.ResetCounts()
	if h.Requests() != 0 {
		t.Error("not reset")
	}
}

func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	end := time.Now().Add(10 * time.Second)
	for !ok() {
		if time.Now().After(end) {
			t.Fatal("it never came true")
		}
		time.Sleep(time.Millisecond)
	}
}

func TestFaults(t *testing.T) {
	h := start(t, Options{})
	r := h.Repo("acme/m")
	r.Put("m.bin", "\x000123456789")
	c := as(t, h, "tok-acme")
	loc := c.want(302, "GET", "/acme/m/resolve/main/m.bin", "").Header.Get("Location")
	set := func(f Fault) { h.Fault(func(*http.Request) *Fault { return &f }) }

	set(Fault{Status: 503, Header: http.Header{"Retry-After": {"7"}}, Body: "busy"})
	if r := c.want(503, "GET", "/api/models/acme/m", ""); r.Header.Get("Retry-After") != "7" || string(r.body) != "busy" {
		t.Errorf("%v %s", r.Header, r.body)
	}
	set(Fault{CutAfter: 4})
	if r, err := c.do("GET", loc, ""); err == nil || len(r.body) != 4 {
		t.Errorf("%v %q", err, r.body)
	}
	set(Fault{CutAfter: -1})
	if r, err := c.do("GET", loc, ""); err == nil || len(r.body) != 0 {
		t.Errorf("%v %q", err, r.body)
	}
	set(Fault{Flip: 2})
	if r := c.get(loc); string(r.body) == "\x000123456789" || string(r.body[2:]) != "123456789" {
		t.Errorf("%q", r.body)
	}
	set(Fault{Drop: true})
	if _, err := c.do("GET", loc, ""); err == nil {
		t.Error("an answer came")
	}
	before := r.Head("")
	set(Fault{After: true})
	if _, err := c.do("POST", "/api/models/acme/m/commit/main", ndjson(m{"summary": "s"}, addLine("x", "x")), "Content-Type", "application/x-ndjson"); err == nil {
		t.Error("an answer came")
	}
	if r.Head("") == before {
		t.Error("not acted")
	}
	set(Fault{After: true, Status: 502})
	before = r.Head("")
	c.commit(502, "acme/m", "main", ndjson(m{"summary": "s"}, addLine("y", "y")))
	if r.Head("") == before {
		t.Error("not acted")
	}
	set(Fault{CutAfter: 3, Stall: true})
	req, _ := http.NewRequest("GET", loc, nil)
	res, err := direct.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 3)
	if _, err := io.ReadFull(res.Body, b); err != nil {
		t.Error(err)
	}
	res.Body.Close() // Close of the Hub would hang if this were not noticed
	h.Fault(nil)
	c.get(loc)
}

// A clock cannot be asserted on a busy machine, but too fast is always wrong.
func TestShape(t *testing.T) {
	h := start(t, Options{})
	h.Repo("acme/m").PutSparse("m.bin", 300_000)
	c := as(t, h, "")
	loc := c.want(302, "GET", "/acme/m/resolve/main/m.bin", "").Header.Get("Location")
	for _, s := range []Shape{{ConnRate: 2_000_000}, {Rate: 2_000_000}, {Delay: 140 * time.Millisecond}} {
		h.Shape(s)
		began := time.Now()
		if r := c.get(loc); len(r.body) != 300_000 {
			t.Errorf("%d bytes", len(r.body))
		}
		if d := time.Since(began); d < 135*time.Millisecond {
			t.Errorf("%+v: %v", s, d)
		}
	}
	h.Shape(Shape{})
	c.get(loc)
}

func TestAccessLog(t *testing.T) {
	var log lockedBuffer
	h := start(t, Options{AccessLog: &log})
	h.Repo("acme/m").Put("m.bin", "\x000123")
	c := as(t, h, "")
	loc := c.want(302, "GET", "/acme/m/resolve/main/m.bin", "").Header.Get("Location")
	c.want(206, "GET", loc, "", "Range", "bytes=1-2")
	waitFor(t, func() bool { return strings.Count(log.String(), "\n") == 2 })
	var l accessLine
	if err := json.Unmarshal([]byte(strings.Split(log.String(), "\n")[1]), &l); err != nil {
		t.Fatal(err)
	}
	if l.Origin != "cdn" || l.Status != 206 || l.Bytes != 2 || l.Range != "bytes=1-2" || strings.Contains(log.String(), "Amz") {
		t.Errorf("%+v", l)
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestCards(t *testing.T) {
	h := start(t, Options{})
	c := as(t, h, "")
	for text, status := range map[string]int{
		"---\nlicense: mit\ntags:\n- a\n- 'b: c'\nx:\n  y: z\n  l:\n  - b: c\n# c\n\"q\": 1\n---\n# hi": 200,
		"no metadata":                         200,
		"---\nlicense: mit\n":                 400,
		"---\n\tlicense: mit\n---\n":          400,
		"---\njust words\n---\n":              400,
		"---\nlicense: Not A Licence!\n---\n": 400,
		"---\na: [1, 2\n---\n":                400,
		"---\na: 1\na: 2\n---\n":              400,
		"---\n- a\n- b\n---\n":                400,
		"---\ntags:\n- b: c\n---\n":           400,
		"---\n---\n":                          200,
	} {
		in, _ := json.Marshal(m{"content": text, "repoType": "model"})
		var out struct{ Errors, Warnings []struct{ Message string } }
		c.want(status, "POST", "/api/validate-yaml", string(in)).decode(t, &out)
		if (len(out.Errors) > 0) != (status == 400) {
			t.Errorf("%q: %+v", text, out)
		}
	}
}

func TestSize(t *testing.T) {
	h := start(t, Options{})
	h.Repo("acme/m").Commit("main", "s", map[string]string{"d/a": "12", "d/e/b": "345"})
	var out struct{ Size int64 }
	as(t, h, "").get("/api/models/acme/m/treesize/main/d").decode(t, &out)
	if out.Size != 5 {
		t.Errorf("%+v", out)
	}
}

func TestDropIdle(t *testing.T) {
	h := start(t, Options{})
	h.Repo("acme/m")
	c := as(t, h, "")
	c.get("/api/models/acme/m")
	waitFor(t, func() bool { return h.DropIdle() > 0 })
	c.get("/api/models/acme/m")
}
