package remote_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hubfs/hubfs/remote"
	"github.com/hubfs/hubfs/remote/hubtest"
)

type nopCloser struct{ io.ReadSeeker }

func (nopCloser) Close() error { return nil }

func lfsFile(content string) remote.LFSFile {
	return remote.LFSFile{OID: sha(content), Size: int64(len(content)), Open: func() (io.ReadSeekCloser, error) {
		return nopCloser{strings.NewReader(content)}, nil
	}}
}

func TestWrite(t *testing.T) {
	hub := newHub(t, hubtest.Options{})
	c := newClient(t, hub.URL(), aliceToken)
	ctx := t.Context()
	for _, repo := range []remote.Repo{model("alice/m"), {Type: remote.Dataset, ID: "acme/d"}, {Type: remote.Space, ID: "alice/s"}} {
		private := true
		url, err := c.CreateRepo(ctx, repo, remote.CreateOptions{Private: &private})
		if err != nil || !strings.HasPrefix(url, hub.URL()+"/") || !strings.HasSuffix(url, repo.ID) {
			t.Fatalf("%q, %v", url, err)
		}
		if _, err := c.CreateRepo(ctx, repo, remote.CreateOptions{}); !errors.Is(err, fs.ErrExist) {
			t.Error(err)
		}
		if again, err := c.CreateRepo(ctx, repo, remote.CreateOptions{ExistOK: true}); err != nil || again != url {
			t.Errorf("%q, %v", again, err)
		}
		info, err := c.Info(ctx, repo)
		if err != nil || !info.Private || info.ID != repo.ID {
			t.Fatalf("%+v, %v", info, err)
		}

		big, other := pattern(200_000), pattern(90_000)
		modes, err := c.Preupload(ctx, repo, []remote.PreuploadFile{
			{Path: "big.safetensors", Size: int64(len(big)), Sample: []byte(big)},
			{Path: "README.md", Size: 5, Sample: []byte("hello")},
			{Path: "empty.safetensors"},
			{Path: ".gitattributes", Size: 5, Sample: []byte("hello")},
		}, remote.PreuploadOptions{})
		if err != nil || !modes[0].LFS || modes[1].LFS || modes[2].LFS || modes[3].OID == "" || modes[0].OID != "" {
			t.Fatalf("%+v, %v", modes, err)
		}
		var sent atomic.Int64
		files := []remote.LFSFile{lfsFile(big), lfsFile(other), lfsFile(big)}
		for round := range 2 {
			sent.Store(0)
			hub.ResetCounts()
			var stored atomic.Int64
			if err := c.UploadLFS(ctx, repo, files, remote.UploadOptions{
				Progress: func(n int64) { sent.Add(n) }, Done: func(string) { stored.Add(1) },
			}); err != nil || stored.Load() != 2 {
				t.Fatal(stored.Load(), err)
			}
			if want := int64(2*len(big) + len(other)); sent.Load() != want {
				t.Errorf("progress of %d bytes, want %d", sent.Load(), want)
			}
			if n := hub.Counts()[hubtest.KindLFSPut].N; n != 2-2*round {
				t.Errorf("round %d: %d uploads", round, n)
			}
		}
		res, err := c.Commit(ctx, repo, remote.CommitRequest{
			Summary: "First", Description: "all of it\n", Parent: info.SHA,
			Files: []remote.InlineFile{
				{Path: "README.md", Content: []byte("hello")},
				{Path: "dir/empty"},
				{Path: "dir/näme \"q\".txt", Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(pattern(100_001))), nil }},
			},
			LFS: []remote.LFSRef{{Path: "big.safetensors", OID: sha(big), Size: int64(len(big))}, {Path: "x/other.bin", OID: sha(other), Size: int64(len(other))}},
		})
		if err != nil {
			t.Fatal(err)
		}
		s := snapshot(t, c, repo)
		if s.Commit() != res.Commit || !strings.HasSuffix(res.URL, "/commit/"+res.Commit) {
			t.Errorf("%+v, head %s", res, s.Commit())
		}
		for path, want := range map[string]string{"README.md": "hello", "dir/empty": "", "dir/näme \"q\".txt": pattern(100_001), "big.safetensors": big, "x/other.bin": other} {
			if b, err := fs.ReadFile(s, path); err != nil || string(b) != want {
				t.Errorf("%s: %d bytes, %v", path, len(b), err)
			}
		}

		// A commit on the old parent conflicts; deletes and replacements.
		_, err = c.Commit(ctx, repo, remote.CommitRequest{Summary: "late", Parent: info.SHA, Deletes: []string{"README.md"}})
		if !errors.Is(err, remote.ErrConflict) || errors.Is(err, remote.ErrUnknownOutcome) {
			t.Errorf("stale parent: %v", err)
		}
		_, err = c.Commit(ctx, repo, remote.CommitRequest{Summary: "gone", Parent: res.Commit, Deletes: []string{"nothing"}})
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("delete of nothing: %v", err)
		}
		res, err = c.Commit(ctx, repo, remote.CommitRequest{
			Summary: "Second", Parent: res.Commit, Deletes: []string{"README.md"}, DeleteDirs: []string{"dir"},
			Files: []remote.InlineFile{{Path: "dir", Content: []byte("now a file")}},
		})
		if err != nil {
			t.Fatal(err)
		}
		all, err := snapshot(t, c, repo).Walk(ctx)
		if diff := cmp.Diff([]string{".gitattributes", "big.safetensors", "dir", "x/", "x/other.bin"}, paths(all)); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
		var titles []string
		for ci, err := range c.Commits(ctx, repo) {
			if err != nil {
				t.Fatal(err)
			}
			if len(titles) == 0 && (ci.ID != res.Commit || ci.Date.IsZero()) {
				t.Errorf("%+v", ci)
			}
			titles = append(titles, ci.Title)
		}
		if diff := cmp.Diff([]string{"Second", "First", "initial commit"}, titles); diff != "" {
			t.Error(diff)
		}
	}
}

func TestPullRequest(t *testing.T) {
	hub := newHub(t, hubtest.Options{})
	hub.Repo("acme/m").Put("f", "x")
	c := newClient(t, hub.URL(), bobToken)
	ctx := t.Context()
	req := remote.CommitRequest{Summary: "mine", Files: []remote.InlineFile{{Path: "g", Content: []byte("y")}}}
	if _, err := c.Commit(ctx, model("acme/m"), req); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("without permission: %v", err)
	}
	req.CreatePR = true
	res, err := c.Commit(ctx, model("acme/m"), req)
	if err != nil || !strings.Contains(res.PullRequest, "/discussions/1") {
		t.Fatalf("%+v, %v", res, err)
	}
	s := snapshot(t, c, remote.Repo{Type: remote.Model, ID: "acme/m", Rev: "refs/pr/1"})
	if b, err := fs.ReadFile(s, "g"); string(b) != "y" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}

func TestManyPreuploads(t *testing.T) {
	hub := newHub(t, hubtest.Options{})
	hub.Repo("acme/m")
	c := newClient(t, hub.URL(), aliceToken)
	var files []remote.PreuploadFile
	for i := range 600 {
		f := remote.PreuploadFile{Path: fmt.Sprintf("f%d.txt", i), Size: 1, Sample: []byte("x")}
		if i%3 == 0 {
			f.Path = fmt.Sprintf("f%d.bin", i)
		}
		files = append(files, f)
	}
	hub.ResetCounts()
	modes, err := c.Preupload(t.Context(), model("acme/m"), files, remote.PreuploadOptions{})
	if err != nil || len(modes) != 600 {
		t.Fatal(len(modes), err)
	}
	for i, m := range modes {
		if m.LFS != (i%3 == 0) {
			t.Errorf("%s: %+v", files[i].Path, m)
		}
	}
	if n := hub.Requests(); n != 3 {
		t.Errorf("%d requests, want 3", n)
	}
}

func TestMultipart(t *testing.T) {
	hub := newHub(t, hubtest.Options{MultipartOver: 50_000, PartSize: 30_000})
	hub.Repo("acme/m")
	c := newClient(t, hub.URL(), aliceToken)
	big := pattern(100_000)
	var sent atomic.Int64
	var lost atomic.Bool
	hub.Fault(func(r *http.Request) *hubtest.Fault {
		if r.Method == http.MethodPut && lost.CompareAndSwap(false, true) {
			return &hubtest.Fault{After: true, Status: 500}
		}
		return nil
	})
	if err := c.UploadLFS(t.Context(), model("acme/m"), []remote.LFSFile{lfsFile(big)}, remote.UploadOptions{Progress: func(n int64) { sent.Add(n) }}); err != nil {
		t.Fatal(err)
	}
	if n := hub.Counts()[hubtest.KindLFSPut].N; n != 5 || sent.Load() != int64(len(big)) {
		t.Errorf("%d parts sent, %d bytes told", n, sent.Load())
	}
	if _, err := c.Commit(t.Context(), model("acme/m"), remote.CommitRequest{
		Summary: "big", LFS: []remote.LFSRef{{Path: "b.bin", OID: sha(big), Size: int64(len(big))}},
	}); err != nil {
		t.Fatal(err)
	}
	if got := hub.Repo("acme/m").Read("main", "b.bin"); !bytes.Equal(got, []byte(big)) {
		t.Errorf("%d bytes", len(got))
	}
}

// Uploads survive lost connections, answers and URLs that have run out.
func TestUploadFaults(t *testing.T) {
	for name, fault := range map[string]*hubtest.Fault{
		"dropped": {Drop: true}, "answer lost": {After: true}, "503": {Status: 503}, "403": {Status: 403},
	} {
		t.Run(name, func(t *testing.T) {
			hub := newHub(t, hubtest.Options{})
			hub.Repo("acme/m")
			c := newClient(t, hub.URL(), aliceToken)
			var done atomic.Bool
			hub.Fault(func(r *http.Request) *hubtest.Fault {
				if r.Method == http.MethodPut && done.CompareAndSwap(false, true) {
					return fault
				}
				return nil
			})
			var sent atomic.Int64
			big := pattern(100_000)
			if err := c.UploadLFS(t.Context(), model("acme/m"), []remote.LFSFile{lfsFile(big)}, remote.UploadOptions{Progress: func(n int64) { sent.Add(n) }}); err != nil {
				t.Fatal(err)
			}
			if sent.Load() != int64(len(big)) {
				t.Errorf("%d bytes told", sent.Load())
			}
		})
	}
}

// A file that became shorter, or cannot be read, is the caller's error at once.
func TestUploadOfChangedFile(t *testing.T) {
	hub := newHub(t, hubtest.Options{})
	hub.Repo("acme/m")
	c := newClient(t, hub.URL(), aliceToken)
	f := lfsFile(pattern(1000))
	f.Open = func() (io.ReadSeekCloser, error) { return nopCloser{strings.NewReader(pattern(999))}, nil }
	if err := c.UploadLFS(t.Context(), model("acme/m"), []remote.LFSFile{f}, remote.UploadOptions{}); err == nil || !strings.Contains(err.Error(), "shorter") {
		t.Error(err)
	}
	f.Open = func() (io.ReadSeekCloser, error) { return nil, fs.ErrClosed }
	if err := c.UploadLFS(t.Context(), model("acme/m"), []remote.LFSFile{f}, remote.UploadOptions{}); !errors.Is(err, fs.ErrClosed) {
		t.Error(err)
	}
	for _, bad := range []remote.LFSFile{{OID: "x", Size: 1}, {OID: sha(""), Size: 0}} {
		if err := c.UploadLFS(t.Context(), model("acme/m"), []remote.LFSFile{bad}, remote.UploadOptions{}); err == nil {
			t.Errorf("%+v: no error", bad)
		}
	}
}

func TestCommitOutcome(t *testing.T) {
	isCommit := func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/commit/") }
	for name, c := range map[string]struct {
		fault   *hubtest.Fault
		unknown bool
		commits int // requests
		made    int // commits
	}{
		"answer lost":      {&hubtest.Fault{After: true}, true, 1, 1},
		"gateway gave up":  {&hubtest.Fault{After: true, Status: 504}, true, 1, 1},
		"500":              {&hubtest.Fault{Status: 500}, true, 1, 0},
		"dropped":          {&hubtest.Fault{Drop: true}, true, 1, 0},
		"answer cut":       {&hubtest.Fault{CutAfter: 5}, true, 1, 1},
		"refused":          {&hubtest.Fault{Status: 403}, false, 1, 0},
		"other words":      {&hubtest.Fault{Status: 200, Body: `{"commitOid":"../x"}`}, true, 1, 0},
		"told to wait":     {&hubtest.Fault{Status: 429}, false, 5, 0},
		"too large, early": {&hubtest.Fault{Status: 413}, false, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			hub := newHub(t, hubtest.Options{})
			repo := hub.Repo("acme/m")
			cl := newClient(t, hub.URL(), aliceToken)
			var asked atomic.Int32
			hub.Fault(func(r *http.Request) *hubtest.Fault {
				if !isCommit(r) {
					return nil
				}
				asked.Add(1)
				return c.fault
			})
			before := len(repo.Log("main"))
			_, err := cl.Commit(context.Background(), model("acme/m"), remote.CommitRequest{
				Summary: "x", Files: []remote.InlineFile{{Path: "f", Content: []byte("x")}},
			})
			if err == nil || errors.Is(err, remote.ErrUnknownOutcome) != c.unknown {
				t.Errorf("%v", err)
			}
			if n := int(asked.Load()); n != c.commits {
				t.Errorf("asked %d times, want %d", n, c.commits)
			}
			if n := len(repo.Log("main")) - before; n != c.made {
				t.Errorf("%d commits, want %d", n, c.made)
			}
		})
	}
}

// A body that cannot be read to its end has not committed anything, and a
// server that cannot be reached neither.
func TestCommitNotSent(t *testing.T) {
	hub := newHub(t, hubtest.Options{})
	repo := hub.Repo("acme/m")
	c := newClient(t, hub.URL(), aliceToken)
	before := repo.Head("main")
	broken := errors.New("the disk is broken")
	_, err := c.Commit(t.Context(), model("acme/m"), remote.CommitRequest{
		Summary: "x", Files: []remote.InlineFile{{Path: "a", Content: []byte(pattern(200_000))}, {Path: "f", Open: func() (io.ReadCloser, error) { return nil, broken }}},
	})
	if !errors.Is(err, broken) || errors.Is(err, remote.ErrUnknownOutcome) {
		t.Error(err)
	}
	if repo.Head("main") != before {
		t.Error("a commit was made")
	}
	down := newClient(t, "http://127.0.0.1:1", aliceToken)
	_, err = down.Commit(t.Context(), model("acme/m"), remote.CommitRequest{Summary: "x", Deletes: []string{"f"}})
	if err == nil || errors.Is(err, remote.ErrUnknownOutcome) {
		t.Error(err)
	}
	for _, bad := range []remote.CommitRequest{
		{}, {Summary: "x", Deletes: []string{"../x"}}, {Summary: "x", DeleteDirs: []string{""}},
		{Summary: "x", Files: []remote.InlineFile{{Path: "/x"}}}, {Summary: "x", LFS: []remote.LFSRef{{Path: "x", OID: "1", Size: 1}}},
	} {
		if _, err := c.Commit(t.Context(), model("acme/m"), bad); err == nil {
			t.Errorf("%+v: no error", bad)
		}
	}
}

// The branch of a renamed repo takes commits through the redirect.
func TestCommitToRenamed(t *testing.T) {
	hub := newHub(t, hubtest.Options{})
	r := hub.Repo("acme/old")
	r.Rename("acme/new")
	c := newClient(t, hub.URL(), aliceToken)
	res, err := c.Commit(t.Context(), model("acme/old"), remote.CommitRequest{
		Summary: "x", Files: []remote.InlineFile{{Path: "f", Content: []byte("x")}},
	})
	if err != nil || hub.Repo("acme/new").Head("main") != res.Commit {
		t.Errorf("%+v, %v", res, err)
	}
}

func TestMayWrite(t *testing.T) {
	hub := newHub(t, hubtest.Options{})
	hub.AddUser("ron", "hf_readreadread", hubtest.User{TokenRole: "read"})
	r := hub.Repo("acme/m")
	head := r.Put("f", "x")
	r.Branch("dev/x", "main")
	r.Tag("v1", "main")
	hub.Repo("readers/m")
	hub.Repo("ron/m")
	for _, c := range []struct {
		token, id, rev string
		want           bool
	}{
		{aliceToken, "acme/m", "", true}, {aliceToken, "acme/m", "main", true}, {aliceToken, "acme/m", "dev/x", true},
		{aliceToken, "alice/new", "", true}, {aliceToken, "acme/m", "refs/pr/1", true},
		{aliceToken, "acme/m", "v1", false}, {aliceToken, "acme/m", head, false}, {aliceToken, "acme/m", "none", false},
		{aliceToken, "acme/m", "refs/convert/parquet", false}, {aliceToken, "readers/m", "", false}, {aliceToken, "bob/m", "", false},
		{bobToken, "acme/m", "", false}, {"", "acme/m", "", false}, {"hf_readreadread", "ron/m", "", false},
	} {
		cl := newClient(t, hub.URL(), c.token)
		ok, reason, err := cl.MayWrite(t.Context(), remote.Repo{Type: remote.Model, ID: c.id, Rev: c.rev})
		if err != nil || ok != c.want || ok != (reason == "") {
			t.Errorf("%s@%s with %.8s: %t, %q, %v", c.id, c.rev, c.token, ok, reason, err)
		}
	}
	if _, _, err := newClient(t, hub.URL(), "hf_wrong1234").MayWrite(t.Context(), model("acme/m")); !errors.Is(err, remote.ErrBadToken) {
		t.Error(err)
	}
}

// Connections that were kept alive and have gone do not make a commit's outcome
// unknown, nor does a server that asks to wait.
func TestCommitGoesThrough(t *testing.T) {
	hub := newHub(t, hubtest.Options{})
	hub.Repo("acme/m")
	c := newClient(t, hub.URL(), aliceToken)
	parent := ""
	for i := range 5 {
		s := snapshot(t, c, model("acme/m"))
		if parent != "" && s.Commit() != parent {
			t.Fatalf("head %s, want %s", s.Commit(), parent)
		}
		hub.DropIdle()
		hub.SetQuirks(hubtest.Quirks{NoRateHeaders: true})
		hub.Throttle(i % 3)
		res, err := c.Commit(t.Context(), model("acme/m"), remote.CommitRequest{
			Summary: "x", Parent: s.Commit(), Files: []remote.InlineFile{{Path: fmt.Sprint(i), Content: []byte("x")}},
		})
		if err != nil {
			t.Fatal(err)
		}
		parent = res.Commit
	}
	if n := len(hub.Repo("acme/m").Log("main")); n != 6 {
		t.Errorf("%d commits", n)
	}
}
