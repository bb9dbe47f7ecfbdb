package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/dustin/go-humanize"
	"github.com/hubfs/hubfs/remote"
)

// A pathReport is what "hubfs info REPO/PATH --json" prints.
type pathReport struct {
	outcome
	Path     string `json:"path"` // in the repo
	Kind     string `json:"kind"` // "file" or "dir"
	Repo     string `json:"repo"`
	Revision string `json:"revision"`
	Commit   string `json:"commit"`
	Blob     string `json:"blob,omitempty"`
	Size     int64  `json:"size"` // bytes
}

// hubPathInfo asks the Hub about a path in a repo.
func hubPathInfo(ctx context.Context, client *remote.Client, repo remote.Repo, path, from string, o infoOptions, out io.Writer) error {
	snap, err := client.Snapshot(ctx, repo)
	switch {
	case errors.Is(err, remote.ErrBadToken):
		return badToken(client.Endpoint(), from)
	case err != nil:
		return fmt.Errorf("%s: %w", repo, err)
	}
	e, err := snap.Stat(ctx, path)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s has no %s at %s", repo, shown(path), short(snap.Commit()))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", repo, err)
	}
	rep := pathReport{Path: e.Path, Kind: "file", Repo: snap.Repo().Path(), Revision: repo.Branch(), Commit: snap.Commit(), Blob: e.Blob.ID, Size: e.Size}
	if e.Dir {
		rep.Kind = "dir"
	}
	if o.JSON {
		return printJSON(out, rep)
	}
	line := func(what, value string) {
		if value != "" {
			fmt.Fprintf(out, "%-12s %s\n", what, value)
		}
	}
	line("path", shown(rep.Path))
	line("kind", rep.Kind)
	line("repo", rep.Repo)
	line("revision", rep.Revision)
	line("commit", rep.Commit)
	line("blob", rep.Blob)
	if !e.Dir {
		line("size", fmt.Sprintf("%s (%s bytes)", sized(rep.Size), humanize.Comma(rep.Size)))
	}
	return nil
}
