package commit

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hubfs/hubfs/remote"
	"github.com/hubfs/hubfs/remote/hubtest"
)

func TestConflict(t *testing.T) {
	for _, c := range []struct {
		name   string
		ours   func(t *testing.T, w *Worktree)
		theirs map[string]string
		gone   []string
		paths  []string // nil = no conflict
	}{
		{"same file", func(t *testing.T, w *Worktree) { save(t, w, "a", "ours") }, map[string]string{"a": "theirs"}, nil, []string{"a"}},
		{"same content", func(t *testing.T, w *Worktree) { save(t, w, "a", "theirs"); save(t, w, "z", "z") }, map[string]string{"a": "theirs"}, nil, nil},
		{"only the same content", func(t *testing.T, w *Worktree) { save(t, w, "a", "theirs") }, map[string]string{"a": "theirs"}, nil, nil},
		{"other files", func(t *testing.T, w *Worktree) { save(t, w, "a", "ours"); mv(t, w, "d", "e") }, map[string]string{"b": "theirs", "d/new": "n"}, []string{"gone"}, nil},
		{"delete and change", func(t *testing.T, w *Worktree) { rm(t, w, "a") }, map[string]string{"a": "theirs"}, nil, []string{"a"}},
		{"change and delete", func(t *testing.T, w *Worktree) { save(t, w, "a", "ours") }, nil, []string{"a"}, []string{"a"}},
		{"both delete", func(t *testing.T, w *Worktree) { rm(t, w, "a"); save(t, w, "z", "z") }, nil, []string{"a"}, nil},
		{"moved and changed", func(t *testing.T, w *Worktree) { mv(t, w, "d", "e") }, map[string]string{"d/x": "theirs"}, nil, []string{"d/x"}},
		{"our directory, their file", func(t *testing.T, w *Worktree) { mkdir(t, w, "n"); save(t, w, "n/f", "f") }, map[string]string{"n": "file"}, nil, []string{"n"}},
		{"our file, their directory", func(t *testing.T, w *Worktree) { save(t, w, "n", "f") }, map[string]string{"n/f/g": "file"}, nil, []string{"n"}},
		{"saved as it was, changed there", func(t *testing.T, w *Worktree) { save(t, w, "a", "a"); save(t, w, "z", "z") }, map[string]string{"a": "theirs"}, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			r := w.hub.Repo("acme/m")
			r.Commit("main", "start", map[string]string{"a": "a", "b": "b", "d/x": "x", "d/y": "y", "gone": "g", "l.bin": pattern(2000)})
			tr := w.tree("acme/m")
			view(t, tr)
			c.ours(t, tr)
			before := view(t, tr)
			var told []string
			tr.OnChange(func(cs []Change) {
				for _, c := range cs {
					told = append(told, join(c.Dir.Path(), c.Name))
				}
			})
			head := r.Commit("main", "theirs", c.theirs, c.gone...)
			res, err := tr.Commit(ctx, CommitOptions{})
			if c.paths != nil {
				var conflict *ConflictError
				if !errors.As(err, &conflict) || !errors.Is(err, remote.ErrConflict) {
					t.Fatalf("%+v, %v", res, err)
				}
				if d := cmp.Diff(c.paths, conflict.Paths); d != "" || conflict.Head != head {
					t.Error(d, conflict.Head)
				}
				if d := cmp.Diff(before, view(t, tr)); d != "" {
					t.Error(d)
				}
				if s := tr.Status(ctx); !cmp.Equal(s.Conflicts, c.paths) || s.LastError == "" || len(s.Staged) == 0 {
					t.Errorf("%+v", s)
				}
				if r.Head("main") != head {
					t.Error("there is a commit")
				}
				w.reopen()
				tr = w.tree("acme/m")
				if d := cmp.Diff(before, view(t, tr)); d != "" {
					t.Error(d)
				}
				if _, err := tr.Discard(ctx, ""); err != nil {
					t.Fatal(err)
				}
				if res, err := tr.Commit(ctx, CommitOptions{}); err != nil || !res.Unchanged {
					t.Errorf("%+v, %v", res, err)
				}
				w.reopen()
				if d := cmp.Diff(files(view(t, w.tree("acme/m"))), remoteFiles(r)); d != "" {
					t.Error(d)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := files(view(t, tr))
			if d := cmp.Diff(got, remoteFiles(r)); d != "" {
				t.Error(d)
			}
			for p, content := range c.theirs {
				if got[p] != content {
					t.Errorf("%s is %q", p, got[p])
				}
				first, _, _ := strings.Cut(p, "/")
				if !strings.Contains(strings.Join(told, " ")+" ", first) {
					t.Errorf("%s: told only of %v", p, told)
				}
			}
			for _, p := range c.gone {
				if _, ok := got[p]; ok {
					t.Error(p, "is still there")
				}
			}
			if tr.Dirty() || tr.BaseCommit() != r.Head("main") {
				t.Error(tr.Status(ctx))
			}
			if log := r.Log("main"); log[1].ID != head && log[0].ID != head {
				t.Errorf("%+v", log)
			}
		})
	}
}

// The branch moves again and again.
func TestBusyBranch(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	r.Put("a", "a")
	tr := w.tree("acme/m")
	save(t, tr, "b", "b")
	n := 0
	w.hub.Fault(func(q *http.Request) *hubtest.Fault {
		if strings.Contains(q.URL.Path, "/commit/") {
			n++
			r.Commit("main", "theirs", map[string]string{"c": strings.Repeat("c", n)})
		}
		return nil
	})
	if _, err := tr.Commit(ctx, CommitOptions{}); !errors.Is(err, remote.ErrConflict) || n != maxTries {
		t.Fatal(n, err)
	}
	if got := content(t, tr, "b"); got != "b" {
		t.Error(got)
	}
	write(t, save(t, tr, "b", "b2"), "b3", 0)
	w.hub.Fault(nil)
	commitAll(t, tr)
	if got := remoteFiles(r); got["b"] != "b3" || got["c"] != "ccc" {
		t.Error(got)
	}
}

func isCommit(q *http.Request) bool { return strings.Contains(q.URL.Path, "/commit/") }

// once is a fault for one commit request.
func once(f hubtest.Fault) func(q *http.Request) *hubtest.Fault {
	done := false
	return func(q *http.Request) *hubtest.Fault {
		if done || !isCommit(q) {
			return nil
		}
		done = true
		return &f
	}
}

func TestLostAnswer(t *testing.T) {
	for _, f := range []hubtest.Fault{{After: true, Status: 502}, {After: true}} {
		w := newWorld(t)
		r := w.hub.Repo("acme/m")
		r.Put("a", "a")
		tr := w.tree("acme/m")
		save(t, tr, "b", "b")
		mv(t, tr, "a", "a2")
		w.hub.Fault(once(f))
		res := commitAll(t, tr)
		if log := r.Log("main"); len(log) != 3 || log[0].ID != res.Commit || res.Files != 3 {
			t.Errorf("%+v, %+v", res, log)
		}
		if tr.Dirty() {
			t.Error(tr.Status(ctx))
		}
		if d := cmp.Diff(files(view(t, tr)), remoteFiles(r)); d != "" {
			t.Error(d)
		}
	}
}

// The answer is lost and then the Hub is away, and somebody commits on top.
func TestSettleLater(t *testing.T) {
	for _, restart := range []bool{false, true} {
		w := newWorld(t)
		r := w.hub.Repo("acme/m")
		r.Commit("main", "start", map[string]string{"a": "a", "d/x": "x"})
		tr := w.tree("acme/m")
		f := save(t, tr, "b", "b")
		mv(t, tr, "d", "e")
		save(t, tr, "e/y", "y")
		lost := false
		w.hub.Fault(func(q *http.Request) *hubtest.Fault {
			switch {
			case isCommit(q):
				lost = true
				return &hubtest.Fault{After: true, Status: 502}
			case lost:
				return &hubtest.Fault{Status: 400}
			}
			return nil
		})
		if _, err := tr.Commit(ctx, CommitOptions{}); !errors.Is(err, remote.ErrUnknownOutcome) {
			t.Fatal(err)
		}
		w.hub.Fault(nil)
		if !tr.Dirty() || !f.Frozen() {
			t.Error("not pending")
		}
		// What happens meanwhile is the next commit's.
		save(t, tr, "b", "b2")
		mv(t, tr, "e/y", "y3")
		rm(t, tr, "a")
		before := view(t, tr)
		if restart {
			w.crash()
			w.open()
			tr = w.tree("acme/m")
			if d := cmp.Diff(before, view(t, tr)); d != "" {
				t.Error(d)
			}
		}
		theirs := r.Commit("main", "theirs", map[string]string{"q": "q"})
		res := commitAll(t, tr)
		log := r.Log("main")
		if len(log) != 5 || log[0].ID != res.Commit || log[1].ID != theirs {
			t.Fatalf("%+v, %+v", res, log)
		}
		before["q"] = "q"
		if d := cmp.Diff(before, view(t, tr)); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff(files(before), remoteFiles(r)); d != "" {
			t.Error(d)
		}
		if tr.Dirty() {
			t.Error(tr.Status(ctx))
		}
	}
}

// The request never arrived: the commit is made by the next try, once.
func TestNeverArrived(t *testing.T) {
	for _, restart := range []bool{false, true} {
		w := newWorld(t)
		r := w.hub.Repo("acme/m")
		r.Put("a", "a")
		tr := w.tree("acme/m")
		save(t, tr, "b", "b")
		w.hub.Fault(once(hubtest.Fault{Status: 502}))
		if _, err := tr.Commit(ctx, CommitOptions{}); !errors.Is(err, remote.ErrUnknownOutcome) {
			t.Fatal(err)
		}
		save(t, tr, "b", "b2") // to a fresh file: the first may still arrive
		if restart {
			w.crash()
			w.open()
			tr = w.tree("acme/m")
		}
		commitAll(t, tr)
		if got := remoteFiles(r); got["b"] != "b2" || len(r.Log("main")) != 3 || tr.Dirty() {
			t.Error(got, len(r.Log("main")), tr.Status(ctx))
		}
	}
}

// It arrives late, after the next try was planned.
func TestArrivesLate(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	r.Put("a", "a")
	tr := w.tree("acme/m")
	save(t, tr, "b", "b")
	w.hub.Fault(once(hubtest.Fault{Status: 502}))
	if _, err := tr.Commit(ctx, CommitOptions{}); !errors.Is(err, remote.ErrUnknownOutcome) {
		t.Fatal(err)
	}
	save(t, tr, "c", "c")
	done := false
	w.hub.Fault(func(q *http.Request) *hubtest.Fault {
		if isCommit(q) && !done {
			done = true
			r.Commit("main", "Add b", map[string]string{"b": "b"}) // the first
		}
		return nil
	})
	commitAll(t, tr)
	if got := remoteFiles(r); !cmp.Equal(got, map[string]string{"a": "a", "b": "b", "c": "c"}) || len(r.Log("main")) != 4 || tr.Dirty() {
		t.Error(got, len(r.Log("main")), tr.Status(ctx))
	}
}

func TestRefused(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	r.Put("a", "a")
	tr := w.tree("acme/m")
	f := save(t, tr, "big.bin", pattern(50_000))
	save(t, tr, "b", "b")
	for _, where := range []string{"/preupload/", "/objects/batch", "/commit/"} {
		w.hub.Fault(func(q *http.Request) *hubtest.Fault {
			if strings.Contains(q.URL.Path, where) {
				return &hubtest.Fault{Status: 403, Body: `{"error":"no"}`}
			}
			return nil
		})
		if _, err := tr.Commit(ctx, CommitOptions{}); err == nil || !strings.Contains(err.Error(), "no") {
			t.Fatal(where, err)
		}
		if f.Frozen() {
			t.Error("frozen after", where)
		}
	}
	if s := tr.Status(ctx); len(s.Staged) != 2 || s.LastError == "" {
		t.Errorf("%+v", s)
	}
	w.hub.Fault(nil)
	w.hub.ResetCounts()
	commitAll(t, tr)
	if n := w.hub.Counts()[hubtest.KindLFSPut].N; n != 0 {
		t.Errorf("%d uploads of what had arrived", n)
	}
	if len(remoteFiles(r)) != 3 || tr.Status(ctx).LastError != "" {
		t.Error(remoteFiles(r), tr.Status(ctx))
	}
}

func TestHeld(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	r.Commit("main", "start", map[string]string{"a/1": "1", "a/2": "2", "a/3": "3", "b": "b"})
	tr := w.tree("acme/m")
	mv(t, tr, "a", "c")
	if _, err := tr.Commit(ctx, CommitOptions{Automatic: true}); err != nil {
		t.Fatal("a rename was held:", err)
	}
	for _, p := range []string{"c/1", "c/2", "c/3"} {
		rm(t, tr, p)
	}
	if _, err := tr.Commit(ctx, CommitOptions{Automatic: true}); !errors.Is(err, ErrHeld) {
		t.Fatal(err)
	}
	if s := tr.Status(ctx); !strings.Contains(s.LastError, "3 of the 5") {
		t.Error(s.LastError)
	}
	commitAll(t, tr)
	if got := remoteFiles(r); len(got) != 1 {
		t.Error(got)
	}
	if _, ok := view(t, tr)["c/"]; !ok {
		t.Error("the emptied directory is gone")
	}
}
