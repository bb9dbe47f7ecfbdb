package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The recipe that is printed is what ends the conflict.
func TestConflictRecipe(t *testing.T) {
	w := mounted(t)
	w.set("TMPDIR=" + w.dir)
	w.write("me/new/dir/a b.txt", "first")
	w.must("sync", w.path("me/new"))
	w.write("me/new/dir/a b.txt", "mine")
	head := w.hub.Repo("me/new").Put("dir/a b.txt", "theirs")
	w.fails(exitConflict, "To go on:", "sync", w.path("me/new"))
	r := w.fails(exitConflict, "To go on:", "umount", w.mnt)
	if !contains(r.err, w.path("me/new@"+head, "dir/a b.txt")) {
		t.Fatal(r.err)
	}
	steps := 0
	for line := range strings.Lines(r.err) {
		script, ok := strings.CutPrefix(line, "  ")
		if !ok {
			continue
		}
		script, _, _ = strings.Cut(script, " (or ")
		if args, ok := strings.CutPrefix(script, "hubfs sync "); ok {
			w.must("sync", strings.TrimSpace(args))
		} else if out, err := exec.Command("sh", "-c", script).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", script, err, out)
		}
		steps++
	}
	if got := w.read("me/new/dir/a b.txt"); got != "theirs" || steps != 3 {
		t.Errorf("after %d steps the file is %q", steps, got)
	}
	if b, err := os.ReadFile(w.dir + "/a b.txt.mine"); err != nil || string(b) != "mine" {
		t.Errorf("put aside: %q, %v", b, err)
	}
	w.write("me/new/dir/a b.txt", "mine")
	w.must("umount", w.mnt)
	if got := string(w.hub.Repo("me/new").Read("main", "dir/a b.txt")); got != "mine" {
		t.Errorf("the Hub has %q", got)
	}
}

// Others have deleted what was changed here: so does the recipe.
func TestConflictWithADeletion(t *testing.T) {
	w := mounted(t)
	w.write("me/new/a.txt", "first")
	w.write("me/new/b.txt", "first")
	w.must("sync", w.path("me/new"))
	w.write("me/new/a.txt", "mine")
	w.write("me/new/b.txt", "mine")
	w.hub.Repo("me/new").Commit("main", "Delete", nil, "a.txt", "b.txt")
	w.fails(exitConflict, "for each of these files as here for a.txt", "sync", w.path("me/new"))
	for _, name := range []string{"a.txt", "b.txt"} {
		if err := os.Remove(w.path("me/new", name)); err != nil {
			t.Fatal(err)
		}
	}
	w.must("sync", w.path("me/new"))
	w.write("me/new/a.txt", "mine")
	w.must("sync", w.path("me/new"))
}

// What is held names the repo to look at, each its own.
func TestHeldNamesTheRepo(t *testing.T) {
	w := mounted(t)
	for _, repo := range []string{"me/five", "datasets/me/six"} {
		files := map[string]string{}
		for _, name := range strings.Split("abcdefghijklmnopqrstuvwxyz", "") {
			for _, n := range []string{"1", "2", "3", "4", "5"} {
				files[name+n] = name
			}
		}
		w.hub.Repo(repo).Commit("main", "Add files", files)
		for name := range files {
			if err := os.Remove(w.path(repo, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	r := w.fails(exitCommit, "If that is meant", "umount", w.mnt)
	if !contains(r.err, "hubfs sync "+w.path("me/five")+"\n", "hubfs sync "+w.path("datasets/me/six")+"\n") {
		t.Error(r.err)
	}
	w.must("sync", w.path("me/five"))
	w.must("umount", "--force", w.mnt)
}
