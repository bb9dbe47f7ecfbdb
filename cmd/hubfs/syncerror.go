package main

import (
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
	case "usage":
		return usage(text)
	}
	return coded(errCommit, text)
}

// explain adds to the error of a sync what became of the staged work and what
// to do next; retry is the command to try again with.
func explain(err error, retry string) error {
	if err == nil {
		return nil
	}
	switch exitCode(err) {
	case exitConflict:
		return fmt.Errorf("%w\nBoth versions are kept: yours is staged, the other is on the Hub.", err)
	case exitBusy:
		return fmt.Errorf("%w\nClose them and try again: %s", err, retry)
	case exitCommit:
		return fmt.Errorf("%w\nEverything is still staged; to try again: %s", err, retry)
	}
	return err
}
