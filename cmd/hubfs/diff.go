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

func diffCmd() *cli.Command {
	return &cli.Command{
		Name:      "diff",
		Usage:     "show what is staged, line by line",
		ArgsUsage: "[PATH...]",
		Description: `Compares what is staged at the paths and below with the commit that it is staged on:
files added, changed, removed and renamed, with their lines where they are short text.
Without a path: the repo or directory that you are in, or everything that is mounted.

` + exitHelp,
		Flags: append(jsonFlag(),
			&cli.BoolFlag{Name: "stat", Usage: "a line per file with its sizes, for an overview"},
			&cli.BoolFlag{Name: "name-only", Usage: "the paths only"}),
		Action: run(func(ctx context.Context, c *cli.Context) error {
			o := diffOptions{
				output: outputOf(c), Paths: c.Args().Slice(),
				Stat: c.Bool("stat"), NameOnly: c.Bool("name-only"),
			}
			return diff(ctx, o, c.App.Writer)
		}),
	}
}

type diffOptions struct {
	output
	Paths          []string
	Stat, NameOnly bool
}

// A diffReport is what "hubfs diff --json" prints.
type diffReport struct {
	outcome
	Changes []repoDelta `json:"changes"`
}

func diff(ctx context.Context, o diffOptions, out io.Writer) error {
	report := diffReport{Changes: []repoDelta{}}
	err := o.collect(ctx, &report)
	if o.JSON {
		report.outcome = outcomeOf(err)
		return errors.Join(err, printJSON(out, report))
	}
	c := colours{on: isTerminal(out)}
	repo := ""
	for _, d := range report.Changes {
		switch {
		case o.NameOnly:
			fmt.Fprintln(out, shown(d.Path))
			continue
		case d.Repo != repo:
			repo = d.Repo
			fmt.Fprintln(out, c.bold(repo+":"))
		}
		fmt.Fprintln(out, c.bold(deltaLine(d)))
		if !o.Stat {
			printText(out, c, d.Text)
		}
	}
	return err
}

// collect asks the mounts that the paths are in.
func (o diffOptions) collect(ctx context.Context, report *diffReport) error {
	type question struct{ mnt, rel string }
	var ask []question
	paths := o.Paths
	if len(paths) == 0 {
		if mnt, rel, err := findMount("."); err == nil {
			ask = append(ask, question{mnt, rel})
		} else if all, err := hubfsMounts(); err != nil {
			return err
		} else {
			for _, mnt := range all {
				ask = append(ask, question{mnt, ""})
			}
		}
	}
	for _, p := range paths {
		mnt, rel, err := findMount(p)
		if err != nil {
			return err
		}
		ask = append(ask, question{mnt, rel})
	}
	var errs []error
	for _, q := range ask {
		errs = append(errs, changes(ctx, q.mnt, "diff", hubfs.DiffRequest{Path: q.rel}, func(e hubfs.ChangeEvent) {
			if e.Delta != nil {
				report.Changes = append(report.Changes, repoDelta{e.Repo, *e.Delta})
			}
		}))
	}
	return errors.Join(errs...)
}

// deltaLine says in a line what became of a path.
func deltaLine(d repoDelta) string {
	line := fmt.Sprintf("%-7s %s", d.Op, shown(d.Path))
	switch d.Op {
	case "rename":
		line += " from " + shown(d.From)
	case "add":
		if d.From != "" {
			line += " from " + shown(d.From)
		}
		line += " (" + sized(d.NewSize) + ")"
	case "change":
		line += " (" + sized(d.OldSize) + " to " + sized(d.NewSize) + ")"
	case "delete":
		line += " (" + sized(d.OldSize) + ")"
	}
	if d.Binary {
		line += ", no text"
	}
	if d.Reason != "" {
		line += ", left out: " + shown(d.Reason)
	}
	return line
}

// printText prints the lines of a unified diff.
func printText(out io.Writer, c colours, text string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "--- "), strings.HasPrefix(line, "+++ "):
			// The heading has the names. (A line of the text that looks like
			// one comes after the first "@@" only.)
			if !c.inHunk {
				continue
			}
		case strings.HasPrefix(line, "@@"):
			c.inHunk = true
		}
		fmt.Fprintln(out, c.line(shownLine(line)))
	}
}

// colours are for terminals.
type colours struct {
	on     bool
	inHunk bool
}

func (c colours) paint(code, s string) string {
	if !c.on {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (c colours) bold(s string) string { return c.paint("1", s) }

func (c colours) line(s string) string {
	switch {
	case strings.HasPrefix(s, "@@"):
		return c.paint("36", s)
	case strings.HasPrefix(s, "+"):
		return c.paint("32", s)
	case strings.HasPrefix(s, "-"):
		return c.paint("31", s)
	}
	return s
}
