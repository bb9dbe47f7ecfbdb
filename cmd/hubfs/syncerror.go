package main

import (
	"errors"
	"fmt"
	"strings"

	hubfs "github.com/hubfs/hubfs/fs"
)

// syncError is the error of an event that says why something was not
// committed.
func syncError(e hubfs.SyncEvent) error {
	text := e.Error
	if e.Repo != "" && !strings.Contains(text, e.Repo) {
		text = e.Repo + ": " + text
	}
	switch e.Code {
	case "conflict":
		return coded(errConflict, text)
	case "busy":
		return coded(errBusy, text)
	case "held":
		return coded(errHeld, text)
	case "usage":
		return usage(text)
	}
	if e.Repo == "" {
		return errors.New(text) // it did not come to a commit
	}
	return coded(errCommit, text)
}

// explain adds to the error of a sync what became of the staged work and what
// to do next; path is what was to be committed and retry the command to try
// again with.
func explain(err error, path, retry string) error {
	if err == nil {
		return nil
	}
	var then string
	switch {
	case errors.Is(err, errHeld):
		then = "If that is meant: hubfs sync " + quote(path)
	case exitCode(err) == exitConflict:
		then = "Both versions are kept: yours stays staged, the other one is on the Hub"
	case exitCode(err) == exitBusy:
		then = "Close them and try again: " + retry
	case exitCode(err) == exitCommit:
		then = "Everything not committed is still staged; to try again: " + retry
	default:
		return err
	}
	return fmt.Errorf("%w\n%s", err, then)
}
