package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hubfs/hubfs/commit"
	hubfs "github.com/hubfs/hubfs/fs"
)

// changes asks a control file of mnt that answers by ChangeEvents.
func changes(ctx context.Context, mnt, file string, request any, event func(hubfs.ChangeEvent)) error {
	ended := false
	var failed error
	err := ask(ctx, mnt, file, request, func(line []byte) error {
		var e hubfs.ChangeEvent
		if err := json.Unmarshal(line, &e); err != nil {
			return fmt.Errorf("answer of %s: %w", mnt, err)
		}
		switch e.Type {
		case "done":
			ended = true
		case "error":
			ended, failed = true, errors.New(e.Error)
		default:
			event(e)
		}
		return nil
	})
	if err == nil && !ended {
		err = fmt.Errorf("%s ended before it had answered", mnt)
	}
	return errors.Join(err, failed)
}

// A repoPath is a staged path with the repo that it is in.
type repoPath struct {
	Repo string `json:"repo"`
	commit.StagedPath
}

// A repoDelta is a change with the repo that it is in.
type repoDelta struct {
	Repo string `json:"repo"`
	commit.Delta
}
