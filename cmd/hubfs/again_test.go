package main

import (
	"net/http"
	"os"
	"strings"
	"testing"

	hubfs "github.com/hubfs/hubfs/fs"
)

func TestAgain(t *testing.T) {
	no := false
	for want, o := range map[string]hubfs.CommitOptions{
		"": {Message: "First", Description: "More", Wait: "5s"},
		"--force --create-pr --allow '*.txt' --allow 'a b' --ignore x --private=false --split --model-card ": {
			Force: true, CreatePR: true, Allow: []string{"*.txt", "a b"}, Ignore: []string{"x"}, Private: &no, Split: true, ModelCard: true},
		"--branch dev ": {Branch: "dev"},
	} {
		if got := again(o); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// A command that is offered after a failure goes where the one that failed
// would have gone: neither to the branch instead of a pull request, nor to a
// public repo instead of a private one.
func TestOfferedCommandKeepsItsFlags(t *testing.T) {
	w := mounted(t)
	const bad = "---\nlicense: [a\n---\n"
	w.write("me/new/README.md", bad)
	text := w.fails(exitCommit, "to try again: hubfs sync --private ", "sync", "--private", w.path("me/new")).err
	w.write("me/new/README.md", "# New\n")
	_, line, _ := strings.Cut(text, "to try again: ")
	w.follow(line, "hubfs sync")
	if r, err := http.Get(w.hub.URL() + "/api/models/me/new"); err != nil || r.Body.Close() != nil || r.StatusCode == http.StatusOK {
		t.Error("the repo is public", err)
	}

	w.write("me/new/README.md", bad)
	text = w.fails(exitCommit, "to try again: hubfs sync --create-pr ", "sync", "--create-pr", w.path("me/new")).err
	before := w.hub.Repo("me/new").Log("")
	w.write("me/new/README.md", "# Newer\n")
	_, line, _ = strings.Cut(text, "to try again: ")
	w.follow(line, "hubfs sync")
	if after := w.hub.Repo("me/new").Log(""); len(after) != len(before) {
		t.Error("the branch was moved")
	}
	if got := string(w.hub.Repo("me/new").Read("refs/pr/1", "README.md")); got != "# Newer\n" {
		t.Errorf("the pull request has %q", got)
	}
}

// In a conflict on another branch the ways on are about that branch, with the
// patterns of the command.
func TestConflictOnABranch(t *testing.T) {
	w := mounted(t)
	w.write("me/new/a.txt", "first")
	w.must("sync", w.path("me/new"))
	w.write("me/new/a.txt", "mine")
	w.write("me/new/b.tmp", "stays")
	w.hub.Repo("me/new").Branch("dev", "main")
	w.hub.Repo("me/new").Commit("dev", "Theirs", map[string]string{"a.txt": "theirs"})
	r := w.fails(exitConflict, "The ways on:", "sync", "--branch", "dev", "--ignore", "*.tmp", w.path("me/new"))
	if !contains(r.err, "hubfs discard "+w.path("me/new/a.txt"), "# drops yours") {
		t.Error(r.err)
	}
	w.follow(r.err, "hubfs sync --force")
	repo := w.hub.Repo("me/new")
	if ours, main := string(repo.Read("dev", "a.txt")), string(repo.Read("", "a.txt")); ours != "mine" || main != "first" {
		t.Errorf("dev has %q, main %q", ours, main)
	}
	if _, ok := repo.Files("dev")["b.tmp"]; ok {
		t.Error("what was to stay staged was committed")
	}
}

// The same where the branch is the mount's own.
func TestConflictOnTheMountsBranch(t *testing.T) {
	w := newWorld(t)
	needFuse(t)
	w.must("mount", "--branch", "dev", w.mnt)
	w.hub.Repo("me/m").Commit("main", "First", map[string]string{"a.txt": "first"})
	w.hub.Repo("me/m").Branch("dev", "main")
	w.hub.Repo("me/m").Commit("dev", "Theirs", map[string]string{"a.txt": "theirs"})
	w.write("me/m/a.txt", "mine")
	r := w.fails(exitConflict, "The ways on:", "sync", w.path("me/m"))
	if !contains(r.err, "hubfs discard "+w.path("me/m/a.txt"), "# drops yours") {
		t.Error(r.err)
	}
	w.follow(r.err, "hubfs sync --force")
	repo := w.hub.Repo("me/m")
	if ours, main := string(repo.Read("dev", "a.txt")), string(repo.Read("", "a.txt")); ours != "mine" || main != "first" {
		t.Errorf("dev has %q, main %q", ours, main)
	}
}

// What cannot be the name of a branch is wrong usage: to try it again is no use.
func TestNoBranch(t *testing.T) {
	w := mounted(t)
	w.write("me/new/a.txt", "1")
	for _, name := range []string{"a b", "../x", "0123456789012345678901234567890123456789", "a\nb"} {
		if r := w.fails(exitUsage, "no branch can have the name", "sync", "--branch="+name, w.path("me/new")); contains(r.err, "try again") {
			t.Error(r.err)
		}
	}
}

// Who interrupts a sync is told that its commit may come all the same, and the
// command that is offered finds it.
func TestInterruptedSync(t *testing.T) {
	w := mounted(t)
	w.write("me/new/a.txt", "1")
	w.must("sync", w.path("me/new"))
	w.write("me/new/a.txt", "2")
	arrived, release := w.hold("/commit/")
	cmd := w.command("sync", w.path("me/new"))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-arrived
	cmd.Process.Signal(os.Interrupt)
	cmd.Wait()
	release()
	if code := cmd.ProcessState.ExitCode(); code != exitFailed || !contains(stderr.String(), "interrupted: the commit may have been made all the same", "to go on: hubfs sync ") {
		t.Errorf("exit %d: %s", code, &stderr)
	}
	_, line, _ := strings.Cut(stderr.String(), "to go on: ")
	w.follow(line, "hubfs sync")
	if log := w.hub.Repo("me/new").Log(""); len(log) != 3 || string(w.hub.Repo("me/new").Read("", "a.txt")) != "2" {
		t.Errorf("%+v", log)
	}
}

// A repo that was new here and that somebody else has made meanwhile is theirs
// once ours is dropped, also in the mounts that follow.
func TestDiscardInARepoThatOthersMade(t *testing.T) {
	w := mounted(t)
	w.write("me/new/a.txt", "mine")
	w.write("me/new/b.txt", "mine too")
	w.hub.Repo("me/new").Commit("main", "Theirs", map[string]string{"a.txt": "theirs", "c.txt": "more"})
	r := w.fails(exitConflict, "The ways on:", "sync", w.path("me/new"))
	w.follow(r.err, "hubfs discard")
	for range 2 {
		if a, b, c := w.read("me/new/a.txt"), w.read("me/new/b.txt"), w.read("me/new/c.txt"); a != "theirs" || b != "mine too" || c != "more" {
			t.Errorf("%q, %q, %q", a, b, c)
		}
		if out := w.must("status", w.mnt).out; contains(out, "created by its first commit") || contains(out, "in conflict") {
			t.Error(out)
		}
		w.must("umount", "--force", w.mnt)
		w.must("mount", w.mnt)
	}
	w.must("sync", w.path("me/new"))
	if repo := w.hub.Repo("me/new"); string(repo.Read("", "a.txt")) != "theirs" || string(repo.Read("", "b.txt")) != "mine too" {
		t.Error("the commit is another")
	}
}
