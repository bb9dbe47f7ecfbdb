package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/hubfs/hubfs/commit"
	hubfs "github.com/hubfs/hubfs/fs"
	"github.com/urfave/cli/v2"
)

func discardCmd() *cli.Command {
	return &cli.Command{
		Name:      "discard",
		Usage:     "drop what is staged at a path, so that it is what the Hub has",
		ArgsUsage: "PATH...",
		Description: `Drops what is staged at the paths and below, and says what that was. It cannot be
undone. Where the path was in conflict with a newer commit, theirs is shown then. A
rename is undone from either of its paths.

On a terminal it asks if more than one change would be dropped; elsewhere that needs
--yes.

` + exitHelp,
		Flags: append(outputFlags(),
			&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "do not ask, for scripts"}),
		Action: run(func(ctx context.Context, c *cli.Context) error {
			o := discardOptions{output: outputOf(c), Paths: c.Args().Slice(), Yes: c.Bool("yes")}
			if c.NArg() == 0 {
				return o.failed(c.App.Writer, usage("discard wants the paths to drop (see hubfs discard --help)"))
			}
			return discard(ctx, o, os.Stdin, c.App.Writer, c.App.ErrWriter)
		}),
	}
}

type discardOptions struct {
	output
	Paths []string
	Yes   bool
}

// A discardReport is what "hubfs discard --json" prints.
type discardReport struct {
	outcome
	Dropped []repoPath `json:"dropped"`
	Moved   []movedOn  `json:"moved_on"` // repos that are at a newer commit now
}

// movedOn says what discarding did to a repo beyond dropping.
type movedOn struct {
	Repo string `json:"repo"`
	commit.Discarded
}

func discard(ctx context.Context, o discardOptions, in io.Reader, out, errOut io.Writer) error {
	report := discardReport{Dropped: []repoPath{}, Moved: []movedOn{}}
	err := o.discard(ctx, &report, in, errOut)
	if o.JSON {
		report.outcome = outcomeOf(err)
		return errors.Join(err, printJSON(out, report))
	}
	if o.Quiet {
		return err
	}
	for _, d := range report.Dropped {
		fmt.Fprintf(out, "dropped %s: %s\n", d.Repo, stagedLine(d.StagedPath))
	}
	if err == nil && len(report.Dropped) == 0 {
		fmt.Fprintln(out, "nothing was staged there")
	}
	for _, m := range report.Moved {
		if m.Head != "" {
			fmt.Fprintf(out, "%s is at %s now\n", m.Repo, short(m.Head))
		}
		if len(m.Conflicts) > 0 {
			fmt.Fprintf(out, "%s is still in conflict in %s\n", m.Repo, allShown(m.Conflicts))
		}
	}
	return err
}

func (o discardOptions) discard(ctx context.Context, report *discardReport, in io.Reader, errOut io.Writer) error {
	type spot struct{ mnt, rel string }
	var spots []spot
	var would []repoPath
	seen := map[string]bool{}
	for _, p := range o.Paths {
		mnt, rel, err := findMount(p)
		if err != nil {
			return err
		}
		spots = append(spots, spot{mnt, rel})
		err = changes(ctx, mnt, "discard", hubfs.DiscardRequest{Path: rel, DryRun: true}, func(e hubfs.ChangeEvent) {
			if e.Staged == nil || seen[e.Repo+"\x00"+e.Staged.Path] {
				return
			}
			seen[e.Repo+"\x00"+e.Staged.Path] = true
			would = append(would, repoPath{e.Repo, *e.Staged})
		})
		if err != nil {
			return err
		}
	}
	if n := countChanges(would); n > 1 && !o.Yes {
		var lines []string
		for _, w := range would {
			lines = append(lines, w.Repo+": "+stagedLine(w.StagedPath))
		}
		if err := confirm(in, errOut, "This drops "+plural(n, "change", "changes")+" for good", lines); err != nil {
			return err
		}
	}
	for _, s := range spots {
		err := changes(ctx, s.mnt, "discard", hubfs.DiscardRequest{Path: s.rel}, func(e hubfs.ChangeEvent) {
			switch {
			case e.Staged != nil:
				report.Dropped = append(report.Dropped, repoPath{e.Repo, *e.Staged})
			case e.Discarded != nil:
				report.Moved = append(report.Moved, movedOn{e.Repo, *e.Discarded})
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// countChanges counts a rename once.
func countChanges(paths []repoPath) int {
	n := len(paths)
	gone := map[string]bool{}
	for _, p := range paths {
		if p.Op == "delete" {
			gone[p.Repo+"\x00"+p.Path] = true
		}
	}
	for _, p := range paths {
		if p.Op == "move" && gone[p.Repo+"\x00"+p.From] {
			n--
		}
	}
	return n
}

// confirm asks on a terminal whether to go on; elsewhere nobody can say yes.
func confirm(in io.Reader, errOut io.Writer, what string, lines []string) error {
	const most = 20
	if !isTerminal(in) || !isTerminal(errOut) {
		return usage(what + ": to do so, say --yes")
	}
	for i, l := range lines {
		if i == most {
			fmt.Fprintf(errOut, "  and %s\n", plural(len(lines)-i, "more", "more"))
			break
		}
		fmt.Fprintln(errOut, "  "+l)
	}
	fmt.Fprint(errOut, what+". Go on? [y/N] ")
	answer, err := bufio.NewReader(in).ReadString('\n')
	if err != nil {
		return fmt.Errorf("no answer: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errors.New("nothing was dropped")
}
