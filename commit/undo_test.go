package commit

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Discarding either side of a rename undoes it: nothing is lost, and nothing is
// there twice.
func TestDiscardRename(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(t *testing.T, w *Worktree)
		path string
		want map[string]string // otherwise than at the start
	}{
		"file, where it went":                 {func(t *testing.T, w *Worktree) { mv(t, w, "a", "a2") }, "a2", nil},
		"file, where it was":                  {func(t *testing.T, w *Worktree) { mv(t, w, "a", "a2") }, "a", nil},
		"file over another":                   {func(t *testing.T, w *Worktree) { mv(t, w, "a", "b") }, "a", nil},
		"file into a directory, where it was": {func(t *testing.T, w *Worktree) { mv(t, w, "a", "d/a2") }, "a", nil},
		"the directory that it went into":     {func(t *testing.T, w *Worktree) { mv(t, w, "a", "d/a2"); rm(t, w, "d/x") }, "d", nil},
		"the directory that it came from":     {func(t *testing.T, w *Worktree) { mv(t, w, "d/x", "x2") }, "d", nil},
		"directory, where it went":            {func(t *testing.T, w *Worktree) { mv(t, w, "d", "e") }, "e", nil},
		"directory, where it was":             {func(t *testing.T, w *Worktree) { mv(t, w, "d", "e") }, "d", nil},
		"directory with a deleted file":       {func(t *testing.T, w *Worktree) { mv(t, w, "d", "e"); rm(t, w, "e/x") }, "d", nil},
		"directory with new files, where it was": {func(t *testing.T, w *Worktree) {
			mv(t, w, "d", "e")
			save(t, w, "e/n", "n")
			save(t, w, "e/x", "edited")
		}, "d", map[string]string{"e/n": "n", "e/x": "edited"}},
		"directory with new files, where it went": {func(t *testing.T, w *Worktree) { mv(t, w, "d", "e"); save(t, w, "e/n", "n") }, "e", nil},
		"moved on":                       {func(t *testing.T, w *Worktree) { mv(t, w, "a", "a2"); mv(t, w, "a2", "a3") }, "a3", nil},
		"exchanged":                      {func(t *testing.T, w *Worktree) { w.Root().Rename(ctx, "a", w.Root(), "b", Exchange) }, "a", nil},
		"edited after it was moved":      {func(t *testing.T, w *Worktree) { mv(t, w, "a", "a2"); save(t, w, "a2", "edited") }, "a2", map[string]string{"a": ""}},
		"another in its place":           {func(t *testing.T, w *Worktree) { mv(t, w, "a", "a2"); save(t, w, "a", "new") }, "a2", map[string]string{"a": "new"}},
		"the other in its place":         {func(t *testing.T, w *Worktree) { mv(t, w, "a", "a2"); save(t, w, "a", "new") }, "a", nil},
		"elsewhere":                      {func(t *testing.T, w *Worktree) { mv(t, w, "a", "a2"); save(t, w, "b", "new") }, "b", map[string]string{"a": "", "a2": "a"}},
		"moved out of a moved directory": {func(t *testing.T, w *Worktree) { mv(t, w, "d", "e"); mv(t, w, "e/x", "x2") }, "d", nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			r := w.hub.Repo("acme/m")
			r.Commit("main", "start", start())
			tr := w.tree("acme/m")
			view(t, tr)
			c.do(t, tr)
			if _, err := tr.Discard(ctx, c.path); err != nil {
				t.Fatal(err)
			}
			want := with(start(), c.want)
			if d := cmp.Diff(want, files(view(t, tr))); d != "" {
				t.Error(d)
			}
			w.crash()
			w.open()
			tr = w.tree("acme/m")
			if d := cmp.Diff(want, files(view(t, tr))); d != "" {
				t.Error("after a crash:", d)
			}
			res := commitAll(t, tr)
			if d := cmp.Diff(want, remoteFiles(r)); d != "" || res.Unchanged != (c.want == nil) {
				t.Error(d, res)
			}
		})
	}
}

// A rename of a repo that is still to be created is cut off between its two
// steps; the repo is then there by its new name, and by it alone.
func TestRenameNewCutOff(t *testing.T) {
	w := newWorld(t)
	from, to := parse(t, "alice/one"), parse(t, "alice/two")
	tr, err := w.store.Create(ctx, from)
	if err != nil {
		t.Fatal(err)
	}
	save(t, tr, "a", "a")
	id := tr.identity()
	id.Repo = to.String()
	if err := tr.st.identify(id); err != nil {
		t.Fatal(err)
	}
	w.crash()
	w.open()
	if _, err := w.store.Worktree(ctx, from); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	tr, err = w.store.Worktree(ctx, to)
	if err != nil {
		t.Fatal(err)
	}
	commitAll(t, tr)
	if d := cmp.Diff(map[string]string{"a": "a"}, remoteFiles(w.hub.Repo("alice/two"))); d != "" {
		t.Error(d)
	}
}

// A directory in one whose move is undone shows its own content no more where
// the other went, and what is staged in it stays.
func TestDiscardRenameOfNested(t *testing.T) {
	for _, path := range []string{"d", "e/q"} {
		w := newWorld(t)
		r := w.hub.Repo("acme/m")
		r.Commit("main", "start", map[string]string{"d/s/z": "z", "d/s/t/u": "u", "d/x": "x"})
		tr := w.tree("acme/m")
		mv(t, tr, "d", "e")
		save(t, tr, "e/s/new", "new")
		view(t, tr)
		save(t, tr, "e/q", "q")
		if _, err := tr.Discard(ctx, path); err != nil {
			t.Fatal(err)
		}
		want := map[string]string{"d/s/z": "z", "d/s/t/u": "u", "d/x": "x", "e/s/new": "new", "e/q": "q"}
		if path != "d" {
			want = map[string]string{"e/s/z": "z", "e/s/t/u": "u", "e/x": "x", "e/s/new": "new"}
		}
		if d := cmp.Diff(want, files(view(t, tr))); d != "" {
			t.Error(d)
		}
		w.crash()
		w.open()
		tr = w.tree("acme/m")
		if d := cmp.Diff(want, files(view(t, tr))); d != "" {
			t.Error("after a crash:", d)
		}
		w.reopen()
		tr = w.tree("acme/m")
		if d := cmp.Diff(want, files(view(t, tr))); d != "" {
			t.Error("after a restart:", d)
		}
		commitAll(t, tr)
		if d := cmp.Diff(want, remoteFiles(r)); d != "" {
			t.Error(d)
		}
	}
}
