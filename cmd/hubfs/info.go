package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/dustin/go-humanize"
	hubfs "github.com/hubfs/hubfs/fs"
	"github.com/urfave/cli/v2"
)

func infoCmd() *cli.Command {
	return &cli.Command{
		Name:      "info",
		Usage:     "tell about a path in a mount, or about a repo",
		ArgsUsage: "PATH|REPO[/PATH]",
		Description: `Of a path in a mount: its repo and commit, the id of its content, how much of it is
cached, whether it is staged, how it is read; of one that cannot be shown, what the
Hub said. Anything else is a repo id (org/name, datasets/org/name@rev), or a path
in that repo (org/name/path), and is looked up on the Hub, without a mount.

` + exitHelp,
		Flags: append(hubFlags(), jsonFlag()...),
		Action: run(func(ctx context.Context, c *cli.Context) error {
			o := infoOptions{hubOptions: hubOptionsOf(c), output: outputOf(c), Name: c.Args().First()}
			if c.NArg() != 1 {
				return o.failed(c.App.Writer, usage("info wants one path or repo (see hubfs info --help)"))
			}
			err := info(ctx, o, c.App.Writer)
			if told := (toldError{}); errors.Is(err, errQuiet) || errors.As(err, &told) {
				return err
			}
			return o.failed(c.App.Writer, err)
		}),
	}
}

type infoOptions struct {
	hubOptions
	output
	Name string // a path in a mount, or a repo
}

// An infoReport is what "hubfs info PATH --json" prints.
type infoReport struct {
	Code int `json:"code"`
	hubfs.Info
}

// A toldError is one that the JSON has already.
type toldError struct{ error }

// told is what a command ends with that has printed why there is no more to say.
func (o infoOptions) told(why string) error {
	switch {
	case why == "":
		return nil
	case o.JSON:
		return toldError{errors.New(why)}
	}
	return errQuiet
}

// info prints what is known of a path or a repo. It fails if the path cannot
// be shown, after saying why.
func info(ctx context.Context, o infoOptions, out io.Writer) error {
	mnt, rel, err := findMount(o.Name)
	if err == nil {
		return pathInfo(ctx, o, mnt, rel, out)
	}
	if isPath(o.Name) {
		return err
	}
	return repoInfo(ctx, o, out)
}

// isPath tells a name that can only be a path from one that may be a repo.
func isPath(name string) bool {
	return strings.HasPrefix(name, "/") || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "~")
}

func pathInfo(ctx context.Context, o infoOptions, mnt, rel string, out io.Writer) error {
	var got hubfs.Info
	answered := false
	err := ask(ctx, mnt, "info", hubfs.InfoRequest{Path: rel}, func(line []byte) error {
		answered = true
		return json.Unmarshal(line, &got)
	})
	if err == nil && !answered {
		err = errors.New("the mount gave no answer")
	}
	if err != nil {
		return err
	}
	if o.JSON {
		rep := infoReport{Info: got}
		if got.Error != "" {
			rep.Code = exitFailed
		}
		if err := printJSON(out, rep); err != nil {
			return err
		}
	} else {
		printInfo(out, o.Name, got)
	}
	return o.told(got.Error)
}

func printInfo(out io.Writer, name string, i hubfs.Info) {
	line := func(what, value string) {
		if value != "" {
			fmt.Fprintf(out, "%-12s %s\n", what, value)
		}
	}
	line("path", shown(name))
	line("kind", i.Kind)
	line("repo", i.Repo)
	line("revision", i.Revision)
	line("commit", i.Commit)
	line("blob", i.Blob)
	if i.Kind == "file" {
		line("size", fmt.Sprintf("%s (%s bytes)", sized(i.Size), humanize.Comma(i.Size)))
		switch {
		case i.Staged && i.Busy:
			line("staged", "yes, open for writing")
		case i.Staged:
			line("staged", "yes, not committed yet")
		case i.Whole:
			line("cached", "all of it")
		default:
			line("cached", fmt.Sprintf("%s of %s", sized(i.Cached), sized(i.Size)))
		}
		line("passthrough", i.Passthrough)
	}
	line("error", shownText(i.Error))
}

func printJSON(out io.Writer, v any) error {
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
