package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	hubfs "github.com/hubfs/hubfs/fs"
)

// syncError is the error of an event of mnt that says why something was not
// committed, and where that depends on the repo, what to do next; asked are the
// options of the command.
func syncError(mnt string, e hubfs.SyncEvent, asked hubfs.CommitOptions) error {
	text := strings.TrimPrefix(e.Error, "commit ") // REPO: …
	if e.Repo != "" && !strings.Contains(text, e.Repo) {
		text = e.Repo + ": " + text
	}
	switch e.Code {
	case "conflict":
		return coded(errConflict, text+"\n"+conflictText(mnt, e, asked))
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
