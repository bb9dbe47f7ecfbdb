package commit

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hubfs/hubfs/remote"
	"github.com/hubfs/hubfs/remote/hubtest"
)

// forget makes the Hub answer as if it had commits no more.
func (w *world) forget(commits ...string) {
	w.hub.Fault(func(q *http.Request) *hubtest.Fault {
		asked := q.URL.Path
		if strings.Contains(asked, "/branch/") {
			b, _ := io.ReadAll(q.Body)
			q.Body = io.NopCloser(bytes.NewReader(b))
			asked += string(b)
		}
		for _, c := range commits {
			if strings.Contains(asked, c) {
				return &hubtest.Fault{Status: 404, Header: http.Header{"X-Error-Code": {"RevisionNotFound"}, "X-Error-Message": {"Invalid rev id: " + c}}, Body: `{"error":"Invalid rev id"}`}
			}
		}
		return nil
	})
}

// squash rewrites the history of main into one commit.
func squash(t *testing.T, w *world, id string) {
	t.Helper()
	q, err := http.NewRequest("POST", w.hub.URL()+"/api/models/"+id+"/super-squash/main", strings.NewReader(`{"message":"all in one"}`))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+token)
	q.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if res.StatusCode != 200 {
		t.Fatal(res.Status)
	}
}

// The history is rewritten while work is staged, and the Hub forgets the commit
// that it lies on.
func TestRewrittenHistory(t *testing.T) {
	type step struct {
		theirs map[string]string // on top of the squashed history
		known  bool              // the base's listing is known here
		want   bool              // a conflict
	}
	for name, c := range map[string]step{
		"listing known":             {known: true},
		"listing known, others too": {known: true, theirs: map[string]string{"b": "theirs"}},
		"listing known, same file":  {known: true, theirs: map[string]string{"a": "theirs"}, want: true},
		"nothing known":             {want: true},
		"nothing known, others too": {want: true, theirs: map[string]string{"b": "theirs"}},
		"nothing known, same file":  {want: true, theirs: map[string]string{"a": "theirs"}},
	} {
		for _, way := range []string{"force", "discard", "pull request", "branch"} {
			t.Run(name+", "+way, func(t *testing.T) {
				w := newWorld(t)
				r := w.hub.Repo("acme/m")
				base := r.Commit("main", "start", start())
				tr := w.tree("acme/m")
				save(t, tr, "a", "ours")
				save(t, tr, "n", "new")
				if !c.known {
					w.crash() // what was known of the tree is forgotten with the process
					w.open()
				} else {
					view(t, tr)
				}
				squash(t, w, "acme/m")
				if c.theirs != nil {
					r.Commit("main", "theirs", c.theirs)
				}
				w.forget(base)
				tr = w.tree("acme/m")
				if !c.known {
					if err := within10s(func() error { _, err := tr.Root().List(ctx); return err }); err == nil || errors.Is(err, errSlow) {
						t.Fatal(err)
					}
				}
				if way != "pull request" && way != "branch" {
					_, err := tr.Commit(ctx, CommitOptions{})
					var e *ConflictError
					if errors.As(err, &e) != c.want || c.want && (len(e.Paths) == 0 || e.Rewritten == c.known || !c.known && !strings.Contains(err.Error(), "rewritten")) {
						t.Fatalf("%+v, %v", e, err)
					}
					if !c.want {
						return
					}
				}
				want := with(with(start(), c.theirs), map[string]string{"a": "ours", "n": "new"})
				switch way {
				case "force":
					if _, err := tr.Commit(ctx, CommitOptions{Force: true}); err != nil {
						t.Fatal(err)
					}
				case "discard":
					d, err := tr.Discard(ctx, "a")
					if err == nil && d.Head == "" {
						d, err = tr.Discard(ctx, "n")
						delete(want, "n")
					}
					if err != nil || d.Head != r.Head("main") {
						t.Fatalf("%+v, %v", d, err)
					}
					want["a"] = with(start(), c.theirs)["a"]
				case "pull request":
					if _, err := tr.Commit(ctx, CommitOptions{CreatePR: true}); err != nil {
						t.Fatal(err)
					}
					if d := cmp.Diff(want, filesAt(r, "refs/pr/1")); d != "" {
						t.Error(d)
					}
					return
				case "branch":
					if _, err := tr.Commit(ctx, CommitOptions{Branch: "dev", Force: true}); err != nil {
						t.Fatal(err)
					}
					if d := cmp.Diff(want, filesAt(r, "dev")); d != "" {
						t.Error(d)
					}
					return
				}
				if d := cmp.Diff(want, files(view(t, tr))); d != "" {
					t.Error(d)
				}
				if res := commitAll(t, tr); way == "force" && !res.Unchanged {
					t.Errorf("%+v", res)
				}
				if d := cmp.Diff(want, remoteFiles(r)); d != "" {
					t.Error(d)
				}
			})
		}
	}
}

var errSlow = errors.New("it takes more than 10 seconds")

func within10s(f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-time.After(10 * time.Second):
		return errSlow
	}
}

// Content that was moved, and whose commit is gone, is found where the branch
// has it; else the error says what to do.
func TestMovedFromGoneCommit(t *testing.T) {
	for _, there := range []bool{true, false} {
		w := newWorld(t)
		r := w.hub.Repo("acme/m")
		base := r.Commit("main", "start", start())
		tr := w.tree("acme/m")
		if _, err := tr.Root().List(ctx); err != nil {
			t.Fatal(err)
		}
		mv(t, tr, "a", "a2")
		squash(t, w, "acme/m")
		if !there {
			r.Commit("main", "theirs", map[string]string{"a": "theirs"})
		}
		w.forget(base)
		err := within10s(func() error {
			b, err := tr.Blob(ctx, entryOf(t, tr, "b"))
			if err != nil {
				return err
			}
			defer b.Close()
			_, err = b.ReadAt(ctx, make([]byte, 1), 0)
			return err
		})
		if !errors.Is(err, remote.ErrRevisionNotFound) {
			t.Error(err)
		}
		_, err = tr.Commit(ctx, CommitOptions{Force: true})
		if there {
			if err != nil || string(r.Read("main", "a2")) != "a" {
				t.Error(err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), "gone from the Hub") || entryOf(t, tr, "a2").Path != "a" {
			t.Error(err)
		}
	}
}

func entryOf(t *testing.T, w *Worktree, p string) remote.Entry {
	t.Helper()
	d, name := at(t, w, p)
	n, err := d.Lookup(ctx, name)
	if err != nil || n.File != nil {
		t.Fatal(err)
	}
	return n.Entry
}
