package commit

import (
	"errors"
	"io/fs"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDiff(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	r.Commit("main", "start", map[string]string{
		"a": "one\ntwo\nthree\n", "same": "s", "gone": "g\n", "d/x": "x", "d/y": "y", "l.bin": pattern(2000), "b.bin": "\x00\x01", "old": "o",
	})
	tr := w.tree("acme/m")
	save(t, tr, "a", "one\n2\nthree\n")
	save(t, tr, "same", "s")
	rm(t, tr, "gone")
	mv(t, tr, "d", "e")
	mv(t, tr, "old", "e/old2")
	save(t, tr, "e/y", "yy")
	save(t, tr, "b.bin", "\x00\x02\x03")
	save(t, tr, "new", "n\n")
	mkdir(t, tr, "empty")
	mkdir(t, tr, ".git")
	save(t, tr, ".git/HEAD", "ref")
	got, err := tr.Diff(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	want := []Delta{
		{Path: ".git/HEAD", Op: "add", NewSize: 3, Reason: ".git is never committed"},
		{Path: "a", Op: "change", OldSize: 14, NewSize: 12, Text: "--- a/a\n+++ b/a\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n"},
		{Path: "b.bin", Op: "change", OldSize: 2, NewSize: 3, Binary: true},
		{Path: "d/y", Op: "delete", OldSize: 1, Text: "--- a/d/y\n+++ /dev/null\n@@ -1 +0,0 @@\n-y\n\\ No newline at end of file\n"},
		{Path: "e/old2", Op: "rename", From: "old", OldSize: 1, NewSize: 1},
		{Path: "e/x", Op: "rename", From: "d/x", OldSize: 1, NewSize: 1},
		{Path: "e/y", Op: "add", NewSize: 2, Text: "--- /dev/null\n+++ b/e/y\n@@ -0,0 +1 @@\n+yy\n\\ No newline at end of file\n"},
		{Path: "empty", Op: "mkdir", Reason: "Git has no empty directories"},
		{Path: "gone", Op: "delete", OldSize: 2, Text: "--- a/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-g\n"},
		{Path: "new", Op: "add", NewSize: 2, Text: "--- /dev/null\n+++ b/new\n@@ -0,0 +1 @@\n+n\n"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for path, n := range map[string]int{"e": 3, "a": 1, "l.bin": 0, "same": 0} {
		if got, err := tr.Diff(ctx, path); err != nil || len(got) != n {
			t.Errorf("%s: %v, %v", path, got, err)
		}
	}
	if _, err := tr.Diff(ctx, "missing"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestDrop(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	r.Commit("main", "start", map[string]string{"a": "a", "d/x": "x"})
	tr := w.tree("acme/m")
	f := save(t, tr, "a", "aa")
	g, err := f.Open(os.O_RDONLY)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	mv(t, tr, "d", "e")
	dir := tr.st.disk.path
	if err := tr.Drop(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	want := map[string]string{"a": "a", "d/x": "x"}
	if d := cmp.Diff(want, files(view(t, tr))); d != "" || tr.Dirty() {
		t.Error(d, tr.Status(ctx))
	}
	// It goes on as if nothing had ever been staged.
	save(t, tr, "b", "b")
	w.reopen()
	commitAll(t, w.tree("acme/m"))
	want["b"] = "b"
	if d := cmp.Diff(want, remoteFiles(r)); d != "" {
		t.Error(d)
	}
	repo := parse(t, "alice/new")
	n, err := w.store.Create(ctx, repo)
	if err != nil {
		t.Fatal(err)
	}
	save(t, n, "x", "x")
	if err := n.Drop(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.Worktree(ctx, repo); !errors.Is(err, fs.ErrNotExist) || len(w.store.Staged()) != 0 {
		t.Error(err, w.store.Staged())
	}
}

// Names change while a path that has nothing staged is looked for.
func TestDiffWhileNamesChange(t *testing.T) {
	w := newWorld(t)
	w.hub.Repo("acme/m").Commit("main", "start", start())
	tr := w.tree("acme/m")
	view(t, tr)
	mkdir(t, tr, "n")
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 200 {
			for _, p := range [][2]string{{"n", "o"}, {"o", "n"}} {
				if err := tr.Root().Rename(ctx, p[0], tr.Root(), p[1], 0); err != nil {
					t.Error(err)
				}
			}
		}
	}()
	for looking := true; looking; {
		if _, err := tr.Diff(ctx, "none"); !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		select {
		case <-done:
			looking = false
		default:
		}
	}
}
