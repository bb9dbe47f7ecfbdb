package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/hubfs/hubfs/commit"
	hubfs "github.com/hubfs/hubfs/fs"
)

// controlDir holds the files of a mount that it is controlled by. It is at the
// root, and no listing shows it.
const controlDir = ".hubfs"

// readStatus asks the daemon of mnt for its status.
func readStatus(ctx context.Context, mnt string) (st hubfs.Status, err error) {
	var b []byte
	if err = health(ctx, mnt); err == nil {
		read := make(chan []byte, 1)
		err = bounded(ctx, func() error {
			b, err := os.ReadFile(filepath.Join(mnt, controlDir, "status"))
			read <- b
			return err
		})
		if err == nil {
			b = <-read
		}
	}
	if err != nil {
		return st, controlError(mnt, err)
	}
	if err := json.Unmarshal(b, &st); err != nil {
		return st, fmt.Errorf("status of %s: %w", mnt, err)
	}
	return st, nil
}

// controlError says what a control file that cannot be used means.
func controlError(mnt string, err error) error {
	switch {
	case isDead(err):
		return fmt.Errorf("the daemon of %s has ended: hubfs umount %s cleans up, staged work is kept", mnt, quote(mnt))
	case errors.Is(err, errHangs):
		return fmt.Errorf("%s does not answer: hubfs umount --force %s ends it, staged work is kept", mnt, quote(mnt))
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%s is no hubfs mount%s", mnt, mountList())
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%s belongs to another user: %w", mnt, err)
	}
	return fmt.Errorf("control %s: %w", mnt, err)
}

// ask sends one request to a control file of mnt and gives each line of the
// answer to line until it ends. The context ends the waiting, not what the
// daemon does.
func ask(ctx context.Context, mnt, file string, request any, line func([]byte) error) error {
	b, err := json.Marshal(request)
	if err != nil {
		return err
	}
	if err := health(ctx, mnt); err != nil {
		return controlError(mnt, err)
	}
	daemon := findDaemon(mnt)
	if daemon != nil {
		defer daemon.Close()
	}
	watch := time.NewTicker(time.Second)
	defer watch.Stop()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lines := make(chan []byte)
	done := make(chan error, 1)
	go func() {
		done <- exchange(ctx, filepath.Join(mnt, controlDir, file), append(b, '\n'), lines)
	}()
	var bad error
	for {
		select {
		case l := <-lines:
			// Read on after an error: the file must be closed when this
			// returns, or it keeps the mount busy.
			if bad == nil {
				bad = line(l)
			}
		case err := <-done:
			if err != nil {
				err = controlError(mnt, err)
			}
			return errors.Join(bad, err)
		case <-watch.C:
			if daemon != nil && daemon.dying() {
				abortMount(mnt) // it cannot answer any more
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// exchange does the waiting of ask, which no context can interrupt.
func exchange(ctx context.Context, path string, request []byte, lines chan<- []byte) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(request); err != nil {
		return err
	}
	for r := bufio.NewReader(f); ; {
		l, err := r.ReadBytes('\n')
		if len(l) > 0 {
			select {
			case lines <- l:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// A repoResult is what came of a sync for one repo.
type repoResult struct {
	Repo string `json:"repo"`
	commit.Result
}

// A repoFailure is why a repo was not committed.
type repoFailure struct {
	Repo  string        `json:"repo,omitempty"`
	Code  string        `json:"code"` // "conflict", "busy", "held", "failed" or "usage"
	Error string        `json:"error"`
	Paths []string      `json:"paths,omitempty"` // of a conflict
	Head  string        `json:"head,omitempty"`  // of a conflict: the commit that the branch is at
	Sides []commit.Side `json:"sides,omitempty"` // of a conflict
}

func failureOf(e hubfs.SyncEvent) repoFailure {
	return repoFailure{e.Repo, e.Code, e.Error, e.Paths, e.Head, e.Sides}
}

// synced is what came of a sync.
type synced struct {
	Results  []repoResult  `json:"results"`
	Failures []repoFailure `json:"failures"`
}

// requestSync asks mnt to commit, shows the progress, and returns what was
// committed, repo by repo. Its errors carry their exit code.
func requestSync(ctx context.Context, mnt string, req hubfs.SyncRequest, show *progress) (got synced, err error) {
	got = synced{Results: []repoResult{}, Failures: []repoFailure{}}
	var errs []error
	ended := false
	err = ask(ctx, mnt, "sync", req, func(line []byte) error {
		var e hubfs.SyncEvent
		if err := json.Unmarshal(line, &e); err != nil {
			return fmt.Errorf("answer of %s: %w", mnt, err)
		}
		switch e.Type {
		case "progress":
			show.event(e.Repo, e.Event)
		case "result":
			got.Results = append(got.Results, repoResult{e.Repo, e.Result})
		case "error":
			ended = true
			errs = append(errs, syncError(mnt, e, req.CommitOptions))
			got.Failures = append(got.Failures, failureOf(e))
		case "done":
			ended = true
		}
		return nil
	})
	if err == nil && !ended {
		err = fmt.Errorf("%s ended in the middle of the commit; what was not committed is still staged", mnt)
	}
	return got, errors.Join(append(errs, err)...)
}
