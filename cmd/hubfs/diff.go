package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
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
	var mounts, rels []string
	all := false
	if len(o.Paths) == 0 {
		if mnt, rel, err := findMount("."); err == nil {
			mounts, rels = []string{mnt}, []string{rel}
		} else if mounts, err = hubfsMounts(); err != nil {
			return err
		} else {
			all, rels = true, make([]string, len(mounts))
		}
	}
	for _, p := range o.Paths {
		mnt, rel, err := findMount(p)
		if err != nil {
			return err
		}
		mounts, rels = append(mounts, mnt), append(rels, rel)
	}
	found := make([][]repoDelta, len(mounts))
	errs := atOnce(mounts, func(i int, mnt string) error {
		return changes(ctx, mnt, "diff", hubfs.DiffRequest{Path: rels[i]}, func(e hubfs.ChangeEvent) {
			if e.Delta != nil {
				found[i] = append(found[i], repoDelta{e.Repo, *e.Delta})
			}
		})
	})
	for i, err := range errs {
		if all && errors.Is(err, os.ErrPermission) {
			errs[i] = nil // another user's mount is none of ours
		}
	}
	for _, deltas := range found {
		report.Changes = append(report.Changes, deltas...)
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
