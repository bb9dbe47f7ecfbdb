package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
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
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "message", Aliases: []string{"m"},
				Usage: "`TEXT`, the title of the commit, for who reads the history"},
			&cli.StringFlag{Name: "description", Aliases: []string{"d"},
				Usage: "`TEXT` below the title, for more than a line"},
			&cli.BoolFlag{Name: "private",
				Usage: "create the repo private if it does not exist yet, for unpublished work"},
			&cli.DurationFlag{Name: "wait",
				Usage: "wait up to `TIME` (30s, 5m) for files that are still being written, for scripts"},
			&cli.BoolFlag{Name: "json",
				Usage: "print the result as JSON, for programs"},
		},
		Action: run(func(ctx context.Context, c *cli.Context) error {
			if c.NArg() != 1 {
				return usage("sync wants one path in a mount (see hubfs sync --help)")
			}
			o := syncOptions{
				Path: c.Args().First(), Message: c.String("message"), Description: c.String("description"),
				Wait: c.Duration("wait"), JSON: c.Bool("json"),
			}
			if c.IsSet("private") {
				private := c.Bool("private")
				o.Private = &private
			}
			return syncPath(ctx, o, c.App.Writer, c.App.ErrWriter)
		}),
	}
}

type syncOptions struct {
	Path                 string
	Message, Description string
	Private              *bool // of a repo that is created; nil is the mount's own
	Wait                 time.Duration
	JSON                 bool
}

// syncPath commits the repo that a path is in.
func syncPath(ctx context.Context, o syncOptions, out, errOut io.Writer) error {
	mnt, rel, err := findMount(o.Path)
	if err != nil {
		return err
	}
	req := hubfs.SyncRequest{
		Path: rel, Message: o.Message, Description: o.Description, Private: o.Private,
		Wait: max(o.Wait, settle).String(),
	}
	show := newProgress(errOut)
	results, err := requestSync(ctx, mnt, req, show)
	show.close()
	if o.JSON {
		enc := json.NewEncoder(out)
		for _, r := range results {
			if err := enc.Encode(r); err != nil {
				return err
			}
		}
	} else {
		printResults(out, results)
		if len(results) == 0 && err == nil {
			fmt.Fprintf(out, "%s: nothing to commit\n", shown(o.Path))
		}
	}
	retry := "hubfs sync " + quote(o.Path)
	if err == nil {
		err = busyFiles(results)
	}
	return explain(err, retry)
}

// printResults prints a line for each repo: what it has become, and where.
func printResults(out io.Writer, results []repoResult) {
	for _, r := range results {
		switch {
		case r.Left != "":
			fmt.Fprintf(out, "%s: left staged: %s\n", r.Repo, r.Left)
		case r.Unchanged && r.Commit != "":
			fmt.Fprintf(out, "%s: nothing to commit, at %s\n", r.Repo, r.Commit)
		case r.Unchanged:
			fmt.Fprintf(out, "%s: nothing to commit\n", r.Repo)
		default:
			fmt.Fprintf(out, "%s: %s, %s\n%s\n%s\n", r.Repo, plural(r.Files, "file", "files"), humanize.Bytes(uint64(max(r.Bytes, 0))), r.Commit, r.URL)
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
