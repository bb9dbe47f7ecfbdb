package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/hubfs/hubfs/commit"
	hubfs "github.com/hubfs/hubfs/fs"
	"github.com/urfave/cli/v2"
)

func statusCmd() *cli.Command {
	return &cli.Command{
		Name:      "status",
		Usage:     "show what is mounted and what is staged",
		ArgsUsage: "[PATH...]",
		Description: `Shows for each mount, or those that the paths are in: what is staged per repo and
branch, which files are busy or in conflict, the last error, the log file, and the
use of the cache.

` + exitHelp,
		Flags: jsonFlag(),
		Action: run(func(ctx context.Context, c *cli.Context) error {
			return status(ctx, statusOptions{output: outputOf(c), Paths: c.Args().Slice()}, c.App.Writer)
		}),
	}
}

type statusOptions struct {
	output
	Paths []string // none are all mounts
}

// A statusReport is what "hubfs status --json" prints.
type statusReport struct {
	outcome
	Mounts []mountStatus `json:"mounts"`
}

// A mountStatus is what the daemon of a mount says, or why it says nothing.
type mountStatus struct {
	hubfs.Status
	Failed string `json:"failed,omitempty"`
}

// status prints the state of mounts. It fails if one of them cannot tell.
func status(ctx context.Context, o statusOptions, out io.Writer) error {
	mounts, err := mountsOf(o.Paths)
	if err != nil {
		return o.failed(out, err)
	}
	report := statusReport{Mounts: make([]mountStatus, len(mounts))}
	errs := atOnce(mounts, func(i int, mnt string) (err error) {
		report.Mounts[i].Status, err = readStatus(ctx, mnt)
		return err
	})
	var failed error
	for i, err := range errs {
		if err == nil {
			continue
		}
		if len(o.Paths) > 0 || !errors.Is(err, os.ErrPermission) {
			failed = coded(nil, err.Error()) // another user's mount is none of ours
		}
		report.Mounts[i].Mountpoint, report.Mounts[i].Failed = mounts[i], err.Error()
	}
	if o.JSON {
		report.outcome = outcomeOf(failed)
		if err := printJSON(out, report); err != nil {
			return err
		}
		return quietly(failed)
	}
	if len(mounts) == 0 {
		fmt.Fprintln(out, "nothing is mounted")
	}
	for i, m := range report.Mounts {
		if i > 0 {
			fmt.Fprintln(out)
		}
		printStatus(out, m)
	}
	return quietly(failed)
}

// atOnce asks all mounts at the same time: each that hangs takes its time.
func atOnce(mounts []string, ask func(i int, mnt string) error) []error {
	errs := make([]error, len(mounts))
	var all sync.WaitGroup
	for i, mnt := range mounts {
		all.Go(func() { errs[i] = ask(i, mnt) })
	}
	all.Wait()
	return errs
}

// quietly is for an error that has been printed.
func quietly(err error) error {
	if err == nil {
		return nil
	}
	return errQuiet
}

// mountsOf are the mounts that paths are in, each once, or all.
func mountsOf(paths []string) ([]string, error) {
	if len(paths) == 0 {
		return hubfsMounts()
	}
	var out []string
	seen := map[string]bool{}
	for _, p := range paths {
		mnt, _, err := findMount(p)
		if err != nil {
			return nil, err
		}
		if !seen[mnt] {
			seen[mnt] = true
			out = append(out, mnt)
		}
	}
	return out, nil
}

func repoBranch(w commit.Status) string {
	if w.Branch == "" {
		return w.Repo
	}
	return w.Repo + "@" + w.Branch
}
