package remote_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hubfs/hubfs/remote"
	"github.com/hubfs/hubfs/remote/hubtest"
)

// Somebody who may only read opens a pull request, with large files in it; its
// commits are read at its revision, and merging it changes the branch.
func TestProposal(t *testing.T) {
	hub := newHub(t, hubtest.Options{})
	r := hub.Repo("acme/m")
	base := r.Put("a.txt", "one")
	r.Put("later.txt", "not in the base")
	repo := model("acme/m")
	bob := newClient(t, hub.URL(), bobToken)
	ctx := t.Context()
	if ok, _, err := bob.MayWrite(ctx, repo); ok || err != nil {
		t.Fatal(ok, err)
	}
	if ok, reason, err := bob.MayPropose(ctx, repo); !ok || reason != "" || err != nil {
		t.Fatal(ok, reason, err)
	}
	big := pattern(100_000)
	ask := []remote.PreuploadFile{{Path: "m.bin", Size: int64(len(big)), Sample: []byte(big)}, {Path: "x.log", Size: 1, Sample: []byte("x")}}
	if _, err := bob.Preupload(ctx, repo, ask, remote.PreuploadOptions{}); !errors.Is(err, fs.ErrPermission) {
		t.Error(err)
	}
	modes, err := bob.Preupload(ctx, repo, ask, remote.PreuploadOptions{CreatePR: true, GitIgnore: []byte("*.log\n")})
	if err != nil || !modes[0].LFS || modes[0].Ignore || !modes[1].Ignore {
		t.Fatalf("%+v, %v", modes, err)
	}
	files := []remote.LFSFile{lfsFile(big)}
	if err := bob.UploadLFS(ctx, repo, files, remote.UploadOptions{}); !errors.Is(err, fs.ErrPermission) {
		t.Error(err)
	}
	if err := bob.UploadLFS(ctx, repo, files, remote.UploadOptions{CreatePR: true}); err != nil {
		t.Fatal(err)
	}
	req := remote.CommitRequest{
		Summary: "please", Description: "because", Parent: base, CreatePR: true,
		Files: []remote.InlineFile{{Path: "b.txt", Content: []byte("two")}},
		LFS:   []remote.LFSRef{{Path: "m.bin", OID: sha(big), Size: int64(len(big))}},
	}
	res, err := bob.Commit(ctx, repo, req)
	if err != nil || res.Number != 1 || res.Ref() != "refs/pr/1" || res.PullRequest != hub.URL()+"/acme/m/discussions/1" {
		t.Fatalf("%+v, %v", res, err)
	}
	pull := remote.Repo{Type: remote.Model, ID: "acme/m", Rev: res.Ref()}
	s := snapshot(t, bob, pull)
	if s.Commit() != res.Commit {
		t.Errorf("%s is at %s, want %s", pull, s.Commit(), res.Commit)
	}
	all, err := s.Walk(ctx)
	if diff := cmp.Diff([]string{".gitattributes", "a.txt", "b.txt", "m.bin"}, paths(all)); diff != "" || err != nil {
		t.Error(err, diff) // it begins at its parent, not at the head
	}
	if info, err := bob.Info(ctx, pull); err != nil || info.SHA != res.Commit {
		t.Errorf("%+v, %v", info, err)
	}
	if b, err := fs.ReadFile(s, "m.bin"); err != nil || string(b) != big {
		t.Error(len(b), err)
	}
	// Its author goes on with it; no other reader may.
	second, err := bob.Commit(ctx, pull, remote.CommitRequest{Summary: "more", Parent: res.Commit, Deletes: []string{"b.txt"}})
	if err != nil || second.Number != 0 || second.Ref() != "" {
		t.Fatalf("%+v, %v", second, err)
	}
	hub.AddUser("carol", "hf_carolCarolCarol", hubtest.User{})
	carol := newClient(t, hub.URL(), "hf_carolCarolCarol")
	if _, err := carol.Commit(ctx, pull, remote.CommitRequest{Summary: "no", Deletes: []string{"a.txt"}}); !errors.Is(err, fs.ErrPermission) {
		t.Error(err)
	}
	if want := r.Head("main"); want == second.Commit || r.Head("refs/pr/1") != second.Commit {
		t.Error("the branch was moved, or the pull request was not")
	}
}

func TestPullRequests(t *testing.T) {
	hub := newHub(t, hubtest.Options{PageSize: 3})
	hub.Repo("acme/m").Put("a", "x")
	ctx := t.Context()
	repo := model("acme/m")
	alice, bob := newClient(t, hub.URL(), aliceToken), newClient(t, hub.URL(), bobToken)
	for i := range 8 {
		c := []*remote.Client{alice, bob}[i%2]
		if _, err := c.Commit(ctx, repo, remote.CommitRequest{
			Summary: fmt.Sprint("change ", i+1), CreatePR: true, Files: []remote.InlineFile{{Path: fmt.Sprint(i), Content: []byte("x")}},
		}); err != nil {
			t.Fatal(err)
		}
	}
	post := func(path, body string) {
		t.Helper()
		req, _ := http.NewRequest("POST", hub.URL()+"/api/models/acme/m/discussions"+path, strings.NewReader(body))
		req.Header.Set("Authorization", "Bearer "+aliceToken)
		res, err := http.DefaultClient.Do(req)
		if err != nil || res.StatusCode != 200 {
			t.Fatal(res, err)
		}
		res.Body.Close()
		http.DefaultClient.CloseIdleConnections()
	}
	post("", `{"title":"only words"}`)
	post("/7/status", `{"status":"closed"}`)
	post("/6/merge", `{}`)
	post("/1/pin", `{"pinned":true}`) // which puts them first
	post("/4/pin", `{"pinned":true}`)
	var got []string
	for p, err := range bob.PullRequests(ctx, repo) {
		if err != nil || p.Created.IsZero() || p.Ref() != fmt.Sprint("refs/pr/", p.Number) {
			t.Fatal(p, err)
		}
		got = append(got, fmt.Sprintf("%d %s by %s, %s", p.Number, p.Title, p.Author, p.Status))
	}
	want := []string{
		"8 change 8 by bob, open", "7 change 7 by alice, closed", "6 change 6 by bob, merged", "5 change 5 by alice, open",
		"4 change 4 by bob, open", "3 change 3 by alice, open", "2 change 2 by bob, open", "1 change 1 by alice, open",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !slices.Contains(func() (names []string) {
		all, _ := snapshot(t, alice, repo).Walk(ctx)
		return paths(all)
	}(), "5") {
		t.Error("the merge did not change the branch")
	}
	// A caller that has what it wants makes no further request.
	hub.ResetCounts()
	for range alice.PullRequests(ctx, repo) {
		break
	}
	if n := hub.Requests(); n != 1 {
		t.Errorf("%d requests", n)
	}
	hub.Repo("acme/m").SetDiscussions(false)
	for _, err := range alice.PullRequests(ctx, repo) {
		if !errors.Is(err, fs.ErrPermission) {
			t.Error(err)
		}
	}
	if _, err := alice.Commit(ctx, repo, remote.CommitRequest{Summary: "no", CreatePR: true, Deletes: []string{"a"}}); !errors.Is(err, fs.ErrPermission) {
		t.Error(err)
	}
}

// A pull request that was opened, and whose answer does not say which, is not
// opened again.
func TestProposalWithoutNumber(t *testing.T) {
	for _, page := range []string{"", `"https://x/discussions/"`, `"https://x/discussions/0"`, `"https://x/discussions/12/files"`} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			pr := ""
			if page != "" {
				pr = `,"pullRequestUrl":` + page
			}
			fmt.Fprintf(w, `{"commitOid":"%s"%s}`, strings.Repeat("a", 40), pr)
		})
		_, err := newClient(t, s.URL, aliceToken).Commit(t.Context(), model("a/b"), remote.CommitRequest{Summary: "x", CreatePR: true, Deletes: []string{"a"}})
		if !errors.Is(err, remote.ErrUnknownOutcome) {
			t.Errorf("%s: %v", page, err)
		}
	}
}

func TestCreateBranch(t *testing.T) {
	hub := newHub(t, hubtest.Options{})
	r := hub.Repo("acme/m")
	first := r.Put("a", "x")
	second := r.Put("a", "y")
	ctx := t.Context()
	c := newClient(t, hub.URL(), aliceToken)
	repo := model("acme/m")
	if err := c.CreateBranch(ctx, repo, "feature/one", first); err != nil || r.Head("feature/one") != first {
		t.Error(err)
	}
	if err := c.CreateBranch(ctx, repo, "two", ""); err != nil || r.Head("two") != second {
		t.Error(err)
	}
	if err := c.CreateBranch(ctx, repo, "two", first); !errors.Is(err, fs.ErrExist) || r.Head("two") != second {
		t.Error(err)
	}
	if err := c.CreateBranch(ctx, repo, "three", strings.Repeat("a", 40)); !errors.Is(err, remote.ErrRevisionNotFound) {
		t.Error(err)
	}
	if err := newClient(t, hub.URL(), bobToken).CreateBranch(ctx, repo, "three", ""); !errors.Is(err, fs.ErrPermission) {
		t.Error(err)
	}
	// The answer of the first is lost: the branch is there, once, where it was to be.
	lost := false
	hub.Fault(func(*http.Request) *hubtest.Fault {
		if lost {
			return nil
		}
		lost = true
		return &hubtest.Fault{After: true}
	})
	if err := c.CreateBranch(ctx, repo, "four", first); !errors.Is(err, fs.ErrExist) || r.Head("four") != first {
		t.Error(err)
	}
	n := hub.Requests()
	for _, name := range []string{"", "refs/pr/1", first, "a..b", "-x"} {
		var bad *remote.ParseError
		if err := c.CreateBranch(ctx, repo, name, ""); !errors.As(err, &bad) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if hub.Requests() != n {
		t.Error("a bad name was sent")
	}
}

func TestValidateCard(t *testing.T) {
	hub := newHub(t, hubtest.Options{})
	c := newClient(t, hub.URL(), "")
	ctx := t.Context()
	if w, err := c.ValidateCard(ctx, remote.Model, "---\nlicense: mit\n---\n# hi"); len(w) > 0 || err != nil {
		t.Error(w, err)
	}
	if w, err := c.ValidateCard(ctx, remote.Dataset, "# hi"); err != nil || len(w) != 1 || w[0] != "empty or missing yaml metadata in repo card" {
		t.Error(w, err)
	}
	_, err := c.ValidateCard(ctx, remote.Space, "---\nlicense: No Such!\ntags: [1]\n---\n")
	var bad *remote.CardError
	if !errors.As(err, &bad) || len(bad.Problems) != 2 || !strings.Contains(err.Error(), "one of the known licenses; \"tags\" must be") {
		t.Error(err)
	}
	if _, err := c.ValidateCard(ctx, "bucket", ""); err == nil {
		t.Error("no error")
	}
	said := `{"errors":[{"message":"bad\u001b[1m ` + aliceToken + `"}],"warnings":[{"message":"hm"}]}`
	for _, status := range []int{200, 400} {
		hub.Fault(func(*http.Request) *hubtest.Fault { return &hubtest.Fault{Status: status, Body: said} })
		w, err := c.ValidateCard(ctx, remote.Model, "x")
		if !errors.As(err, &bad) || len(w) != 1 || w[0] != "hm" || strings.ContainsAny(err.Error(), "\x1b") || strings.Contains(err.Error(), aliceToken) {
			t.Error(status, w, err)
		}
	}
	for status, fine := range map[int]bool{404: true, 405: true, 501: true, 400: false, 403: false} {
		hub.Fault(func(*http.Request) *hubtest.Fault { return &hubtest.Fault{Status: status, Body: "no"} })
		if _, err := c.ValidateCard(ctx, remote.Model, "x"); (err == nil) != fine || errors.As(err, &bad) {
			t.Error(status, err)
		}
	}
}

// What the Hub says of its storage limits is a full disk, not a missing right.
func TestNoRoom(t *testing.T) {
	hub := newHub(t, hubtest.Options{})
	hub.Repo("acme/m")
	c := newClient(t, hub.URL(), aliceToken)
	for _, x := range []struct {
		status int
		said   string
		full   bool
	}{
		{413, "", true}, {507, "", true}, {403, "you may not", false}, {400, "storage limit", false},
		{403, `{"error":"Private repository storage limit reached, please upgrade your plan to increase your private storage limit."}`, true},
		{403, "Your storage patterns tripped our internal systems! Please contact us at website@huggingface.co so we can verify your account and unlock more storage for your use-case.", true},
	} {
		hub.Fault(func(r *http.Request) *hubtest.Fault { return &hubtest.Fault{Status: x.status, Body: x.said} })
		for what, err := range map[string]error{
			"upload": c.UploadLFS(t.Context(), model("acme/m"), []remote.LFSFile{lfsFile("x")}, remote.UploadOptions{}),
			"commit": func() error {
				_, err := c.Commit(t.Context(), model("acme/m"), remote.CommitRequest{Summary: "x", Deletes: []string{"x"}})
				return err
			}(),
		} {
			if errors.Is(err, remote.ErrNoRoom) != x.full || errors.Is(err, syscall.ENOSPC) != x.full || x.full && errors.Is(err, fs.ErrPermission) {
				t.Errorf("%s, %d %s: %v", what, x.status, x.said, err)
			}
		}
	}
	hub.Fault(func(r *http.Request) *hubtest.Fault {
		return &hubtest.Fault{Status: 200, Body: fmt.Sprintf(`{"objects":[{"oid":"%s","size":1,"error":{"code":413,"message":"File is too large"}}]}`, sha("x"))}
	})
	err := c.UploadLFS(t.Context(), model("acme/m"), []remote.LFSFile{lfsFile("x")}, remote.UploadOptions{})
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "File is too large") {
		t.Error(err)
	}
}

func TestCommitLimits(t *testing.T) {
	hub := newHub(t, hubtest.Options{})
	hub.Repo("acme/m")
	c := newClient(t, hub.URL(), aliceToken)
	many := make([]remote.LFSRef, remote.MaxCommitLFS+1)
	for i := range many {
		many[i] = remote.LFSRef{Path: fmt.Sprint(i), OID: sha("x"), Size: 1}
	}
	if _, err := c.Commit(t.Context(), model("acme/m"), remote.CommitRequest{Summary: "x", LFS: many}); err == nil || hub.Requests() > 0 {
		t.Error(err)
	}
	if err := c.UploadLFS(t.Context(), model("acme/m"), []remote.LFSFile{lfsFile("x")}, remote.UploadOptions{}); err != nil {
		t.Fatal(err)
	}
	hub.SetQuirks(hubtest.Quirks{CommitLFS: 2, CommitPayload: 10})
	head := hub.Repo("acme/m").Head("main")
	if _, err := c.Commit(t.Context(), model("acme/m"), remote.CommitRequest{Summary: "x", LFS: many[:3]}); err == nil || !strings.Contains(err.Error(), "2 is the limit") {
		t.Error(err)
	}
	if _, err := c.Commit(t.Context(), model("acme/m"), remote.CommitRequest{
		Summary: "x", Files: []remote.InlineFile{{Path: "a", Content: []byte("123456")}, {Path: "b", Content: []byte("123456")}},
	}); !errors.Is(err, syscall.ENOSPC) {
		t.Error(err)
	}
	if hub.Repo("acme/m").Head("main") != head {
		t.Error("a commit was made")
	}
	if _, err := c.Commit(t.Context(), model("acme/m"), remote.CommitRequest{Summary: "x", LFS: many[:2]}); err != nil {
		t.Error(err)
	}
}

// A server that knows no visibility must not be given what is for few.
func TestCreatedPublic(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `{"url":"https://x/a/b","private":false}`) })
	c := newClient(t, s.URL, aliceToken)
	for private, want := range map[bool]bool{true: true, false: false} {
		if _, err := c.CreateRepo(t.Context(), model("a/b"), remote.CreateOptions{Private: &private}); (err != nil) != want {
			t.Error(private, err)
		}
	}
}
