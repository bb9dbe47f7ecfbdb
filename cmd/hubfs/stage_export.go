package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"

	"github.com/hubfs/hubfs/commit"
	"github.com/hubfs/hubfs/remote"
	"github.com/urfave/cli/v2"
)

func stageExportCmd() *cli.Command {
	return &cli.Command{
		Name:      "export",
		Usage:     "copy staged files out of the state directory",
		ArgsUsage: "DIR [REPO]",
		Description: `For each repo, or the one given, makes DIR/org/name@branch with
  files/        the staged files by their paths
  changes.json  what is deleted, renamed and made beside them
What is there already is never overwritten. Nothing that is staged changes, and neither
the Hub nor a mount is needed.

` + exitHelp,
		Flags: slices.Concat(hubFlags(), dirFlags()[1:], outputFlags()),
		Action: run(func(ctx context.Context, c *cli.Context) error {
			o := stageOptionsOf(c)
			if c.NArg() < 1 || c.NArg() > 2 {
				return o.failed(c.App.Writer, usage("stage export wants a directory, and maybe a repo (see hubfs stage export --help)"))
			}
			o.Repo = c.Args().Get(1)
			return stageExport(ctx, o, c.Args().First(), c.App.Writer, c.App.ErrWriter)
		}),
	}
}

// An exportReport is what "hubfs stage export --json" prints.
type exportReport struct {
	outcome
	Exported []exported `json:"exported"`
}

// exported is what an export made of one repo.
type exported struct {
	Dir string `json:"dir"`
	commit.Exported
}

func stageExport(ctx context.Context, o stageOptions, dir string, out, errOut io.Writer) error {
	report := exportReport{Exported: []exported{}}
	if !o.JSON {
		return o.export(ctx, &report, dir, out, errOut)
	}
	err := o.export(ctx, &report, dir, io.Discard, errOut)
	report.outcome = outcomeOf(err)
	return errors.Join(err, printJSON(out, report))
}

func (o stageOptions) export(ctx context.Context, report *exportReport, dir string, out, errOut io.Writer) error {
	s, err := o.open()
	if err != nil {
		return err
	}
	defer s.close()
	var states []commit.State
	if o.Repo != "" {
		st, _, err := s.find(ctx)
		if err != nil {
			return err
		}
		states = append(states, st)
	} else if states, err = commit.Inspect(ctx, s.dir); err != nil {
		return err
	}
	others := 0
	var errs []error
	for _, st := range states {
		if st.Endpoint != s.client.Endpoint() {
			others++
			continue
		}
		errs = append(errs, s.export(ctx, st, report, dir, out, errOut))
	}
	if others > 0 {
		fmt.Fprintf(errOut, "hubfs: left out: %s of other Hubs (hubfs stage ls shows them; choose one with --endpoint)\n", plural(others, "repo", "repos"))
	}
	if len(errs) == 0 && !o.Quiet {
		fmt.Fprintf(out, "nothing is staged for %s in %s\n", s.client.Endpoint(), s.dir)
	}
	return errors.Join(errs...)
}

func (s *stage) export(ctx context.Context, st commit.State, report *exportReport, dir string, out, errOut io.Writer) error {
	repo, _, err := s.client.ParseRepo(st.Repo)
	if err != nil {
		return fmt.Errorf("%s: %w", st.Dir, err)
	}
	repo.Rev = st.Branch
	to := filepath.Join(dir, exportName(repo))
	if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
		return err
	}
	e, err := commit.Export(ctx, s.dir, st.Endpoint, repo, to)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s is there already and is not overwritten: choose another directory", to)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", repo, err)
	}
	report.Exported = append(report.Exported, exported{to, e})
	if !s.o.Quiet {
		fmt.Fprintf(out, "%s: %s, %s, %s in %s\n", repo, plural(st.Files, "file", "files"),
			plural(len(e.Deletions), "deletion", "deletions"), plural(len(e.Renames), "rename", "renames"), to)
	}
	if len(e.Busy) > 0 {
		fmt.Fprintf(errOut, "hubfs: %s: still open for writing, so maybe not whole: %s\n", repo, allShown(e.Busy))
	}
	if e.Error != "" {
		return fmt.Errorf("%s: what could be read is in %s: %s", repo, to, e.Error)
	}
	return nil
}

// exportName is where a repo goes below the directory of an export.
func exportName(repo remote.Repo) string {
	rev := url.PathEscape(repo.Branch())
	repo.Rev = ""
	return filepath.FromSlash(repo.Path()) + "@" + rev
}
