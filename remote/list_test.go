package remote_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hubfs/hubfs/remote"
	"github.com/hubfs/hubfs/remote/hubtest"
)

func TestWhoAmI(t *testing.T) {
	hub := newHub(t, hubtest.Options{})
	c := newClient(t, hub.URL(), aliceToken)
	hub.ResetCounts()
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			u, err := c.WhoAmI(context.Background())
			if err != nil || u.Name != "alice" || len(u.Orgs) != 2 {
				t.Errorf("%+v, %v", u, err)
			}
		})
	}
	wg.Wait()
	if n := hub.Requests(); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
	if _, err := newClient(t, hub.URL(), "hf_nobody12345").WhoAmI(t.Context()); !errors.Is(err, remote.ErrBadToken) || !errors.Is(err, fs.ErrPermission) {
		t.Error(err)
	}
	anonymous := newClient(t, hub.URL(), "")
	if _, err := anonymous.WhoAmI(t.Context()); !errors.Is(err, fs.ErrPermission) || errors.Is(err, remote.ErrBadToken) {
		t.Error(err)
	}
	if !anonymous.Anonymous() || c.Anonymous() || c.Endpoint() != hub.URL() {
		t.Error("who is who?")
	}
}

func TestRefs(t *testing.T) {
	hub := newHub(t, hubtest.Options{})
	r := hub.Repo("datasets/acme/d")
	head := r.Put("f", "x")
	r.Branch("dev/x", "main")
	r.Tag("v1", "main")
	r.Convert("parquet", "main")
	refs, err := newClient(t, hub.URL(), "").Refs(t.Context(), remote.Repo{Type: remote.Dataset, ID: "acme/d"})
	if err != nil {
		t.Fatal(err)
	}
	names := func(refs []remote.Ref) (out []string) {
		for _, r := range refs {
			if r.Commit != head {
				t.Errorf("%+v, want commit %s", r, head)
			}
			out = append(out, r.Name)
		}
		return out
	}
	if len(names(refs.Branches)) != 2 || len(names(refs.Converts)) != 1 {
		t.Errorf("%+v", refs)
	}
	if diff := cmp.Diff([]string{"v1"}, names(refs.Tags)); diff != "" {
		t.Error(diff)
	}
	for _, rev := range []string{"dev/x", "v1", "refs/convert/parquet", head} {
		repo := remote.Repo{Type: remote.Dataset, ID: "acme/d", Rev: rev}
		if s := snapshot(t, newClient(t, hub.URL(), ""), repo); s.Commit() != head || s.Repo() != repo {
			t.Errorf("%s is at %s", repo, s.Commit())
		}
	}
}

func TestRepos(t *testing.T) {
	hub := newHub(t, hubtest.Options{PageSize: 3})
	for i := range 10 {
		hub.Repo(fmt.Sprintf("acme/m%d", i)).Put("f", "x")
	}
	hub.Repo("acme/m3").SetPrivate(true)
	for token, want := range map[string]int{aliceToken: 10, bobToken: 9, "": 9} {
		seen := map[string]bool{}
		for info, err := range newClient(t, hub.URL(), token).Repos(t.Context(), remote.Model, "acme") {
			if err != nil {
				t.Fatal(err)
			}
			seen[info.ID] = true
			if info.Private != (info.ID == "acme/m3") {
				t.Errorf("%+v", info)
			}
		}
		if len(seen) != want {
			t.Errorf("%.8s sees %d, want %d", token, len(seen), want)
		}
	}
	// A caller that has seen enough stops the paging.
	c := newClient(t, hub.URL(), aliceToken)
	for range c.Repos(t.Context(), remote.Model, "acme") {
		break
	}
	if c.Requests() != 1 {
		t.Errorf("%d requests", c.Requests())
	}
	for _, err := range c.Repos(t.Context(), remote.Model, "../x") {
		if err == nil {
			t.Error("a bad namespace is asked for")
		}
	}
}

// Lists that never end, go elsewhere or are no lists.
func TestHostileLists(t *testing.T) {
	elsewhere := serve(t, func(w http.ResponseWriter, r *http.Request) { t.Errorf("%s was asked for", r.URL) })
	for name, h := range map[string]http.HandlerFunc{
		"the same page": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", fmt.Sprintf(`<http://%s%s>; rel="next"`, r.Host, r.URL.RequestURI()))
			fmt.Fprint(w, `[{"id":"a/b"}]`)
		},
		"two pages in turn": func(w http.ResponseWriter, r *http.Request) {
			next := "1"
			if r.URL.Query().Get("cursor") == "1" {
				next = "2"
			}
			w.Header().Set("Link", fmt.Sprintf(`<http://%s/api/models?cursor=%s>; rel="next"`, r.Host, next))
			fmt.Fprint(w, `[]`)
		},
		"another host": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", `<`+strings.Replace(elsewhere.URL, "127.0.0.1", "localhost", 1)+`/x>; rel="next"`)
			fmt.Fprint(w, `[]`)
		},
		"an object":  func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `{"a":[]}`) },
		"cut":        func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `[{"id":"a/b"}`) },
		"no JSON":    func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `<html>`) },
		"nothing":    func(w http.ResponseWriter, r *http.Request) {},
		"wrong type": func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `[{"id":5}]`) },
		"endless": func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, `[`)
			for r.Context().Err() == nil {
				if _, err := fmt.Fprint(w, strings.Repeat(`{"id":"a/b","tag":"`+strings.Repeat("x", 10_000)+`"},`, 10)); err != nil {
					return
				}
			}
		},
		"one endless item": func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, `[{"id":"`)
			for r.Context().Err() == nil {
				if _, err := fmt.Fprint(w, strings.Repeat(`x`, 100_000)); err != nil {
					return
				}
			}
		},
		"too deep": func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, strings.Repeat(`[`, 100_000)) },
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, serve(t, h).URL, "")
			var last error
			for _, err := range c.Repos(t.Context(), remote.Model, "a") {
				last = err
			}
			if last == nil || len(last.Error()) > 3000 {
				t.Errorf("%.200v", last)
			}
			if c.Requests() > 4 {
				t.Errorf("%d requests", c.Requests())
			}
		})
	}
}

// An answer that breaks off is asked for again, and nothing counts twice.
func TestCutAnswers(t *testing.T) {
	hub := newHub(t, hubtest.Options{})
	hub.Repo("acme/m").Commit("main", "x", many(50))
	c := newClient(t, hub.URL(), aliceToken)
	var n atomic.Int32
	hub.Fault(func(r *http.Request) *hubtest.Fault {
		if n.Add(1)%2 == 1 {
			return &hubtest.Fault{CutAfter: 100}
		}
		return nil
	})
	s := snapshot(t, c, model("acme/m"))
	if all, err := s.Walk(t.Context()); err != nil || len(all) != 56 || s.Hidden() != 0 {
		t.Errorf("%d entries, %d hidden, %v", len(all), s.Hidden(), err)
	}
	if _, err := c.Preupload(t.Context(), model("acme/m"), []remote.PreuploadFile{{Path: strings.Repeat("x", 100), Size: 1}}, remote.PreuploadOptions{}); err != nil {
		t.Error(err)
	}
	if n.Load() != 6 {
		t.Errorf("%d requests, want 6", n.Load())
	}
	// One that always breaks off ends in an error.
	hub.Fault(func(r *http.Request) *hubtest.Fault { return &hubtest.Fault{CutAfter: 100} })
	if _, err := c.Refs(t.Context(), model("acme/m")); err == nil {
		t.Error("no error")
	}
}

// A proxy that does not know how it is reached links to its own host with
// another scheme or port, or to the public Hub: the endpoint is meant.
func TestLinksOfProxies(t *testing.T) {
	for _, base := range []string{"https://huggingface.co", "https://127.0.0.1", "http://127.0.0.1:1", ""} {
		var n atomic.Int32
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if n.Add(1) == 1 {
				w.Header().Add("Link", `<https://x/a,b;c>; rel="first", <`+base+`/api/models?cursor=a,b%3B>; rel="next"`)
			} else if r.URL.RawQuery != "cursor=a,b%3B" {
				t.Errorf("%s", r.URL)
			}
			fmt.Fprint(w, `[{"id":"a/b"}]`)
		})
		items := 0
		for _, err := range newClient(t, s.URL, "").Repos(t.Context(), remote.Model, "a") {
			if err != nil {
				t.Error(base, err)
			}
			items++
		}
		if items != 2 {
			t.Errorf("%q: %d items", base, items)
		}
	}
}

// Answers about one repo that make no sense.
func TestBadInfo(t *testing.T) {
	for _, body := range []string{
		`{}`, `[]`, `null`, ``, `{"id":"../../x"}`, `{"id":"a/b","sha":"../x"}`, `{"id":"a/b","sha":5}`, `{"id":"a/b","sha":"` + strings.Repeat("A", 40) + `"}`,
		`{"id":"a/b\u001b[31m"}`, `{"id":"` + strings.Repeat("x", 1<<20) + `"}`,
	} {
		c := newClient(t, serve(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, body) }).URL, "")
		info, err := c.Info(t.Context(), model("a/b"))
		if err == nil || strings.ContainsRune(err.Error(), 0x1b) || len(err.Error()) > 1000 {
			t.Errorf("%.60q: %+v, %.100v", body, info, err)
		}
	}
	c := newClient(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `{"id":"a/b","sha":"`+strings.Repeat("0", 64)+`","gated":"manual","lastModified":"2022-08-19T07:19:38Z"}`)
	}).URL, "")
	info, err := c.Info(t.Context(), model("a/b"))
	if err != nil || info.Gated != "manual" || info.LastModified.Year() != 2022 {
		t.Errorf("%+v, %v", info, err)
	}
	for _, bad := range []remote.Repo{{}, {Type: "x", ID: "a/b"}, {Type: remote.Model, ID: "a/../b"}, {Type: remote.Model, ID: "a/b", Rev: "x\r\ny"}} {
		if _, err := c.Info(t.Context(), bad); err == nil {
			t.Errorf("%#v is asked for", bad)
		}
	}
}

// Error answers, and where their words come from.
func TestErrors(t *testing.T) {
	for _, c := range []struct {
		status int
		header string
		body   string
		is     []error
		text   string
	}{
		{404, "X-Error-Code: RepoNotFound", `{"error":"Repository not found"}`, []error{fs.ErrNotExist, remote.ErrRepoNotFound}, "Repository not found"},
		{404, "X-Error-Code: RevisionNotFound", `{"error":"Invalid rev id"}`, []error{fs.ErrNotExist, remote.ErrRevisionNotFound}, "Invalid rev id"},
		{404, "X-Error-Code: EntryNotFound", ``, []error{fs.ErrNotExist, remote.ErrEntryNotFound}, "EntryNotFound"},
		{404, "X: y", `<html>no</html>`, []error{fs.ErrNotExist}, "404 Not Found"},
		{401, "X: y", `Invalid username or password.`, []error{fs.ErrPermission}, "Invalid username or password."},
		{401, "X-Error-Message: Invalid credentials in Authorization header", `{}`, []error{fs.ErrPermission, remote.ErrBadToken}, "Invalid credentials"},
		{403, "X-Error-Code: GatedRepo", `{"error":["Ask","first"]}`, []error{fs.ErrPermission, remote.ErrGated}, "Ask; first"},
		{403, "X-Error-Message: Access to this resource is disabled.", ``, []error{fs.ErrPermission}, "is disabled"},
		{412, "X: y", `{"errors":[{"message":"The branch was updated"}]}`, []error{remote.ErrConflict}, "The branch was updated"},
		{429, "Retry-After: 999", `{"error":"x","error_description":"y"}`, []error{remote.ErrRateLimited}, "x; y"},
		{400, "X-Amz-Cf-Id: abc", strings.Repeat("é", 5000), nil, "[request id abc]"},
	} {
		cl := newClient(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
			setHeaders(w, c.header)
			if strings.HasPrefix(c.body, "<") {
				w.Header().Set("Content-Type", "text/html")
			}
			w.WriteHeader(c.status)
			fmt.Fprint(w, c.body)
		}).URL, "")
		_, err := cl.Info(t.Context(), model("a/b"))
		var e *remote.Error
		if !errors.As(err, &e) || e.Status != c.status || !strings.Contains(err.Error(), c.text) || len(err.Error()) > 3000 {
			t.Errorf("%d %s: %.200v", c.status, c.header, err)
			continue
		}
		all := []error{fs.ErrNotExist, fs.ErrPermission, fs.ErrExist, remote.ErrConflict, remote.ErrGated, remote.ErrRepoNotFound,
			remote.ErrRevisionNotFound, remote.ErrEntryNotFound, remote.ErrBadToken, remote.ErrRateLimited}
		for _, s := range all {
			want := false
			for _, w := range c.is {
				want = want || w == s
			}
			if errors.Is(err, s) != want {
				t.Errorf("%d %s: is %v: %t", c.status, c.header, s, !want)
			}
		}
	}
}

// A server, or a redirect, that makes a flat listing of a deep one: what it
// leaves out is asked for, and never taken for missing.
func TestFlatListing(t *testing.T) {
	hub := newHub(t, hubtest.Options{})
	hub.Repo("acme/m").Commit("main", "x", map[string]string{"a.txt": "a", "d/b.txt": "b", "d/e/c.txt": "c"})
	c := newClient(t, hub.URL(), "")
	s := snapshot(t, c, model("acme/m"))
	hub.Fault(func(r *http.Request) *hubtest.Fault {
		if r.URL.Query().Get("recursive") == "true" {
			return &hubtest.Fault{Status: 307, Header: http.Header{"Location": {r.URL.Path + "?recursive=false"}}}
		}
		return nil
	})
	for _, p := range []string{"a.txt", "d/b.txt", "d/e/c.txt"} {
		if e, err := s.Stat(t.Context(), p); err != nil || e.Size != 1 {
			t.Errorf("%s: %+v, %v", p, e, err)
		}
	}
	if all, err := s.Walk(t.Context()); err == nil || !strings.Contains(err.Error(), `leaves out what is in the directory "d"`) {
		t.Errorf("%v, %v", paths(all), err)
	}
}
