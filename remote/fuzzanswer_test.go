package remote_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode"

	"github.com/hubfs/hubfs/remote"
)

const fuzzToken = "hf_canaryCanaryCanary"

// fuzzClient talks to a net that is set for each input. The token may reach the
// endpoint only.
func fuzzClient(f *testing.F) (*remote.Client, *func(*http.Request) *http.Response) {
	serve := new(func(*http.Request) *http.Response)
	c, err := remote.New(remote.Options{
		Endpoint: "https://hub.example", Token: fuzzToken,
		Timeouts: remote.Timeouts{Backoff: time.Microsecond, Retry: 10 * time.Millisecond},
		Transport: fakeNet(func(r *http.Request) *http.Response {
			if r.Header.Get("Authorization") != "" && (r.URL.Scheme != "https" || r.URL.Host != "hub.example") {
				panic("the token went to " + r.URL.String())
			}
			if r.Body != nil {
				_, _ = io.Copy(io.Discard, r.Body)
				r.Body.Close()
			}
			return (*serve)(r)
		}),
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { c.Close() })
	return c, serve
}

// shown fails the test if text cannot be put on a terminal as it is.
func shown(t *testing.T, text string) {
	t.Helper()
	for _, r := range text {
		if !unicode.IsPrint(r) {
			t.Fatalf("%q", text)
		}
	}
	if strings.Contains(text, fuzzToken) {
		t.Fatalf("the token is in %q", text)
	}
}

// A commit has either an id, and the number of its pull request, or an error.
func FuzzCommitAnswer(f *testing.F) {
	id := strings.Repeat("a", 40)
	f.Add(200, `{"commitOid":"`+id+`","commitUrl":"https://hub.example/a/b/commit/`+id+`"}`, false)
	f.Add(200, `{"commitOid":"`+id+`","pullRequestUrl":"https://hub.example/a/b/discussions/12"}`, true)
	f.Add(200, `{"commitOid":"../x","commitUrl":5}`, false)
	f.Add(412, `{"error":["moved \u001b[0m",7]}`, false)
	f.Add(507, "no room for "+fuzzToken, false)
	c, serve := fuzzClient(f)
	f.Fuzz(func(t *testing.T, status int, body string, pr bool) {
		if status < 200 || status > 599 {
			return
		}
		*serve = func(*http.Request) *http.Response { return answer(status, body) }
		r, err := c.Commit(t.Context(), model("a/b"), remote.CommitRequest{Summary: "x", Deletes: []string{"f"}, CreatePR: pr})
		if err != nil {
			shown(t, err.Error())
			return
		}
		if !remote.IsCommit(r.Commit) || (r.Number > 0) != pr || status > 299 {
			t.Errorf("%d %q: %+v", status, body, r)
		}
		shown(t, r.URL+r.PullRequest)
	})
}

// A batch leads to uploads of all of the content, once, or to an error.
func FuzzBatchAnswer(f *testing.F) {
	content := "0123456789"
	oid := sha(content)
	object := `{"objects":[{"oid":"` + oid + `","size":10`
	f.Add(object+`}]}`, `"e"`)
	f.Add(object+`,"actions":{"upload":{"href":"https://cdn.example/x?sig=1"},"verify":{"href":"https://hub.example/v"}}}]}`, "")
	f.Add(object+`,"actions":{"upload":{"href":"https://cdn.example/done","header":{"chunk_size":"4","00001":"https://cdn.example/1","00002":"https://cdn.example/2","00003":"https://cdn.example/3"}}}}]}`, `"e"`)
	f.Add(object+`,"actions":{"upload":{"href":"/x","header":{"chunk_size":1e300,"1":"//h/1","-2":"x","٣":"x"}}}}]}`, "x")
	f.Add(object+`,"error":{"code":-1,"message":"\u202e"}}]}`, "")
	c, serve := fuzzClient(f)
	f.Fuzz(func(t *testing.T, body, etag string) {
		var sent atomic.Int64
		*serve = func(r *http.Request) *http.Response {
			if r.Method == http.MethodPut {
				sent.Add(r.ContentLength)
				return answer(200, "", "ETag: "+strings.Map(func(r rune) rune {
					if r < ' ' || r > '~' {
						return -1
					}
					return r
				}, etag))
			}
			return answer(200, body)
		}
		var told atomic.Int64
		err := c.UploadLFS(t.Context(), model("a/b"), []remote.LFSFile{lfsFile(content)}, remote.UploadOptions{Progress: func(n int64) { told.Add(n) }})
		if err != nil {
			shown(t, err.Error())
			return
		}
		if n := sent.Load(); n != 0 && n != 10 || told.Load() != 10 {
			t.Errorf("%q: %d bytes sent, %d told", body, n, told.Load())
		}
	})
}

// Each file is told a way, or there is an error.
func FuzzPreuploadAnswer(f *testing.F) {
	f.Add(`{"files":[{"path":"a","uploadMode":"lfs","shouldIgnore":false},{"path":"b","uploadMode":"regular","oid":null}]}`)
	f.Add(`{"files":[{"path":"a","uploadMode":"regular","oid":5}]}`)
	f.Add(`{"files":null}`)
	c, serve := fuzzClient(f)
	f.Fuzz(func(t *testing.T, body string) {
		*serve = func(*http.Request) *http.Response { return answer(200, body) }
		modes, err := c.Preupload(t.Context(), model("a/b"), []remote.PreuploadFile{{Path: "a", Size: 1}, {Path: "b"}}, remote.PreuploadOptions{})
		if err != nil {
			shown(t, err.Error())
		} else if len(modes) != 2 || modes[1].LFS {
			t.Errorf("%q: %+v", body, modes)
		}
	})
}

// What is said about a card can be shown.
func FuzzCardAnswer(f *testing.F) {
	f.Add(200, `{"errors":[],"warnings":[{"message":"empty or missing yaml metadata in repo card"}]}`)
	f.Add(400, `{"errors":[{"message":"\"license\" must be one of [mit]"}],"warnings":[{}]}`)
	f.Add(400, `{"errors":"x"}`)
	f.Add(404, `<html>`)
	c, serve := fuzzClient(f)
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			return
		}
		*serve = func(*http.Request) *http.Response { return answer(status, body) }
		warnings, err := c.ValidateCard(t.Context(), remote.Model, "# x")
		shown(t, strings.Join(warnings, ""))
		var bad *remote.CardError
		if err != nil {
			shown(t, err.Error())
		}
		if errors.As(err, &bad) && strings.Join(bad.Problems, "") == "" {
			t.Errorf("%d %q: %v", status, body, err)
		}
	})
}

// The list of pull requests ends, and its numbers fall.
func FuzzPullRequests(f *testing.F) {
	f.Add(`{"count":3,"start":0,"discussions":[{"num":3,"title":"t","status":"open","isPullRequest":true,"author":{"name":"me"}},{"num":1,"isPullRequest":true}]}`)
	f.Add(`{"count":9,"discussions":[{"num":2,"isPullRequest":true,"pinned":true},{"num":7,"isPullRequest":true,"pinned":true},{"num":4,"isPullRequest":true},{"num":3,"isPullRequest":true}]}`)
	f.Add(`{"count":99999,"start":-5,"discussions":[{"num":7,"isPullRequest":true}]}`)
	f.Add(`{"count":1e9,"discussions":[{}]}`)
	c, serve := fuzzClient(f)
	f.Fuzz(func(t *testing.T, body string) {
		pages := 0
		*serve = func(*http.Request) *http.Response {
			if pages++; pages > 3 {
				return answer(500, fmt.Sprintf(`{"error":"page %d"}`, pages))
			}
			return answer(200, body)
		}
		last := 1 << 62
		for p, err := range c.PullRequests(t.Context(), model("a/b")) {
			if err != nil {
				shown(t, err.Error())
				break
			}
			if p.Number <= 0 || p.Number >= last || !remote.ValidRev(p.Ref()) {
				t.Errorf("%q: %+v after %d", body, p, last)
			}
			shown(t, p.Title+p.Author+p.Status)
			last = p.Number
		}
	})
}
