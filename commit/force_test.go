package commit

import (
	"errors"
	"maps"
	"net/http"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hubfs/hubfs/remote/hubtest"
)

// start is what the repos of these tests hold at first.
func start() map[string]string {
	return map[string]string{"a": "a", "b": "b", "d/x": "x", "d/y": "y", "l.bin": "\x00" + pattern(2000)}
}

// Conflicts, each settled in both ways.
var conflicts = map[string]struct {
	ours   func(t *testing.T, w *Worktree)
	theirs map[string]string
	gone   []string
	paths  []string
	sides  []Side            // without what the commit was
	force  map[string]string // what then is otherwise than at the start; "" = gone
	take   []string          // paths to be discarded
	takes  map[string]string // what is shown then otherwise than at their head
}{
	"same file": {
		ours:   func(t *testing.T, w *Worktree) { save(t, w, "a", "ours"); save(t, w, "z", "z") },
		theirs: map[string]string{"a": "theirs", "q": "q"}, paths: []string{"a"},
		sides: []Side{{Path: "a", Ours: "change", Theirs: "change", OurSize: 4, TheirSize: 6}},
		force: map[string]string{"a": "ours", "z": "z", "q": "q"},
		take:  []string{"a"}, takes: map[string]string{"z": "z"},
	},
	"both new": {
		ours:   func(t *testing.T, w *Worktree) { save(t, w, "n", "ours") },
		theirs: map[string]string{"n": "their"}, paths: []string{"n"},
		sides: []Side{{Path: "n", Ours: "add", Theirs: "add", OurSize: 4, TheirSize: 5}},
		force: map[string]string{"n": "ours"}, take: []string{"n"},
	},
	"we delete, they change": {
		ours:   func(t *testing.T, w *Worktree) { rm(t, w, "a") },
		theirs: map[string]string{"a": "theirs"}, paths: []string{"a"},
		sides: []Side{{Path: "a", Ours: "delete", Theirs: "change", TheirSize: 6}},
		force: map[string]string{"a": ""}, take: []string{"a"},
	},
	"we change, they delete": {
		ours: func(t *testing.T, w *Worktree) { save(t, w, "a", "ours") },
		gone: []string{"a"}, paths: []string{"a"},
		sides: []Side{{Path: "a", Ours: "change", Theirs: "delete", OurSize: 4}},
		force: map[string]string{"a": "ours"}, take: []string{"a"},
	},
	"moved and changed": {
		ours:   func(t *testing.T, w *Worktree) { mv(t, w, "d", "e") },
		theirs: map[string]string{"d/x": "theirs"}, paths: []string{"d/x"},
		sides: []Side{{Path: "d/x", Ours: "delete", Theirs: "change", TheirSize: 6}},
		force: map[string]string{"d/x": "", "d/y": "", "e/x": "x", "e/y": "y"}, take: []string{"e"},
	},
	"our directory, their file": {
		ours:   func(t *testing.T, w *Worktree) { mkdir(t, w, "n"); save(t, w, "n/f", "f") },
		theirs: map[string]string{"n": "file"}, paths: []string{"n"},
		sides: []Side{{Path: "n", Ours: "mkdir", Theirs: "add", TheirSize: 4}},
		force: map[string]string{"n/f": "f"}, take: []string{"n"},
	},
	"our file, their directory": {
		ours:   func(t *testing.T, w *Worktree) { save(t, w, "n", "f") },
		theirs: map[string]string{"n/f/g": "file", "n/h": "h"}, paths: []string{"n"},
		sides: []Side{{Path: "n", Ours: "add", Theirs: "mkdir", OurSize: 1}},
		force: map[string]string{"n": "f"}, take: []string{"n"},
	},
	"two of them": {
		ours:   func(t *testing.T, w *Worktree) { save(t, w, "a", "ours"); mv(t, w, "l.bin", "m.bin"); rm(t, w, "b") },
		theirs: map[string]string{"a": "theirs", "b": "theirs too"}, paths: []string{"a", "b"},
		sides: []Side{{Path: "a", Ours: "change", Theirs: "change", OurSize: 4, TheirSize: 6}, {Path: "b", Ours: "delete", Theirs: "change", TheirSize: 10}},
		force: map[string]string{"a": "ours", "b": "", "l.bin": "", "m.bin": "\x00" + pattern(2000)},
		take:  []string{"a", "b"}, takes: map[string]string{"l.bin": "", "m.bin": "\x00" + pattern(2000)},
	},
}

// conflicting makes one of them; the worktree's commit is refused.
func conflicting(t *testing.T, name string) (*world, *hubtest.Repo, *Worktree) {
	t.Helper()
	c := conflicts[name]
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	r.Commit("main", "start", start())
	tr := w.tree("acme/m")
	view(t, tr)
	c.ours(t, tr)
	head := r.Commit("main", "Their title", c.theirs, c.gone...)
	_, err := tr.Commit(ctx, CommitOptions{})
	var e *ConflictError
	if !errors.As(err, &e) || !cmp.Equal(e.Paths, c.paths) || e.Head != head || e.Rewritten {
		t.Fatalf("%+v, %v", e, err)
	}
	for i := range e.Sides {
		s := &e.Sides[i]
		if s.TheirCommit != head || s.TheirTitle != "Their title" || s.TheirAuthor == "" || s.TheirDate.IsZero() {
			t.Errorf("%+v", s)
		}
		*s = Side{Path: s.Path, Ours: s.Ours, Theirs: s.Theirs, OurSize: s.OurSize, TheirSize: s.TheirSize}
	}
	if d := cmp.Diff(c.sides, e.Sides); d != "" {
		t.Error(d)
	}
	return w, r, tr
}

// with is a tree after some changes to it: "" is a deletion.
func with(tree, changes map[string]string) map[string]string {
	out := maps.Clone(tree)
	for p, c := range changes {
		if c == "" {
			delete(out, p)
		} else {
			out[p] = c
		}
	}
	return out
}

func TestForce(t *testing.T) {
	for name, c := range conflicts {
		t.Run(name, func(t *testing.T) {
			w, r, tr := conflicting(t, name)
			theirs := r.Head("main")
			res, err := tr.Commit(ctx, CommitOptions{Force: true})
			if err != nil || res.Commits != 1 {
				t.Fatalf("%+v, %v", res, err)
			}
			if log := r.Log("main"); log[0].ID != res.Commit || log[1].ID != theirs {
				t.Errorf("%+v", log)
			}
			want := with(start(), c.force)
			if d := cmp.Diff(want, remoteFiles(r)); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(want, files(view(t, tr))); d != "" {
				t.Error(d)
			}
			if s := tr.Status(ctx); tr.Dirty() || len(s.Conflicts) > 0 || s.LastError != "" {
				t.Errorf("%+v", s)
			}
			w.crash()
			w.open()
			tr = w.tree("acme/m")
			if d := cmp.Diff(want, files(view(t, tr))); d != "" || tr.Dirty() {
				t.Error(d, tr.Status(ctx))
			}
		})
	}
}

// Discarding what is in conflict shows theirs.
func TestDiscardIsTheirs(t *testing.T) {
	for name, c := range conflicts {
		for _, remount := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				w, r, tr := conflicting(t, name)
				if remount { // nobody remembers the conflict
					w.crash()
					w.open()
					tr = w.tree("acme/m")
				}
				for i, p := range c.take {
					d, err := tr.Discard(ctx, p)
					if err != nil {
						t.Fatal(err)
					}
					last := i == len(c.take)-1
					if last != (d.Head == r.Head("main")) || last != (len(d.Conflicts) == 0) {
						t.Errorf("%s: %+v", p, d)
					}
				}
				want := with(remoteFiles(r), c.takes)
				if d := cmp.Diff(want, files(view(t, tr))); d != "" {
					t.Error(d)
				}
				if s := tr.Status(ctx); len(s.Conflicts) > 0 || s.LastError != "" || s.Base != r.Head("main") {
					t.Errorf("%+v", s)
				}
				w.crash()
				w.open()
				tr = w.tree("acme/m")
				if d := cmp.Diff(want, files(view(t, tr))); d != "" {
					t.Error(d)
				}
				commitAll(t, tr)
				if d := cmp.Diff(want, remoteFiles(r)); d != "" {
					t.Error(d)
				}
			})
		}
	}
}

// A change made after the staged work was compared with theirs, and before the
// commit was there, is compared by the next one, also by another process.
func TestChangedDuringTheRequest(t *testing.T) {
	for name, c := range map[string]struct {
		late   func(t *testing.T, w *Worktree)
		theirs map[string]string
		gone   []string
		paths  []string // in conflict then
		force  map[string]string
	}{
		"edit":                {late: func(t *testing.T, w *Worktree) { save(t, w, "a", "ours") }, theirs: map[string]string{"a": "theirs"}, paths: []string{"a"}, force: map[string]string{"a": "ours"}},
		"delete":              {late: func(t *testing.T, w *Worktree) { rm(t, w, "a") }, theirs: map[string]string{"a": "theirs"}, paths: []string{"a"}, force: map[string]string{"a": ""}},
		"they delete":         {late: func(t *testing.T, w *Worktree) { save(t, w, "a", "ours") }, gone: []string{"a"}, paths: []string{"a"}, force: map[string]string{"a": "ours"}},
		"new":                 {late: func(t *testing.T, w *Worktree) { save(t, w, "n", "ours") }, theirs: map[string]string{"n": "theirs"}, paths: []string{"n"}, force: map[string]string{"n": "ours"}},
		"file over directory": {late: func(t *testing.T, w *Worktree) { save(t, w, "n", "ours") }, theirs: map[string]string{"n/f": "theirs"}, paths: []string{"n"}, force: map[string]string{"n": "ours"}},
		"directory over file": {late: func(t *testing.T, w *Worktree) { mkdir(t, w, "n"); save(t, w, "n/f", "ours") }, theirs: map[string]string{"n": "theirs"}, paths: []string{"n"}, force: map[string]string{"n/f": "ours"}},
		"directory made anew": {late: func(t *testing.T, w *Worktree) {
			rm(t, w, "d/x")
			rm(t, w, "d/y")
			if err := w.Root().Rmdir(ctx, "d"); err != nil {
				t.Fatal(err)
			}
			mkdir(t, w, "d")
			save(t, w, "d/z", "ours")
		}, theirs: map[string]string{"d/new": "theirs"}, paths: []string{"d"}, force: map[string]string{"d/x": "", "d/y": "", "d/z": "ours"}},
		"moved":            {late: func(t *testing.T, w *Worktree) { mv(t, w, "a", "a2") }, theirs: map[string]string{"a": "theirs"}, paths: []string{"a"}, force: map[string]string{"a": "", "a2": "a"}},
		"other paths":      {late: func(t *testing.T, w *Worktree) { save(t, w, "a", "ours") }, theirs: map[string]string{"q": "q"}, force: map[string]string{"a": "ours", "q": "q"}},
		"a directory each": {late: func(t *testing.T, w *Worktree) { mkdir(t, w, "n"); save(t, w, "n/ours", "ours") }, theirs: map[string]string{"n/their": "theirs"}, force: map[string]string{"n/ours": "ours", "n/their": "theirs"}},
	} {
		for _, kill := range []string{"", "after", "before the record"} {
			t.Run(name+" "+kill, func(t *testing.T) {
				w := newWorld(t)
				r := w.hub.Repo("acme/m")
				r.Commit("main", "start", start())
				tr := w.tree("acme/m")
				view(t, tr)
				save(t, tr, "first", "1")
				// The request is refused; the next one comes after theirs was looked at.
				// Without the record its answer is lost, and the process ends before it has looked.
				w.hub.Fault(atCommits(func() { r.Commit("main", "theirs", c.theirs, c.gone...) }, func() { c.late(t, tr) }, kill == "before the record"))
				_, err := tr.Commit(ctx, CommitOptions{})
				if (kill == "before the record") != (err != nil) {
					t.Fatal(err)
				}
				w.hub.Fault(nil)
				before := view(t, tr)
				if kill != "" {
					w.crash()
					w.open()
					tr = w.tree("acme/m")
				}
				if kill != "before the record" { // the base has moved
					if d := cmp.Diff(before, view(t, tr)); d != "" {
						t.Error(d)
					}
				}
				head := r.Head("main")
				_, err = tr.Commit(ctx, CommitOptions{})
				var e *ConflictError
				if c.paths == nil {
					if err != nil {
						t.Fatal(err)
					}
				} else {
					if !errors.As(err, &e) || !cmp.Equal(e.Paths, c.paths) || len(e.Sides) != len(c.paths) || r.Head("main") != head {
						t.Fatalf("%+v, %v", e, err)
					}
					w.crash()
					w.open()
					tr = w.tree("acme/m")
					if _, err := tr.Commit(ctx, CommitOptions{}); !errors.As(err, &e) {
						t.Fatal("forgotten:", err)
					}
					if _, err := tr.Commit(ctx, CommitOptions{Force: true}); err != nil {
						t.Fatal(err)
					}
				}
				want := with(start(), map[string]string{"first": "1"})
				want = with(want, c.force)
				if d := cmp.Diff(want, remoteFiles(r)); d != "" {
					t.Error(d)
				}
				if d := cmp.Diff(want, files(view(t, tr))); d != "" {
					t.Error(d)
				}
				if tr.Dirty() {
					t.Errorf("%+v", tr.Status(ctx))
				}
			})
		}
	}
}

// atCommits calls first and second when the first two commit requests come. With
// lose the second of them loses its answer, and the Hub is unreachable from then on.
func atCommits(first, second func(), lose bool) func(*http.Request) *hubtest.Fault {
	requests := 0
	return func(q *http.Request) *hubtest.Fault {
		if isCommit(q) {
			switch requests++; requests {
			case 1:
				first()
				return nil
			case 2:
				second()
				if lose {
					return &hubtest.Fault{After: true, Status: 502}
				}
			}
		}
		if lose && requests >= 2 {
			return &hubtest.Fault{Status: 400}
		}
		return nil
	}
}

// What was known and forced is no conflict afterwards; what came later is.
func TestForceWithBusyFile(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	r.Commit("main", "start", start())
	tr := w.tree("acme/m")
	view(t, tr)
	save(t, tr, "z", "z")
	g, err := save(t, tr, "a", "ours").Open(os.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	r.Commit("main", "theirs", map[string]string{"a": "theirs"})
	if _, err := tr.Commit(ctx, CommitOptions{}); err == nil {
		t.Fatal("no conflict")
	}
	res, err := tr.Commit(ctx, CommitOptions{Force: true})
	if err != nil || !cmp.Equal(res.Busy, []string{"a"}) {
		t.Fatalf("%+v, %v", res, err)
	}
	g.Close()
	commitAll(t, tr)
	if d := cmp.Diff(with(start(), map[string]string{"a": "ours", "z": "z"}), remoteFiles(r)); d != "" {
		t.Error(d)
	}
}

// An empty directory that was put over their file by force does not delete it.
func TestForceWithEmptyDirectory(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	r.Commit("main", "start", start())
	tr := w.tree("acme/m")
	view(t, tr)
	mkdir(t, tr, "n")
	save(t, tr, "a", "ours")
	r.Commit("main", "theirs", map[string]string{"n": "theirs"})
	if _, err := tr.Commit(ctx, CommitOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	save(t, tr, "b", "ours")
	commitAll(t, tr)
	want := with(start(), map[string]string{"a": "ours", "b": "ours", "n": "theirs"})
	if d := cmp.Diff(want, remoteFiles(r)); d != "" {
		t.Error(d)
	}
	save(t, tr, "n/f", "f")
	commitAll(t, tr)
	if d := cmp.Diff(with(want, map[string]string{"n": "", "n/f": "f"}), remoteFiles(r)); d != "" {
		t.Error(d)
	}
}
