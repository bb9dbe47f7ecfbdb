package main

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	hubfs "github.com/hubfs/hubfs/fs"
)

// syncError is the error of an event of mnt that says why something was not
// committed, and where that depends on the repo, what to do next.
func syncError(mnt string, e hubfs.SyncEvent) error {
	text := e.Error
	if e.Repo != "" && !strings.Contains(text, e.Repo) {
		text = e.Repo + ": " + text
	}
	switch e.Code {
	case "conflict":
		return coded(errConflict, text+"\n"+conflictHint(mnt, e))
	case "busy":
		return coded(errBusy, text)
	case "held":
		return coded(errHeld, text+"\nIf that is meant: hubfs sync "+quote(filepath.Join(mnt, e.Place)))
	case "usage":
		return usage(text)
	}
	if e.Repo == "" {
		return errors.New(text) // it did not come to a commit
	}
	return coded(errCommit, text)
}

// conflictHint says how to go on after a conflict: a file that is what the Hub
// has is no change any more, and then the own version is one to the newer commit.
func conflictHint(mnt string, e hubfs.SyncEvent) string {
	const kept = "Both versions are kept: yours stays staged, the other one is on the Hub."
	if len(e.Paths) == 0 || e.Head == "" {
		return kept
	}
	root := filepath.Join(mnt, e.Place)
	place, _, _ := strings.Cut(e.Place, "@")
	theirs := filepath.Join(mnt, place+"@"+e.Head, e.Paths[0])
	mine := filepath.Join(root, strings.TrimPrefix(e.Paths[0], strings.TrimSuffix(e.Subdir, "/")+"/"))
	aside := filepath.Join(os.TempDir(), path.Base(e.Paths[0])+".mine")
	var b strings.Builder
	b.WriteString(kept + " To go on")
	if len(e.Paths) > 1 {
		b.WriteString(", for each of these files as here for " + shown(e.Paths[0]))
	}
	b.WriteString(":\n")
	step := func(what string, words ...string) {
		fmt.Fprintf(&b, "  %s\n", strings.Join(append([]string{what}, words...), " "))
	}
	step("cp", typed(mine), typed(aside))
	if e.Place == "" { // nothing but the repo is in the mount
		repo, _, _ := strings.Cut(e.Repo, "@")
		other := filepath.Join(os.TempDir(), "theirs")
		step("mkdir", typed(other), "&& hubfs mount", typed(repo+"@"+e.Head), typed(other))
		theirs = filepath.Join(other, e.Paths[0])
	}
	step("cp", typed(theirs), typed(mine), "(or rm, where the Hub has no such file)")
	step("hubfs sync", typed(root))
	b.WriteString("Then write to " + typed(mine) + " what it shall be, and sync again.")
	return b.String()
}

// typed is s as it can be typed into a shell, if it can.
func typed(s string) string {
	if safe := shown(s); safe != s {
		return safe
	}
	return quote(s)
}

// explain adds to the error of a sync what became of the staged work and what
// to do next, where that is the same for all repos; retry is the command to try
// again with.
func explain(err error, retry string) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, errBusy) {
		err = fmt.Errorf("%w\nClose them and try again: %s", err, retry)
	}
	if errors.Is(err, errCommit) {
		err = fmt.Errorf("%w\nEverything not committed is still staged; to try again: %s", err, retry)
	}
	return err
}
