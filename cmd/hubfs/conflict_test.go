package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	hubfs "github.com/hubfs/hubfs/fs"
)

// conflicted is a mount where me/new has a conflict in a path, with the error
// text of a sync that met it.
func conflicted(t *testing.T, name string) (w *world, text string) {
	t.Helper()
	w = mounted(t)
	w.write("me/new/"+name, "first")
	w.must("sync", w.path("me/new"))
	w.write("me/new/"+name, "mine")
	w.hub.Repo("me/new").Put(name, "theirs!")
	r := w.fails(exitConflict, "The ways on:", "sync", w.path("me/new"))
	if !contains(r.err, "changed (4 B) here, changed (7 B) on the Hub") {
		t.Error(r.err)
	}
	return w, r.err
}

// follow runs the printed command that begins with some words, as it is printed.
func (w *world) follow(text, words string) {
	w.t.Helper()
	for line := range strings.Lines(text) {
		script, _, _ := strings.Cut(strings.TrimSpace(line), "  #")
		if args, ok := strings.CutPrefix(script, words); ok {
			out, err := exec.Command("bash", "-c", "printf '%s\\n' "+args).Output()
			if err != nil {
				w.t.Fatal(err)
			}
			typed := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
			w.must(append(strings.Fields(words)[1:], typed...)...)
			return
		}
	}
	w.t.Fatalf("no %q in:\n%s", words, text)
}

// Each of the printed ways on ends the conflict as it says.
func TestConflictWays(t *testing.T) {
	const name = "dir/a 'b'.txt"
	t.Run("ours", func(t *testing.T) {
		w, text := conflicted(t, name)
		w.follow(text, "hubfs sync --force")
		if got := string(w.hub.Repo("me/new").Read("main", name)); got != "mine" {
			t.Errorf("the Hub has %q", got)
		}
	})
	t.Run("theirs", func(t *testing.T) {
		w, text := conflicted(t, name)
		w.follow(text, "hubfs discard")
		if got := w.read("me/new/" + name); got != "theirs!" {
			t.Errorf("the file is %q", got)
		}
		w.must("umount", w.mnt)
		if got := string(w.hub.Repo("me/new").Read("main", name)); got != "theirs!" {
			t.Errorf("the Hub has %q", got)
		}
	})
	t.Run("both", func(t *testing.T) {
		w, text := conflicted(t, name)
		w.follow(text, "hubfs sync --create-pr")
		if got := string(w.hub.Repo("me/new").Read("refs/pr/1", name)); got != "mine" {
			t.Errorf("the pull request has %q", got)
		}
		if got := string(w.hub.Repo("me/new").Read("main", name)); got != "theirs!" {
			t.Errorf("the branch has %q", got)
		}
		w.must("umount", w.mnt)
	})
}

// In a mount of one repo, or of a folder of it, the commands have the paths of
// that mount; names of others cannot make a terminal do anything.
func TestConflictPlaces(t *testing.T) {
	e := hubfs.SyncEvent{Repo: "me/m", Paths: []string{"sub/a\x1b[31m'.txt"}, Subdir: "sub", Head: "abc"}
	text := conflictText("/mnt", e, hubfs.CommitOptions{})
	if !contains(text, `hubfs discard $'/mnt/a\x1b[31m\'.txt'`, "hubfs sync --force /mnt ") || strings.Contains(text, "\x1b") {
		t.Error(text)
	}
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
