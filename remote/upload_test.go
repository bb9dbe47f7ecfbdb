package remote_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/hubfs/hubfs/remote"
)

// Answers to an LFS batch that must not be followed, or make no sense.
func TestHostileBatches(t *testing.T) {
	content := "0123456789"
	object := func(more string) string {
		return fmt.Sprintf(`{"objects":[{"oid":"%s","size":10%s}]}`, sha(content), more)
	}
	upload := func(href, header string) string {
		return object(`,"actions":{"upload":{"href":"` + href + `","header":{` + header + `}}}`)
	}
	for name, c := range map[string]struct{ body, want string }{
		"in the clear":       {upload("http://cdn.example/x", ""), "in the clear"},
		"a file":             {upload("file:///etc/passwd", ""), "no URL"},
		"another protocol":   {upload("ftp://cdn.example/x", ""), "scheme"},
		"with a user":        {upload("https://u:p@cdn.example/x", ""), "no URL"},
		"not there":          {`{"objects":[]}`, "leaves out"},
		"another size":       {strings.Replace(object(""), "10", "11", 1), "size wrong"},
		"refused":            {object(`,"error":{"code":403,"message":"over \u001b[31mquota"}`), `over \u001b[31mquota`},
		"parts in the clear": {upload("https://cdn.example/x", `"chunk_size":"5","1":"https://cdn.example/1","2":"http://cdn.example/2"`), "in the clear"},
		"too few parts":      {upload("https://cdn.example/x", `"chunk_size":5,"00001":"https://cdn.example/1"`), "1 parts of 5"},
		"parts with a gap":   {upload("https://cdn.example/x", `"chunk_size":5,"1":"https://cdn.example/1","3":"https://cdn.example/3"`), "part 2"},
		"no size of parts":   {upload("https://cdn.example/x", `"chunk_size":0,"1":"https://cdn.example/1"`), "parts of 0"},
		"part is a number":   {upload("https://cdn.example/x", `"chunk_size":5,"1":1,"2":2`), "no text"},
		"no etags":           {upload("https://cdn.example/x", `"chunk_size":5,"1":"https://cdn.example/1","2":"https://cdn.example/2"`), "without an etag"},
		"no JSON":            {`<html>`, "not the JSON"},
		"bad verify":         {object(`,"actions":{"upload":{"href":"https://cdn.example/x"},"verify":{"href":"http://x/"}}`), "in the clear"},
	} {
		t.Run(name, func(t *testing.T) {
			cl := clientOf(t, remote.Options{Endpoint: "https://hub.example", Token: "hf_canaryCanary", Timeouts: quick, Transport: fakeNet(func(r *http.Request) *http.Response {
				if r.Body != nil {
					io.Copy(io.Discard, r.Body)
				}
				switch {
				case r.URL.Scheme != "https" || r.URL.Host != "hub.example" && r.Header.Get("Authorization") != "":
					t.Errorf("%s %s with %q", r.Method, r.URL, r.Header.Get("Authorization"))
				case r.URL.Host == "hub.example":
					return answer(200, c.body)
				}
				return answer(200, "")
			})})
			err := cl.UploadLFS(t.Context(), model("a/b"), []remote.LFSFile{lfsFile(content)}, remote.UploadOptions{})
			if err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, fs.ErrPermission) != (name == "refused") {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// An upload carries no token, even to the endpoint's own origin; its
// verification does. URLs of the public Hub mean the endpoint.
func TestUploadHeaders(t *testing.T) {
	const token = "hf_canaryCanary"
	content := "0123456789"
	var mu sync.Mutex
	var seen []string
	c := clientOf(t, remote.Options{Endpoint: "https://hub.example/hf", Token: token, Timeouts: quick, Transport: fakeNet(func(r *http.Request) *http.Response {
		var body []byte
		if r.Body != nil {
			body, _ = io.ReadAll(r.Body)
		}
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, fmt.Sprintf("%s %s %t %q", r.Method, r.URL, r.Header.Get("Authorization") != "", r.Header.Get("Content-Type")))
		switch r.URL.Path {
		case "/hf/datasets/a/b.git/info/lfs/objects/batch":
			return answer(200, fmt.Sprintf(`{"objects":[{"oid":"%s","size":10,"actions":{"upload":{"href":"https://huggingface.co/put","header":{"Authorization":"Basic x"}},"verify":{"href":"http://hub.example/verify"}}}]}`, sha(content)))
		case "/hf/put":
			if string(body) != content || r.ContentLength != 10 {
				t.Errorf("%q of %d", body, r.ContentLength)
			}
		}
		return answer(200, "")
	})})
	if err := c.UploadLFS(t.Context(), remote.Repo{Type: remote.Dataset, ID: "a/b"}, []remote.LFSFile{lfsFile(content)}, remote.UploadOptions{}); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`POST https://hub.example/hf/datasets/a/b.git/info/lfs/objects/batch true "application/vnd.git-lfs+json"`,
		`PUT https://hub.example/hf/put false ""`,
		`POST https://hub.example/verify true "application/json"`,
	}
	if strings.Join(seen, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s\nwant\n%s", strings.Join(seen, "\n"), strings.Join(want, "\n"))
	}
}

// The user agent, and what the Hub wants to be shown, once per topic.
func TestAgentAndWarnings(t *testing.T) {
	var log bytes.Buffer
	c := clientOf(t, remote.Options{
		Endpoint: "https://hub.example", UserAgent: "tool/1; fs/fuse; tool/1", Origin: "acme", Timeouts: quick,
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
		Transport: fakeNet(func(r *http.Request) *http.Response {
			if ua := r.Header.Get("User-Agent"); ua != "tool/1; fs/fuse; origin/acme" {
				t.Errorf("User-Agent %q", ua)
			}
			return answer(200, infoJSON, "X-HF-Warning: old; Update\x1b please", "X-HF-Warning: no topic")
		}),
	})
	for range 3 {
		if _, err := c.Info(t.Context(), model("a/b")); err != nil {
			t.Fatal(err)
		}
	}
	if s := log.String(); strings.Count(s, "Update") != 1 || strings.Count(s, "no topic") != 1 || strings.Contains(s, "\x1b") {
		t.Error(s)
	}
}

// Preupload answers that do not fit what was asked.
func TestHostilePreuploads(t *testing.T) {
	for _, body := range []string{
		`{}`, `{"files":[]}`, `{"files":[{"path":"b","uploadMode":"lfs"}]}`, `{"files":[{"path":"a","uploadMode":"teleport"}]}`, `[]`, `x`,
	} {
		c := newClient(t, serve(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, body) }).URL, "")
		if modes, err := c.Preupload(t.Context(), model("a/b"), []remote.PreuploadFile{{Path: "a", Size: 1}}, remote.PreuploadOptions{}); err == nil {
			t.Errorf("%s: %+v", body, modes)
		}
	}
	c := newClient(t, "http://127.0.0.1:1", "")
	if _, err := c.Preupload(t.Context(), model("a/b"), []remote.PreuploadFile{{Path: "../a", Size: 1}}, remote.PreuploadOptions{}); err == nil || c.Requests() != 0 {
		t.Error(err)
	}
}
