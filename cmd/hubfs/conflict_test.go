package main

import (
	"os"
	"strings"
	"testing"

	hubfs "github.com/hubfs/hubfs/fs"
)

// In a mount of one repo, or of a folder of it, the commands have the paths of
// that mount; names of others cannot make a terminal do anything.
func TestConflictPlaces(t *testing.T) {
	e := hubfs.SyncEvent{Repo: "me/m", Paths: []string{"sub/a\x1b[31m'.txt"}, Subdir: "sub", Head: "abc"}
	text := conflictText("/mnt", e)
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
