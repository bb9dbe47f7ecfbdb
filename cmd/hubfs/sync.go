package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	hubfs "github.com/hubfs/hubfs/fs"
	"github.com/urfave/cli/v2"
)

func syncCmd() *cli.Command {
	return &cli.Command{
		Name:      "sync",
		Usage:     "make one commit of what is staged in a repo",
		ArgsUsage: "PATH",
		Description: `PATH is anything in a mounted repo; everything staged in that repo becomes one
commit, and its id and address are printed. A repo that does not exist yet is
created. Nothing is committed twice, and nothing at all if nothing changed.

hubfs sync ~/hub/me/model -m "First"

` + exitHelp,
		Flags: append(commitFlags(false), outputFlags()...),
		Action: run(func(ctx context.Context, c *cli.Context) error {
			o := syncOptions{Path: c.Args().First(), output: outputOf(c)}
			var err error
			if c.NArg() != 1 {
				err = usage("sync wants one path in a mount (see hubfs sync --help)")
			} else {
				o.CommitOptions, err = commitOptionsOf(c)
			}
			if err != nil {
				return o.failed(c.App.Writer, err)
			}
			return syncPath(ctx, o, c.App.Writer, c.App.ErrWriter)
		}),
	}
}

type syncOptions struct {
	output
	hubfs.CommitOptions
	Path string
}

// syncPath commits the repo that a path is in.
func syncPath(ctx context.Context, o syncOptions, out, errOut io.Writer) error {
	mnt, rel, err := findMount(o.Path)
	if err != nil {
		return o.failed(out, err)
	}
	req := hubfs.SyncRequest{Path: rel, CommitOptions: o.CommitOptions}
	show := o.progress(errOut)
	got, err := requestSync(ctx, mnt, req, show)
	show.close()
	if len(got.Results) == 0 && err == nil && !o.JSON && !o.Quiet {
		fmt.Fprintf(out, "%s: nothing to commit\n", shown(o.Path))
	}
	return o.report(out, errOut, got, err, "hubfs sync "+again(o.CommitOptions)+typed(o.Path))
}

// A syncReport is what "hubfs sync --json" prints.
type syncReport struct {
	outcome
	synced
}

// report tells what came of commits; retry is the command to try again with.
func (o output) report(out, errOut io.Writer, got synced, err error, retry string) error {
	err = got.explain(err, retry)
	if o.JSON {
		return errors.Join(err, printJSON(out, syncReport{outcomeOf(err), got}))
	}
	o.print(out, errOut, got)
	return err
}

// explain is the error of commits with what to do next.
func (got synced) explain(err error, retry string) error {
	if err == nil {
		err = busyFiles(got.Results)
	}
	if errors.Is(err, context.Canceled) {
		// Not wrapped: what is printed for that is shorter than the truth here.
		err = errors.New("interrupted: the commit may have been made all the same. Nothing is lost, and it is not made twice;\nto go on: " + retry)
	}
	return explain(err, retry)
}

// print tells people what came of commits.
func (o output) print(out, errOut io.Writer, got synced) {
	if !o.Quiet {
		printResults(out, got.Results)
	}
	for _, r := range got.Results {
		for _, w := range r.Warnings {
			fmt.Fprintf(errOut, "hubfs: %s: %s\n", r.Repo, shown(w))
		}
	}
}

// printResults prints a line for each repo: what it has become, and where.
func printResults(out io.Writer, results []repoResult) {
	for _, r := range results {
		switch {
		case r.Left != "":
			fmt.Fprintf(out, "%s: left staged: %s\n", r.Repo, shownText(r.Left))
		case r.Unchanged && r.Commit != "":
			fmt.Fprintf(out, "%s: nothing to commit, at %s\n", r.Repo, r.Commit)
		case r.Unchanged:
			fmt.Fprintf(out, "%s: nothing to commit\n", r.Repo)
		default:
			where := ""
			switch {
			case r.PullRequest != "":
				where = " in a pull request"
			case r.Branch != "":
				where = " on branch " + shown(r.Branch)
			}
			many := ""
			if r.Commits > 1 {
				many = fmt.Sprintf(" in %d commits", r.Commits)
			}
			fmt.Fprintf(out, "%s: %s, %s%s%s\n%s\n", r.Repo, plural(r.Files, "file", "files"), sized(r.Bytes), many, where, r.Commit)
			if r.PullRequest != "" {
				fmt.Fprintln(out, shownText(r.PullRequest))
			} else {
				fmt.Fprintln(out, shownText(r.URL))
			}
		}
		if r.Skipped > 0 {
			fmt.Fprintf(out, "%s: %s left staged (hubfs status says why)\n", r.Repo, plural(r.Skipped, "path is", "paths are"))
		}
	}
}

// busyFiles is the error for files that a commit left out because they are
// open for writing.
func busyFiles(results []repoResult) error {
	const most = 5
	var lines []string
	for _, r := range results {
		for i, path := range r.Busy {
			if i == most {
				lines = append(lines, fmt.Sprintf("%s: and %s", r.Repo, plural(len(r.Busy)-most, "more file", "more files")))
				break
			}
			lines = append(lines, r.Repo+": "+shown(path))
		}
	}
	if lines == nil {
		return nil
	}
	return coded(errBusy, "these files are open for writing and were left out:\n  "+strings.Join(lines, "\n  "))
}
