package commit

import (
	"errors"
	"io/fs"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hubfs/hubfs/remote"
	"github.com/hubfs/hubfs/remote/hubtest"
)

// filesAt is what the Hub has at a revision, but for .gitattributes.
func filesAt(r *hubtest.Repo, rev string) map[string]string {
	out := make(map[string]string)
	for p := range r.Files(rev) {
		if p != attributes {
			out[p] = string(r.Read(rev, p))
		}
	}
	return out
}

// Everything that can be staged, and what it makes of start().
func stageAll(t *testing.T, tr *Worktree) map[string]string {
	t.Helper()
	save(t, tr, "a", "ours")
	rm(t, tr, "b")
	mv(t, tr, "d", "e")
	save(t, tr, "e/x", "edited")
	mv(t, tr, "l.bin", "m.bin")
	mkdir(t, tr, "n")
	save(t, tr, "n/f", "f")
	save(t, tr, "n/big.bin", "\x00"+pattern(3000))
	mkdir(t, tr, "l.bin")
	save(t, tr, "l.bin/in", "dir over file")
	mkdir(t, tr, "empty")
	return map[string]string{
		"a": "ours", "e/x": "edited", "e/y": "y", "m.bin": "\x00" + pattern(2000), "n/f": "f", "n/big.bin": "\x00" + pattern(3000), "l.bin/in": "dir over file",
	}
}

var targets = map[string]struct {
	o   CommitOptions
	rev string
}{
	"pull request": {CommitOptions{CreatePR: true}, "refs/pr/1"},
	"new branch":   {CommitOptions{Branch: "dev"}, "dev"},
	"branch":       {CommitOptions{Branch: "old"}, "old"},
}

func TestTargets(t *testing.T) {
	for name, c := range targets {
		for _, kind := range []string{"", "crash after", "lost", "lost and later", "lost and a crash"} {
			t.Run(name+" "+kind, func(t *testing.T) {
				w := newWorld(t)
				r := w.hub.Repo("acme/m")
				main := r.Commit("main", "start", start())
				r.Branch("old", "main")
				r.Commit("old", "on it", map[string]string{"q": "q"})
				tr := w.tree("acme/m")
				view(t, tr)
				want := stageAll(t, tr)
				if c.rev == "old" {
					want["q"] = "q"
				}
				if strings.HasPrefix(kind, "lost") {
					w.hub.Fault(lostFrom(1, kind != "lost"))
				}
				res, err := tr.Commit(ctx, c.o)
				if later := kind == "lost and later" || kind == "lost and a crash"; later {
					if !errors.Is(err, remote.ErrUnknownOutcome) || !tr.Dirty() {
						t.Fatal(err)
					}
					w.hub.Fault(nil)
					if kind == "lost and a crash" {
						before := view(t, tr)
						w.crash()
						w.open()
						tr = w.tree("acme/m")
						if d := cmp.Diff(before, view(t, tr)); d != "" {
							t.Error(d)
						}
					}
					res, err = tr.Commit(ctx, c.o)
				}
				if err != nil || res.Commits != 1 || res.Branch != c.rev || (res.PullRequest != "") != c.o.CreatePR {
					t.Fatalf("%+v, %v", res, err)
				}
				if c.o.CreatePR && !strings.HasSuffix(res.PullRequest, "/acme/m/discussions/1") {
					t.Error(res.PullRequest)
				}
				if kind == "crash after" {
					w.crash()
					w.open()
					tr = w.tree("acme/m")
				}
				if d := cmp.Diff(want, filesAt(r, c.rev)); d != "" {
					t.Error(d)
				}
				if r.Head("main") != main || tr.BaseCommit() != main || r.Head(c.rev) != res.Commit {
					t.Error("a branch is where it should not be")
				}
				if d := cmp.Diff(start(), files(view(t, tr))); d != "" {
					t.Error(d)
				}
				s := tr.Status(ctx)
				if tr.Dirty() || len(s.Staged) > 1 || len(s.Staged) == 1 && s.Staged[0].Path != "empty" {
					t.Errorf("%+v", s)
				}
				// Nothing is left that could be committed or is in the way.
				if res := commitAll(t, tr); !res.Unchanged {
					t.Errorf("%+v", res)
				}
				mkdir(t, tr, "e")
				save(t, tr, "e/x", "anew")
				commitAll(t, tr)
				if d := cmp.Diff(with(start(), map[string]string{"e/x": "anew"}), remoteFiles(r)); d != "" {
					t.Error(d)
				}
				if len(r.Log(c.rev)) != len(r.Log("main"))-1+map[bool]int{true: 2, false: 1}[c.rev == "old"] {
					t.Error("not one commit", len(r.Log(c.rev)))
				}
				if w.client.PullRequests(ctx, parse(t, "acme/m")); c.o.CreatePR {
					n := 0
					for range w.client.PullRequests(ctx, parse(t, "acme/m")) {
						n++
					}
					if n != 1 {
						t.Error(n, "pull requests")
					}
				}
			})
		}
	}
}

// lostFrom loses the answer of the n-th commit request; with away the Hub is not
// to be reached from then on.
func lostFrom(n int, away bool) func(q *http.Request) *hubtest.Fault {
	lost := false
	return func(q *http.Request) *hubtest.Fault {
		if isCommit(q) {
			if n--; n == 0 {
				lost = away
				return &hubtest.Fault{After: true, Status: 502}
			}
		}
		if lost {
			return &hubtest.Fault{Status: 400}
		}
		return nil
	}
}

// What was committed elsewhere is warm in the cache.
func TestTargetIsWarm(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	r.Commit("main", "start", start())
	tr := w.tree("acme/m")
	save(t, tr, "new", "content of it")
	if _, err := tr.Commit(ctx, CommitOptions{CreatePR: true}); err != nil {
		t.Fatal(err)
	}
	pr := w.tree("acme/m@refs/pr/1")
	view(t, pr)
	w.hub.ResetCounts()
	if got := content(t, pr, "new"); got != "content of it" || w.hub.Counts()[hubtest.KindResolve].N != 0 {
		t.Errorf("%q, %+v", got, w.hub.Counts())
	}
}

// A pull request that never arrived is asked for again, but only when it surely
// is not on its way any more.
func TestPullNeverArrived(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	r.Commit("main", "start", start())
	tr := w.tree("acme/m")
	f := save(t, tr, "a", "ours")
	now := time.Now()
	w.store.now = func() time.Time { return now }
	w.hub.Fault(once(hubtest.Fault{Status: 502}))
	for _, o := range []CommitOptions{{CreatePR: true}, {CreatePR: true}, {}, {Branch: "dev"}} {
		if _, err := tr.Commit(ctx, o); !errors.Is(err, remote.ErrUnknownOutcome) || !f.Frozen() {
			t.Fatal(o, err)
		}
	}
	now = now.Add(pullPatience)
	res, err := tr.Commit(ctx, CommitOptions{CreatePR: true})
	if err != nil || res.Branch != "refs/pr/1" || string(r.Read("refs/pr/1", "a")) != "ours" {
		t.Fatalf("%+v, %v", res, err)
	}
	if tr.Dirty() || f.w.pending != nil {
		t.Error("still staged")
	}
}

// Another's pull request that is newer is not taken for ours.
func TestPullOfAnother(t *testing.T) {
	w := newWorld(t)
	w.hub.AddUser("bob", bobs, hubtest.User{})
	r := w.hub.Repo("acme/m")
	base := r.Commit("main", "start", start())
	tr := w.tree("acme/m")
	save(t, tr, "a", "ours")
	bob, err := remote.New(remote.Options{Endpoint: w.hub.URL(), Token: bobs})
	if err != nil {
		t.Fatal(err)
	}
	defer bob.Close()
	propose := func() {
		if _, err := bob.Commit(ctx, parse(t, "acme/m"), remote.CommitRequest{
			Summary: "the same", Parent: base, CreatePR: true, Files: []remote.InlineFile{{Path: "a", Content: []byte("ours")}},
		}); err != nil {
			t.Error(err)
		}
	}
	propose()
	// Theirs come before ours and after it, and our answer is lost.
	did := false
	lost := lostFrom(1, true)
	w.hub.Fault(func(q *http.Request) *hubtest.Fault {
		if strings.Contains(q.Header.Get("Authorization"), bobs) {
			return nil
		}
		if isCommit(q) && !did {
			did = true
			propose()
		}
		return lost(q)
	})
	if _, err := tr.Commit(ctx, CommitOptions{CreatePR: true}); !errors.Is(err, remote.ErrUnknownOutcome) {
		t.Fatal(err)
	}
	w.hub.Fault(nil)
	propose()
	res, err := tr.Commit(ctx, CommitOptions{CreatePR: true})
	if err != nil || res.Branch != "refs/pr/3" || tr.Dirty() {
		t.Errorf("%+v, %v", res, err)
	}
}

// A branch that exists is compared with like one that has moved.
func TestBranchConflict(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	r.Commit("main", "start", start())
	r.Branch("dev", "main")
	head := r.Commit("dev", "theirs", map[string]string{"a": "theirs"})
	tr := w.tree("acme/m")
	save(t, tr, "a", "ours")
	_, err := tr.Commit(ctx, CommitOptions{Branch: "dev"})
	var e *ConflictError
	if !errors.As(err, &e) || !cmp.Equal(e.Paths, []string{"a"}) || e.Head != head {
		t.Fatal(err)
	}
	if _, err := tr.Commit(ctx, CommitOptions{Branch: "dev", Force: true}); err != nil {
		t.Fatal(err)
	}
	if got := string(r.Read("dev", "a")); got != "ours" || tr.Dirty() {
		t.Error(got)
	}
	for _, o := range []CommitOptions{{Branch: "dev", CreatePR: true}, {Branch: "a..b"}, {Branch: head}} {
		save(t, tr, "a", "ours")
		if _, err := tr.Commit(ctx, o); !errors.Is(err, fs.ErrInvalid) {
			t.Error(o, err)
		}
	}
	res, err := tr.Commit(ctx, CommitOptions{Branch: "main"}) // its own
	if err != nil || res.Branch != "" || r.Head("main") != res.Commit {
		t.Errorf("%+v, %v", res, err)
	}
}

// A pull request settles a conflict: theirs is what is shown then.
func TestPullSettlesConflict(t *testing.T) {
	_, r, tr := conflicting(t, "same file")
	res, err := tr.Commit(ctx, CommitOptions{CreatePR: true})
	if err != nil || res.Branch != "refs/pr/1" {
		t.Fatal(res, err)
	}
	if d := cmp.Diff(remoteFiles(r), files(view(t, tr))); d != "" || tr.Dirty() || len(tr.Status(ctx).Conflicts) > 0 {
		t.Error(d)
	}
	if got := string(r.Read("refs/pr/1", "a")); got != "ours" {
		t.Error(got)
	}
}

// What is changed while the request is on its way stays staged.
func TestChangedDuringPull(t *testing.T) {
	for _, crash := range []bool{false, true} {
		w := newWorld(t)
		r := w.hub.Repo("acme/m")
		r.Commit("main", "start", start())
		tr := w.tree("acme/m")
		view(t, tr)
		save(t, tr, "a", "ours")
		save(t, tr, "tmp", "renamed later")
		mv(t, tr, "d", "e")
		mkdir(t, tr, "n")
		save(t, tr, "n/f", "f")
		did := false
		w.hub.Fault(func(q *http.Request) *hubtest.Fault {
			if isCommit(q) && !did {
				did = true
				save(t, tr, "a", "later")
				mv(t, tr, "tmp", "final")
				save(t, tr, "e/new", "new")
				save(t, tr, "n/g", "g")
				rm(t, tr, "b")
			}
			return nil
		})
		if _, err := tr.Commit(ctx, CommitOptions{CreatePR: true}); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(map[string]string{"a": "ours", "b": "b", "e/x": "x", "e/y": "y", "tmp": "renamed later", "n/f": "f", "l.bin": start()["l.bin"]}, filesAt(r, "refs/pr/1")); d != "" {
			t.Error(d)
		}
		if crash {
			w.crash()
			w.open()
			tr = w.tree("acme/m")
		}
		want := with(start(), map[string]string{"a": "later", "final": "renamed later", "e/new": "new", "n/g": "g", "b": ""})
		if d := cmp.Diff(want, files(view(t, tr))); d != "" {
			t.Error(d)
		}
		commitAll(t, tr)
		if d := cmp.Diff(want, remoteFiles(r)); d != "" {
			t.Error(d)
		}
		if tr.Dirty() {
			t.Errorf("%+v", tr.Status(ctx))
		}
	}
}

// Where the token may not write, what is staged becomes pull requests, if that
// is wanted.
func TestPullRequestsOnly(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("others/m")
	main := r.Commit("main", "start", start())
	if err := w.tree("others/m").Writable(ctx); !errors.Is(err, syscall.EROFS) {
		t.Fatal(err)
	}
	w.opt.PullRequests = true
	w.reopen()
	tr := w.tree("others/m")
	save(t, tr, "a", "ours")
	save(t, tr, "n.bin", "\x00"+pattern(2000))
	w.reopen()
	tr = w.tree("others/m")
	if res, err := tr.Commit(ctx, CommitOptions{Automatic: true}); err != nil || res.Left == "" || !tr.Dirty() {
		t.Fatalf("%+v, %v", res, err)
	}
	if _, err := tr.Commit(ctx, CommitOptions{Branch: "dev"}); !errors.Is(err, syscall.EROFS) {
		t.Error(err)
	}
	res, err := tr.Commit(ctx, CommitOptions{})
	if err != nil || res.Branch != "refs/pr/1" || tr.Dirty() {
		t.Fatalf("%+v, %v", res, err)
	}
	save(t, tr, "a", "again")
	res, err = tr.Commit(ctx, CommitOptions{Automatic: true, CreatePR: true})
	if err != nil || res.Branch != "refs/pr/2" || tr.Dirty() || r.Head("main") != main {
		t.Fatalf("%+v, %v", res, err)
	}
	if err := w.tree("others/m@" + main).Writable(ctx); !errors.Is(err, syscall.EROFS) {
		t.Error(err)
	}
	// Nothing is created where nothing may be written.
	if _, err := w.store.Create(ctx, parse(t, "others/new")); err == nil {
		t.Error("a repo is staged where none can be made")
	}
}

// A tree that was moved goes back with all that somebody has looked at, when it
// has become a pull request.
func TestMovedTreeGoesAway(t *testing.T) {
	w := newWorld(t)
	w.hub.Repo("acme/m").Commit("main", "start", map[string]string{"old/sub/z": "z", "old/sub/deep/y": "y", "old/x": "x"})
	tr := w.tree("acme/m")
	want := view(t, tr)
	mv(t, tr, "old", "moved")
	view(t, tr)
	looked := false
	if _, err := tr.Commit(ctx, CommitOptions{CreatePR: true, Progress: func(e Event) {
		if !looked && e.Phase == "commit" {
			looked = true
			view(t, tr)
		}
	}}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if d := cmp.Diff(want, view(t, tr)); d != "" || tr.Dirty() {
			t.Error(d, tr.Status(ctx))
		}
		w.crash()
		w.open()
		tr = w.tree("acme/m")
	}
}

// A directory in one that was moved to where the base has another of the same
// names shows that other one again.
func TestPullOfNestedDirectories(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	r.Commit("main", "start", map[string]string{"p/s/x": "in p", "q/s/x": "in q", "q/s/t/y": "deep"})
	tr := w.tree("acme/m")
	view(t, tr)
	mv(t, tr, "p", "o")
	mv(t, tr, "q", "p")
	view(t, tr) // all directories are known
	save(t, tr, "p/s/t/n", "n")
	if _, err := tr.Commit(ctx, CommitOptions{CreatePR: true}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]string{"o/s/x": "in p", "p/s/x": "in q", "p/s/t/y": "deep", "p/s/t/n": "n"}, filesAt(r, "refs/pr/1")); d != "" {
		t.Error(d)
	}
	want := map[string]string{"p/s/x": "in p", "q/s/x": "in q", "q/s/t/y": "deep"}
	if d := cmp.Diff(want, files(view(t, tr))); d != "" {
		t.Error(d)
	}
	w.crash()
	w.open()
	if d := cmp.Diff(want, files(view(t, w.tree("acme/m")))); d != "" {
		t.Error(d)
	}
}

// Empty directories that are left of what took the place of a file do not hide
// the file.
func TestPullOfDirectoryOverFile(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	r.Commit("main", "start", start())
	tr := w.tree("acme/m")
	rm(t, tr, "a")
	mkdir(t, tr, "a")
	mkdir(t, tr, "a/empty")
	save(t, tr, "a/f", "f")
	if _, err := tr.Commit(ctx, CommitOptions{CreatePR: true}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(start(), files(view(t, tr))); d != "" || tr.Dirty() {
		t.Error(d, tr.Status(ctx))
	}
}
