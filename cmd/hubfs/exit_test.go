package main

import (
	"context"
	"errors"
	"fmt"
	"testing"

	hubfs "github.com/hubfs/hubfs/fs"
)

func TestExitCodes(t *testing.T) {
	event := func(code string) error {
		return syncError("/mnt", hubfs.SyncEvent{Repo: "me/a", Code: code, Error: "why"}, hubfs.CommitOptions{})
	}
	for _, c := range []struct {
		err  error
		code int
	}{
		{nil, 0},
		{errors.New("x"), exitFailed},
		{context.Canceled, exitFailed},
		{usage("x"), exitUsage},
		{event("failed"), exitCommit},
		{syncError("/mnt", hubfs.SyncEvent{Code: "failed", Error: "no such repo"}, hubfs.CommitOptions{}), exitFailed},
		{event("held"), exitCommit},
		{event("conflict"), exitConflict},
		{event("busy"), exitBusy},
		{event("usage"), exitUsage},
		{event("of a later version"), exitCommit},
		{errors.Join(event("failed"), event("conflict")), exitConflict},
		{errors.Join(event("busy"), event("failed")), exitBusy},
	} {
		for _, err := range []error{c.err, explain(c.err, "again")} {
			if got := exitCode(err); got != c.code {
				t.Errorf("%v: exit %d, want %d", err, got, c.code)
			}
			// As it comes back from another process.
			if again := coded(kindOf(c.code), "text"); c.code != 0 && exitCode(again) != c.code {
				t.Errorf("%d comes back as %d", c.code, exitCode(again))
			}
		}
	}
}

func TestMessages(t *testing.T) {
	for want, err := range map[string]error{
		"":            errQuiet,
		"interrupted": fmt.Errorf("x: %w", context.Canceled),
		"me/a: why":   syncError("/mnt", hubfs.SyncEvent{Repo: "me/a", Error: "why"}, hubfs.CommitOptions{}),
		"me/b: why":   syncError("/mnt", hubfs.SyncEvent{Repo: "me/b", Error: "commit me/b: why"}, hubfs.CommitOptions{}),
		"x\nClose them and try again: hubfs sync /mnt":          explain(coded(errBusy, "x"), "hubfs sync /mnt"),
		"me/a: x\nIf that is meant: hubfs sync '/a b/me/a@dev'": explain(syncError("/a b", hubfs.SyncEvent{Repo: "me/a", Place: "me/a@dev", Code: "held", Error: "x"}, hubfs.CommitOptions{}), "again"),
	} {
		if got := message(err); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
