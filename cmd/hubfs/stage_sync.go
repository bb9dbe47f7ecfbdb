package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/hubfs/hubfs/commit"
	hubfs "github.com/hubfs/hubfs/fs"
	"github.com/hubfs/hubfs/remote"
	"github.com/urfave/cli/v2"
)

func stageSyncCmd() *cli.Command {
	return &cli.Command{
		Name:      "sync",
		Usage:     "commit what is staged in a repo, without a mount",
		ArgsUsage: "REPO",
		Description: `Makes one commit of what is staged in a repo, as "hubfs sync" does in a mount.

hubfs stage sync me/model -m "Saved before the crash"

` + exitHelp,
		Flags: slices.Concat(hubFlags(), dirFlags(), commitFlags(true), outputFlags()),
		Action: run(func(ctx context.Context, c *cli.Context) error {
			o := stageOptionsOf(c)
			copts, err := commitOptionsOf(c)
			if c.NArg() != 1 {
				err = usage("stage sync wants one repo (see hubfs stage ls)")
			}
			if err != nil {
				return o.failed(c.App.Writer, err)
			}
			o.Repo = c.Args().First()
			return stageSync(ctx, o, copts, c.App.Writer, c.App.ErrWriter)
		}),
	}
}

func stageSync(ctx context.Context, o stageOptions, copts hubfs.CommitOptions, out, errOut io.Writer) error {
	s, err := o.open()
	if err != nil {
		return o.failed(out, err)
	}
	defer s.close()
	st, repo, err := s.find(ctx)
	if err == nil {
		err = inUse(st, "hubfs sync there")
	}
	if err != nil {
		return o.failed(out, err)
	}
	show := o.progress(errOut)
	got, err := s.commit(ctx, repo, copts, show, errOut)
	show.close()
	return o.report(out, errOut, got, err, "hubfs stage sync "+o.again()+again(copts)+typed(o.Repo))
}

func (s *stage) commit(ctx context.Context, repo remote.Repo, copts hubfs.CommitOptions, show *progress, errOut io.Writer) (got synced, err error) {
	got = synced{Results: []repoResult{}, Failures: []repoFailure{}}
	options, err := copts.Commit(false)
	if err != nil {
		return got, usage(err.Error())
	}
	w, done, err := s.worktree(ctx, repo, copts.CreatePR, errOut)
	if err != nil {
		return got, err
	}
	defer func() { err = errors.Join(err, done()) }()
	name := w.Repo().String()
	if why := w.Status(ctx).LastError; why != "" { // damage that was found just now
		fmt.Fprintf(errOut, "hubfs: %s: %s\n", shown(name), shown(why))
	}
	options.Progress = func(e commit.Event) { show.event(name, e) }
	res, err := w.Commit(ctx, options)
	if err == nil {
		got.Results = append(got.Results, repoResult{name, res})
		return got, nil
	}
	e := hubfs.SyncEventOf(w.Repo(), err)
	got.Failures = append(got.Failures, failureOf(e))
	if e.Code != "conflict" {
		return got, coded(errCommit, e.Error)
	}
	force, pull := conflictFlags(copts)
	where, repoName := s.o.again(), typed(s.o.Repo)
	text := e.Error + "\n" + waysOn(e.Sides, []way{
		{"hubfs stage sync " + where + force + repoName, "yours, over theirs"},
		{"hubfs mount " + where + "MNT, hubfs discard PATH", discards(copts.Branch)},
		{"hubfs stage sync " + where + pull + repoName, "both: yours becomes a pull request"},
	})
	return got, coded(errConflict, text)
}

func stageDropCmd() *cli.Command {
	return &cli.Command{
		Name:      "drop",
		Usage:     "drop all that is staged in a repo, for good",
		ArgsUsage: "REPO",
		Description: `Says what is staged in the repo, asks, and drops it. It cannot be undone; "hubfs stage
export" saves a copy. While a mount has the repo it is refused: "hubfs discard" is for that.

` + exitHelp,
		Flags: slices.Concat(hubFlags(), dirFlags(), outputFlags(), []cli.Flag{
			&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "do not ask, for scripts"}}),
		Action: run(func(ctx context.Context, c *cli.Context) error {
			o := stageOptionsOf(c)
			if c.NArg() != 1 {
				return o.failed(c.App.Writer, usage("stage drop wants one repo (see hubfs stage ls)"))
			}
			o.Repo = c.Args().First()
			return stageDrop(ctx, o, c.Bool("yes"), os.Stdin, c.App.Writer, c.App.ErrWriter)
		}),
	}
}

func stageDrop(ctx context.Context, o stageOptions, yes bool, in io.Reader, out, errOut io.Writer) error {
	st, err := o.drop(ctx, yes, in, errOut)
	if o.JSON {
		report := discardReport{outcome: outcomeOf(err), Dropped: []repoPath{}, Moved: []movedOn{}}
		for _, p := range st.Staged {
			report.Dropped = append(report.Dropped, repoPath{st.Repo, p})
		}
		return errors.Join(err, printJSON(out, report))
	}
	if err == nil && !o.Quiet {
		fmt.Fprintf(out, "dropped %s of %s\n", plural(len(st.Staged), "change", "changes"), stateName(st))
	}
	return err
}

// drop gives what it has dropped, the zero State after an error.
func (o stageOptions) drop(ctx context.Context, yes bool, in io.Reader, errOut io.Writer) (none commit.State, err error) {
	s, err := o.open()
	if err != nil {
		return none, err
	}
	defer s.close()
	st, repo, err := s.find(ctx)
	if err != nil {
		return none, err
	}
	if err := inUse(st, "hubfs discard there"); err != nil {
		return none, err
	}
	var lines []string
	for _, p := range st.Staged {
		lines = append(lines, stagedLine(p))
	}
	what := fmt.Sprintf("This drops %s of %s for good", plural(len(lines), "change", "changes"), stateName(st))
	if !yes {
		if err := confirm(in, errOut, what, lines); err != nil {
			return none, err
		}
	}
	w, done, err := s.worktree(ctx, repo, false, errOut)
	if err != nil {
		return none, err
	}
	if err := errors.Join(w.Drop(ctx), done()); err != nil {
		return none, err
	}
	return st, nil
}
