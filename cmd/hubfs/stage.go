package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/hubfs/hubfs/blockcache"
	"github.com/hubfs/hubfs/commit"
	"github.com/hubfs/hubfs/remote"
	"github.com/urfave/cli/v2"
)

func stageCmd() *cli.Command {
	return &cli.Command{
		Name:  "stage",
		Usage: "look after staged work without a mount",
		Description: `What was written and not committed lies in the state directory, also when nothing is
mounted, after a crash, or with the Hub away.

` + exitHelp,
		Subcommands: []*cli.Command{stageLsCmd(), stageExportCmd(), stageSyncCmd(), stageDropCmd()},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return usage("no such command: stage " + c.Args().First() + " (see hubfs stage --help)")
			}
			return cli.ShowSubcommandHelp(c)
		},
	}
}

// dirFlags say where things are on this machine.
func dirFlags() []cli.Flag {
	return []cli.Flag{
		&cli.PathFlag{Name: "cache-dir", EnvVars: []string{"HUBFS_CACHE_DIR"},
			Usage: "`DIR` for downloaded content, for a bigger or faster disk (default ~/.cache/hubfs)"},
		&cli.PathFlag{Name: "state-dir", EnvVars: []string{"HUBFS_STATE_DIR"},
			Usage: "`DIR` for staged work and logs, for services and containers (default ~/.local/state/hubfs)"},
	}
}

// stageOptions say where the staged work is, and which repo's is meant.
type stageOptions struct {
	output
	hubOptions
	CacheDir, StateDir string // "" are the user's own
	Repo               string // as typed
}

func stageOptionsOf(c *cli.Context) stageOptions {
	return stageOptions{
		output: outputOf(c), hubOptions: hubOptionsOf(c),
		CacheDir: c.Path("cache-dir"), StateDir: c.Path("state-dir"),
	}
}

// again are the flags, each with a space behind it, without which another
// command would not find the same work. What is in the environment it finds.
func (o stageOptions) again() string {
	var b strings.Builder
	for _, f := range []struct{ flag, value, variable string }{
		{"endpoint", o.Endpoint, "HF_ENDPOINT"}, {"token-file", o.TokenFile, "HUBFS_TOKEN_FILE"},
		{"cache-dir", o.CacheDir, "HUBFS_CACHE_DIR"}, {"state-dir", o.StateDir, "HUBFS_STATE_DIR"},
	} {
		if f.value != os.Getenv(f.variable) {
			fmt.Fprintf(&b, "--%s %s ", f.flag, typed(f.value))
		}
	}
	return b.String()
}

// A stage is the staged work of one endpoint, without a mount.
type stage struct {
	dir    string
	client *remote.Client
	o      stageOptions
}

func (o stageOptions) open() (*stage, error) {
	opts, _, err := o.clientOptions()
	if err != nil {
		return nil, err
	}
	client, err := remote.New(opts)
	if err != nil {
		return nil, usage(err.Error())
	}
	dir, err := stateDir(o.StateDir)
	if err != nil {
		return nil, err
	}
	return &stage{dir: dir, client: client, o: o}, nil
}

func (s *stage) close() error { return s.client.Close() }

// find gives what is staged in the repo that was asked for. It must be there.
func (s *stage) find(ctx context.Context) (commit.State, remote.Repo, error) {
	repo, sub, err := s.client.ParseRepo(s.o.Repo)
	if err == nil && sub != "" {
		err = fmt.Errorf("%s is in a repo; the repo is %s", s.o.Repo, repo)
	}
	if err != nil {
		return commit.State{}, repo, usage(err.Error())
	}
	states, err := commit.Inspect(ctx, s.dir)
	if err != nil {
		return commit.State{}, repo, err
	}
	elsewhere := ""
	for _, st := range states {
		if st.Repo != repo.Path() || st.Branch != repo.Branch() {
			continue
		}
		if st.Endpoint == s.client.Endpoint() {
			return st, repo, nil
		}
		elsewhere = fmt.Sprintf("; for %s there is: --endpoint %s", st.Endpoint, quote(st.Endpoint))
	}
	return commit.State{}, repo, fmt.Errorf("nothing is staged of %s in %s%s (see hubfs stage ls)", repo, s.dir, elsewhere)
}

// inUse is the error for staged work that another process has.
func inUse(st commit.State, instead string) error {
	switch {
	case st.PID == 0:
		return nil
	case st.Mount != "":
		return coded(errBusy, fmt.Sprintf("%s is in use by the mount at %s (process %d): %s, or unmount that first", stateName(st), st.Mount, st.PID, instead))
	}
	return coded(errBusy, fmt.Sprintf("%s is in use by process %d", stateName(st), st.PID))
}

func stateName(st commit.State) string { return st.Repo + "@" + st.Branch }

// worktree opens the staged work of a repo, which is closed by done.
func (s *stage) worktree(ctx context.Context, repo remote.Repo, pullRequests bool, errOut io.Writer) (w *commit.Worktree, done func() error, err error) {
	dir, err := cacheDir(s.o.CacheDir)
	if err != nil {
		return nil, nil, err
	}
	if err := privateDir(dir); err != nil {
		return nil, nil, fmt.Errorf("cache directory: %w (choose another with --cache-dir)", err)
	}
	cache, err := blockcache.Open(dir, blockcache.Options{})
	if err != nil {
		return nil, nil, fmt.Errorf("cache: %w", err)
	}
	store, err := commit.Open(ctx, commit.Options{
		Dir: s.dir, Client: s.client, Cache: cache, PullRequests: pullRequests,
		Waiting: func(repo, holder string) {
			fmt.Fprintf(errOut, "hubfs: waiting for %s, which still commits what was staged in %s\n", holder, repo)
		},
	})
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("staged work: %w", err), cache.Close())
	}
	done = func() error { return errors.Join(store.Close(), cache.Close()) }
	if w, err = store.Worktree(ctx, repo); err != nil {
		return nil, nil, errors.Join(err, done())
	}
	return w, done, nil
}
