package remote_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hubfs/hubfs/remote"
	"github.com/hubfs/hubfs/remote/hubtest"
)

// roundTrip is a network of the test's own, for time that is not real.
type roundTrip func(r *http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// All who ask for one file share its Content, and so what it finds out, however
// soon after one another they ask.
func TestOneContentPerFile(t *testing.T) {
	c := newClient(t, "https://hub.example", "")
	for i := range 100 {
		e := remote.Entry{Path: fmt.Sprint(i), Size: 9, Blob: remote.Blob{ID: "git:" + strings.Repeat("a", 40)}}
		got := make([]*remote.Content, 8)
		var wg sync.WaitGroup
		for j := range got {
			wg.Go(func() { got[j] = c.Content(model("a/b"), strings.Repeat("c", 40), e) })
		}
		wg.Wait()
		e.Path += "x"
		got = append(got, c.Content(model("a/b"), strings.Repeat("c", 40), e), c.Content(model("a/b"), strings.Repeat("c", 40), e))
		for _, pair := range [][]*remote.Content{got[:8], got[8:]} {
			for _, k := range pair {
				if k != pair[0] {
					t.Fatalf("file %d has two contents", i)
				}
			}
		}
	}
}

// A Hub that is ill is asked by the first of many readers; the others get its
// answer instead of waiting for repetitions of their own, one after the other.
func TestRefusalIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var requests atomic.Int32
		release := make(chan bool)
		c := clientOf(t, remote.Options{Endpoint: "https://hub.example", Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			requests.Add(1)
			<-release
			return answer(503, "no"), nil
		})})
		k := c.Content(model("a/b"), strings.Repeat("c", 40), remote.Entry{Path: "f", Size: 9, Blob: remote.Blob{ID: "git:" + strings.Repeat("a", 40)}})
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				var e *remote.Error
				if _, err := readRange(k, 0, 9); !errors.As(err, &e) || e.Status != 503 {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		close(release)
		wg.Wait()
		if n := requests.Load(); n > 5 {
			t.Errorf("%d requests", n)
		}
	})
}

// dripping is a body of which a byte comes every ten seconds, for ever.
type dripping struct{ ctx context.Context }

func (d dripping) Close() error { return nil }
func (d dripping) Read(p []byte) (int, error) {
	select {
	case <-time.After(10 * time.Second):
		p[0] = ' '
		return 1, nil
	case <-d.ctx.Done():
		return 0, context.Cause(d.ctx)
	}
}

// An answer that drips makes progress, and must have an end all the same:
// whether it is read, shown as an error, or only in the way.
func TestDrippingAnswers(t *testing.T) {
	for name, status := range map[string]int{"answer": 200, "refusal": 403, "redirect": 307, "failure": 500} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				first := true
				c := clientOf(t, remote.Options{Endpoint: "https://hub.example", Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
					if !first && status != 200 {
						return answer(200, `{"id":"a/b"}`), nil
					}
					first = false
					res := answer(status, "", "Location: /x")
					res.Body, res.ContentLength = dripping{r.Context()}, -1
					return res, nil
				})})
				start := time.Now()
				_, err := c.Info(t.Context(), model("a/b"))
				limit := 30 * time.Second
				if status == 200 {
					limit = 10 * time.Minute
					lateBy(t, name, err)
				} else if (err != nil) != (status == 403) {
					t.Error(err)
				}
				if d := time.Since(start); d > limit {
					t.Errorf("it took %s", d)
				}
			})
		})
	}
}

// The transport starts a request anew by itself when a kept connection turns
// out to be dead; an upload that goes on over another one is no stall.
func TestUploadStartedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tries atomic.Int32
		c := clientOf(t, remote.Options{Endpoint: "https://hub.example", Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			tries.Add(1)
			trace := httptrace.ContextClientTrace(r.Context())
			trace.GotConn(httptrace.GotConnInfo{Reused: true})
			r.Body.Close()
			body, err := r.GetBody()
			if err != nil {
				return nil, err
			}
			defer body.Close()
			trace.GotConn(httptrace.GotConnInfo{})
			for p := make([]byte, 40); err == nil; _, err = body.Read(p) {
				time.Sleep(10 * time.Second)
				if r.Context().Err() != nil {
					return nil, context.Cause(r.Context())
				}
			}
			if err != io.EOF {
				return nil, err
			}
			return answer(200, `{"commitOid":"`+strings.Repeat("c", 40)+`"}`), nil
		})})
		_, err := c.Commit(t.Context(), model("a/b"), remote.CommitRequest{Summary: "x", Files: []remote.InlineFile{{Path: "f", Content: make([]byte, 200)}}})
		if err != nil || tries.Load() != 1 {
			t.Errorf("%d tries, %v", tries.Load(), err)
		}
	})
}

// A server that serves stored objects through its own origin gives them etags
// of the store's own kind, which are no hashes of the content.
func TestEtagOfAStore(t *testing.T) {
	blob := strings.Repeat("b", 64)
	k := contentFrom(t, 100, "sha256:"+blob, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/resolve/") {
			w.Header().Set("X-Linked-Etag", `"`+blob+`"`)
			w.Header().Set("ETag", `"`+strings.Repeat("d", 64)+`"`)
			http.Redirect(w, r, "/objects/xx?sig=1", http.StatusFound)
			return
		}
		w.Header().Set("ETag", `"`+strings.Repeat("e", 64)+`"`)
		w.Header().Set("Content-Range", "bytes 10-19/100")
		w.WriteHeader(206)
		fmt.Fprint(w, pattern(100)[10:20])
	})
	for range 2 {
		if got, err := readRange(k, 10, 10); err != nil || string(got) != pattern(100)[10:20] {
			t.Errorf("%q, %v", got, err)
		}
	}
}

// Stores say in several ways that a signature is too old.
func TestExpiredInOtherWords(t *testing.T) {
	hub, _, big, _ := contentHub(t, hubtest.Options{})
	hub.SetQuirks(hubtest.Quirks{GoneStatus: 400})
	for range 2 {
		if got, err := readRange(big, 10, 10); err != nil || string(got) != pattern(30)[10:20] {
			t.Errorf("%q, %v", got, err)
		}
		hub.ExpireURLs()
	}
}

// A page of items without any content costs many times its size in memory.
func TestPageOfNothing(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "[0"+strings.Repeat(",0", 300_000)+"]")
	})
	c := newClient(t, s.URL, "")
	if _, err := c.SnapshotAt(model("a/b"), strings.Repeat("c", 40), time.Time{}).List(t.Context(), ""); err == nil {
		t.Error("300,001 items in a page of 600 KB were taken")
	}
}

// A user in a URL is no URL's business, whatever the scheme, and a password may
// hold an @.
func TestNoPasswordsInErrors(t *testing.T) {
	for _, endpoint := range []string{"ftp://u:CANARY@h", "https://u:x@CANARY@h/%zz", "socks5://CANARY@h"} {
		if _, err := remote.New(remote.Options{Endpoint: endpoint}); err == nil || strings.Contains(err.Error(), "CANARY") {
			t.Errorf("%s: %v", endpoint, err)
		}
		if s := fmt.Sprint(remote.Options{Endpoint: endpoint}); strings.Contains(s, "CANARY") {
			t.Error(s)
		}
	}
	for _, repo := range []string{
		"https://me:CANARY@huggingface.co/me", "https://me:CANARY@example.com/me/m", "https://me:CANARY@huggingface.co/me/m/settings",
		"https://huggingface.co/me?token=CANARY", "hf://me:CANARY@huggingface.co/x",
	} {
		if _, _, err := remote.ParseRepo(repo); err == nil || strings.Contains(err.Error(), "CANARY") {
			t.Errorf("%s: %v", repo, err)
		}
	}
}

// A fine-grained token names what it is made for, organizations that the answer
// does not list among them.
func TestFineGrainedToken(t *testing.T) {
	scoped := `[{"entity":{"_id":"1","type":"user","name":"me"},"permissions":["repo.write"]},
		{"entity":{"_id":"2","type":"org","name":"acme"},"permissions":["repo.content.read","repo.write"]},
		{"entity":{"_id":"3","type":"org","name":"readers"},"permissions":["repo.content.read"]},
		{"entity":{"_id":"4","type":"model","name":"lab/one"},"permissions":["repo.write"]}]`
	for _, scope := range []string{scoped, `{"of another":"shape"}`} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, `{"type":"user","name":"me","orgs":[],"auth":{"accessToken":{"role":"fineGrained","fineGrained":{"global":[],"scoped":%s}}}}`, scope)
		})
		c := newClient(t, s.URL, aliceToken)
		for id, want := range map[string]bool{"me/m": true, "acme/m": true, "readers/m": false, "lab/one": true, "other/m": false} {
			if scope != scoped {
				want = id == "me/m"
			}
			if ok, reason, err := c.MayWrite(t.Context(), model(id)); ok != want || err != nil {
				t.Errorf("%s: %v, %s, %v", id, ok, reason, err)
			}
		}
	}
}

// What is to be private is not put into a public repo that somebody made in the
// meantime; one's own repo, whose making was answered too late, is fine.
func TestPrivateMeansPrivate(t *testing.T) {
	hub := newHub(t, hubtest.Options{})
	hub.Repo("alice/public").Put("f", "x")
	hub.Repo("alice/secret").SetPrivate(true)
	c := newClient(t, hub.URL(), aliceToken)
	for _, private := range []bool{true, false} {
		for id, public := range map[string]bool{"alice/public": true, "alice/secret": false} {
			_, err := c.CreateRepo(t.Context(), model(id), remote.CreateOptions{Private: &private, ExistOK: true})
			if errors.Is(err, fs.ErrExist) != (private && public) || !(private && public) && err != nil {
				t.Errorf("%s, private %v: %v", id, private, err)
			}
		}
	}
}

// A commit has a length, as those of other clients have; one that is too long
// to be in memory is sent in chunks. A lost answer is told from a lost request.
func TestCommitLength(t *testing.T) {
	for size, chunked := range map[int]bool{10: false, 5 << 20: true} {
		for _, lost := range []bool{false, true} {
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				n, err := io.Copy(io.Discard, r.Body)
				if got := r.ContentLength; err != nil || chunked != (got == -1) || !chunked && got != n {
					t.Errorf("%d bytes: length %d, %d bytes, %v", size, got, n, err)
				}
				if lost {
					panic(http.ErrAbortHandler)
				}
				fmt.Fprintf(w, `{"commitOid":"%040d"}`, 1)
			})
			_, err := newClient(t, s.URL, "").Commit(t.Context(), model("a/b"), remote.CommitRequest{
				Summary: "x", Files: []remote.InlineFile{{Path: "f", Content: make([]byte, size)}},
			})
			if lost != errors.Is(err, remote.ErrUnknownOutcome) || !lost && err != nil {
				t.Errorf("%d bytes, lost %v: %v", size, lost, err)
			}
		}
	}
}

// Names go over the wire as huggingface_hub writes them: a plus sign means a
// space to some servers.
func TestEscaping(t *testing.T) {
	var mu sync.Mutex
	var got []string
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, r.URL.EscapedPath())
		w.WriteHeader(404)
	})
	c := newClient(t, s.URL, "")
	commit, e := strings.Repeat("c", 40), remote.Entry{Path: "a+b/c d&e=f@g.txt", Size: 9, Blob: remote.Blob{ID: "git:" + strings.Repeat("a", 40)}}
	_, _ = readRange(c.Content(model("a/b"), commit, e), 0, 9)
	_, _ = c.Info(t.Context(), remote.Repo{Type: remote.Model, ID: "a/b", Rev: "v1.0+cu/x"})
	want := []string{"/a/b/resolve/" + commit + "/a%2Bb/c%20d%26e%3Df%40g.txt", "/api/models/a/b/revision/v1.0%2Bcu%2Fx"}
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// A server that looks 256 files up takes longer than one that answers a stat:
// asking again would only make it start anew.
func TestSlowQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int32
		c := clientOf(t, remote.Options{Endpoint: "https://hub.example", Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			n.Add(1)
			r.Body.Close()
			select {
			case <-time.After(time.Minute):
			case <-r.Context().Done():
				return nil, context.Cause(r.Context())
			}
			if strings.Contains(r.URL.Path, "preupload") {
				return answer(200, `{"files":[{"path":"f","uploadMode":"lfs"}]}`), nil
			}
			return answer(200, `{"objects":[{"oid":"`+sha("x")+`","size":1}]}`), nil
		})})
		if _, err := c.Preupload(t.Context(), model("a/b"), []remote.PreuploadFile{{Path: "f", Size: 1}}, remote.PreuploadOptions{}); err != nil {
			t.Error(err)
		}
		if err := c.UploadLFS(t.Context(), model("a/b"), []remote.LFSFile{lfsFile("x")}, remote.UploadOptions{}); err != nil {
			t.Error(err)
		}
		if n.Load() != 2 {
			t.Errorf("%d requests", n.Load())
		}
	})
}

// A server without ranges may break before the one that was asked for; that
// is tried again as any other break.
func TestBreakBeforeTheRange(t *testing.T) {
	for _, breaks := range []int32{2, 1000} {
		var n atomic.Int32
		k := contentFrom(t, 100_000, "git:"+strings.Repeat("a", 40), func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100000")
			if n.Add(1) <= breaks {
				io.WriteString(w, pattern(1000))
				w.(http.Flusher).Flush()
				panic(http.ErrAbortHandler)
			}
			io.WriteString(w, pattern(100_000))
		})
		got, err := readRange(k, 50_000, 10)
		if fine := breaks == 2; fine != (err == nil && string(got) == pattern(100_000)[50_000:50_010]) || n.Load() > 40 {
			t.Errorf("%d breaks: %q, %v after %d requests", breaks, got, err, n.Load())
		}
	}
}
