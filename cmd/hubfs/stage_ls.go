package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/hubfs/hubfs/commit"
	"github.com/urfave/cli/v2"
)

func stageLsCmd() *cli.Command {
	return &cli.Command{
		Name:  "ls",
		Usage: "list what is staged, of all repos and Hubs",
		Description: `Lists every repo with staged work in the state directory, also of other Hubs and of
mounts that are there, with what cannot be read. It changes nothing and asks nobody.`,
		Flags: append(append(dirFlags()[1:], outputFlags()[0]),
			&cli.BoolFlag{Name: "long", Aliases: []string{"l"}, Usage: "each path, for a closer look"}),
		Action: run(func(ctx context.Context, c *cli.Context) error {
			o := stageOptionsOf(c)
			if c.Args().Present() {
				return o.failed(c.App.Writer, usage("stage ls wants no argument (see hubfs stage ls --help)"))
			}
			return stageLs(ctx, o, c.Bool("long"), c.App.Writer)
		}),
	}
}

// A stageReport is what "hubfs stage ls --json" prints.
type stageReport struct {
	outcome
	StateDir string         `json:"state_dir"`
	Staged   []commit.State `json:"staged"`
}

func stageLs(ctx context.Context, o stageOptions, long bool, out io.Writer) error {
	report := stageReport{Staged: []commit.State{}}
	var err error
	if report.StateDir, err = stateDir(o.StateDir); err == nil {
		var found []commit.State
		if found, err = commit.Inspect(ctx, report.StateDir); found != nil {
			report.Staged = found
		}
	}
	if o.JSON {
		report.outcome = outcomeOf(err)
		return errors.Join(err, printJSON(out, report))
	}
	if err != nil {
		return err
	}
	if len(report.Staged) == 0 {
		fmt.Fprintf(out, "nothing is staged in %s\n", report.StateDir)
	}
	endpoint := ""
	for _, st := range report.Staged {
		if st.Endpoint != endpoint && st.Endpoint != "" {
			endpoint = st.Endpoint
			fmt.Fprintf(out, "%s:\n", shown(endpoint))
		}
		printState(out, st, long)
	}
	return nil
}

func printState(out io.Writer, st commit.State, long bool) {
	name := stateName(st)
	if st.Repo == "" {
		name = st.Dir
	}
	head := fmt.Sprintf("%s, %s", plural(len(st.Staged), "change", "changes"), sized(st.Bytes))
	if st.New {
		head += ", a new repo"
	}
	if st.User != "" {
		head += ", by " + shown(st.User)
	}
	switch {
	case st.Mount != "":
		head += fmt.Sprintf(", in use by the mount at %s (pid %d)", shown(st.Mount), st.PID)
	case st.PID != 0:
		head += fmt.Sprintf(", in use by process %d", st.PID)
	}
	fmt.Fprintf(out, "  %s: %s\n", shown(name), head)
	if long {
		for _, s := range st.Staged {
			fmt.Fprintf(out, "    %s\n", stagedLine(s))
		}
	}
	if len(st.Busy) > 0 {
		fmt.Fprintf(out, "    open for writing: %s\n", allShown(st.Busy))
	}
	for _, dir := range st.Aside {
		fmt.Fprintf(out, "    set aside, damaged: the end of a journal and the files it may have named are in %s\n", dir)
	}
	if st.Error != "" {
		fmt.Fprintf(out, "    cannot be read, or not all of it: %s (%s)\n", shown(st.Error), st.Dir)
	}
}
