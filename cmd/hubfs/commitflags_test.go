package main

import (
	"os"
	"strings"
	"testing"
	"time"
)

// What a mount is told holds for the commits of its end and of a sync that says
// nothing else.
func TestMountsOwnOptions(t *testing.T) {
	w := mounted(t, "-m", "Nightly", "--description", "By the robot", "--ignore", "*.tmp")
	w.write("me/new/a.txt", "1")
	w.write("me/new/b.tmp", "2")
	r := w.must("sync", w.path("me/new"))
	log := w.hub.Repo("me/new").Log("")
	if log[0].Title != "Nightly" || !contains(r.out, "1 path is left staged") {
		t.Errorf("%+v\n%s", log, r.out)
	}
	w.write("me/new/c.txt", "3")
	w.must("sync", w.path("me/new"), "-m", "Mine", "--ignore", "none")
	if log := w.hub.Repo("me/new").Log(""); log[0].Title != "Mine" {
		t.Errorf("%+v", log)
	}
	if _, ok := w.hub.Repo("me/new").Files("")["b.tmp"]; !ok {
		t.Error("the sync's own patterns do not hold")
	}
	w.write("me/new/d.txt", "4")
	w.must("umount", w.mnt)
	if log := w.hub.Repo("me/new").Log(""); log[0].Title != "Nightly" {
		t.Errorf("%+v", log)
	}
}

func TestSyncToABranch(t *testing.T) {
	w := mounted(t)
	w.write("me/new/a.txt", "1")
	w.must("sync", w.path("me/new"))
	w.write("me/new/a.txt", "2")
	r := w.must("sync", w.path("me/new"), "--branch", "trial", "-m", "Try")
	if got := string(w.hub.Repo("me/new").Read("trial", "a.txt")); got != "2" || !contains(r.out, "on branch trial") {
		t.Errorf("%q\n%s", got, r.out)
	}
	if got := w.read("me/new/a.txt"); got != "1" {
		t.Errorf("the branch that was left alone shows %q", got)
	}
	if got := w.read("me/new@trial/a.txt"); got != "2" {
		t.Errorf("the other branch shows %q", got)
	}
}

// A repo of others can be written to where commits become pull requests.
func TestMountForPullRequests(t *testing.T) {
	needFuse(t)
	w := newWorld(t)
	w.must("mount", w.mnt)
	if err := os.WriteFile(w.path("acme/model/config.json"), []byte("{1}"), 0o644); err == nil {
		t.Error("another's repo was written to")
	}
	w.must("umount", w.mnt)
	w.must("mount", "--create-pr", w.mnt)
	w.write("acme/model/config.json", "{1}")
	r := w.must("umount", w.mnt)
	if !contains(r.out, "/acme/model/discussions/1") {
		t.Error(r.out)
	}
	if got := string(w.hub.Repo("acme/model").Read("refs/pr/1", "config.json")); got != "{1}" {
		t.Errorf("the pull request has %q", got)
	}
	if got := string(w.hub.Repo("acme/model").Read("main", "config.json")); got != "{}" {
		t.Errorf("the branch has %q", got)
	}
}

// Idle work is committed while the mount goes on.
func TestCommitEvery(t *testing.T) {
	w := mounted(t, "--commit-every", "1s")
	w.write("me/new/a.txt", "1")
	if out := w.must("status", w.mnt).out; !contains(out, "what is left alone for 1s") {
		t.Error(out)
	}
	for deadline := time.Now().Add(commandTime); !w.hub.Has("me/new") || len(w.hub.Repo("me/new").Files("")) < 2; {
		if time.Now().After(deadline) {
			t.Fatal("not committed")
		}
		time.Sleep(20 * time.Millisecond)
	}
	w.must("umount", "--force", w.mnt)
}

func TestCommitFlagsThatExclude(t *testing.T) {
	w := newWorld(t)
	w.fails(exitUsage, "give one of them", "mount", "--create-pr", "--branch", "x", w.mnt)
	w.fails(exitUsage, "exclude each other", "mount", "--commit-every", "5m", "--no-commit", w.mnt)
	w.fails(exitUsage, "a second or more", "mount", "--commit-every", "10ms", w.mnt)
}

// Every flag of a mount has an environment variable, and its help says so.
func TestFlagsHaveVariables(t *testing.T) {
	w := newWorld(t)
	help := w.must("mount", "--help").out
	flags := 0
	for line := range strings.Lines(help) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "--") && !strings.HasPrefix(line, "--help") {
			if flags++; !strings.Contains(line, "[$") {
				t.Errorf("no variable: %s", line)
			}
		}
	}
	if flags < 20 {
		t.Errorf("%d flags in %q", flags, help)
	}
	for _, name := range []string{
		"MESSAGE", "DESCRIPTION", "PRIVATE", "CREATE_PR", "BRANCH", "ALLOW_PATTERNS", "IGNORE_PATTERNS", "FORCE", "SPLIT",
		"MODEL_CARD", "WAIT", "COMMIT_EVERY", "NO_COMMIT",
	} {
		if !strings.Contains(help, "HUBFS_"+name) {
			t.Errorf("HUBFS_%s is not in the help", name)
		}
	}
	top := w.must("--help").out
	for _, line := range strings.Split(exitHelp, "\n") {
		if !strings.Contains(top, strings.TrimSpace(line)) {
			t.Errorf("hubfs --help lacks %q", line)
		}
	}
}
