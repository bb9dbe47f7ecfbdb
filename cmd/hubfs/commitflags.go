package main

import (
	"time"

	hubfs "github.com/hubfs/hubfs/fs"
	"github.com/urfave/cli/v2"
)

// commitFlags say how to commit. Those of a mount, and of a command without
// one, have environment variables; "hubfs sync" takes what it is not told from
// the mount.
func commitFlags(environment bool) []cli.Flag {
	env := func(name string) []string {
		if !environment {
			return nil
		}
		return []string{"HUBFS_" + name}
	}
	return []cli.Flag{
		&cli.StringFlag{Name: "message", Aliases: []string{"m"}, EnvVars: env("MESSAGE"),
			Usage: "`TEXT`, the title of the commit, for who reads the history (default: what was done)"},
		&cli.StringFlag{Name: "description", Aliases: []string{"d"}, EnvVars: env("DESCRIPTION"),
			Usage: "`TEXT` below the title, for more than a line"},
		&cli.BoolFlag{Name: "private", EnvVars: env("PRIVATE"),
			Usage: "create new repos private, for unpublished work"},
		&cli.BoolFlag{Name: "create-pr", EnvVars: env("CREATE_PR"),
			Usage: "open a pull request with the work instead of moving the branch, for repos of others and for review"},
		&cli.StringFlag{Name: "branch", EnvVars: env("BRANCH"),
			Usage: "commit to the branch `NAME` of the repo, made if it is missing, for work that is not to be seen yet"},
		&cli.StringSliceFlag{Name: "allow", Aliases: []string{"include"}, EnvVars: env("ALLOW_PATTERNS"),
			Usage: "commit only paths that match `PATTERN` (\"*.safetensors\", \"logs/\"), the others stay staged; may be given several times"},
		&cli.StringSliceFlag{Name: "ignore", Aliases: []string{"exclude"}, EnvVars: env("IGNORE_PATTERNS"),
			Usage: "leave paths that match `PATTERN` staged (\"*.tmp\", \"checkpoints/\"); may be given several times"},
		&cli.BoolFlag{Name: "force", EnvVars: env("FORCE"),
			Usage: "where others changed what was changed here, put this version over theirs"},
		&cli.BoolFlag{Name: "split", EnvVars: env("SPLIT"),
			Usage: "make several commits of more files than one can carry"},
		&cli.BoolFlag{Name: "model-card", EnvVars: env("MODEL_CARD"),
			Usage: "give a new model repo without a README.md a minimal one"},
		&cli.DurationFlag{Name: "wait", EnvVars: env("WAIT"), DefaultText: "10s at an unmount, else 1s",
			Usage: "wait up to `TIME` (30s, 5m) for files that are still being written"},
	}
}

// commitOptionsOf are the commit flags of a command line.
func commitOptionsOf(c *cli.Context) (hubfs.CommitOptions, error) {
	o := hubfs.CommitOptions{
		Message: c.String("message"), Description: c.String("description"),
		CreatePR: c.Bool("create-pr"), Branch: c.String("branch"),
		Allow: c.StringSlice("allow"), Ignore: c.StringSlice("ignore"),
		Force: c.Bool("force"), Split: c.Bool("split"), ModelCard: c.Bool("model-card"),
	}
	if c.IsSet("private") {
		private := c.Bool("private")
		o.Private = &private
	}
	if c.IsSet("wait") {
		o.Wait = c.Duration("wait").String()
	}
	if o.CreatePR && o.Branch != "" {
		return o, usage("--create-pr opens a pull request, --branch commits to a branch: give one of them")
	}
	if _, err := o.Commit(false); err != nil {
		return o, usage(err.Error())
	}
	return o, nil
}

// leastIdle is the shortest --commit-every: looking more often than that would
// be noticed by who writes.
const leastIdle = time.Second

// idleTime is --commit-every.
func idleTime(c *cli.Context) (time.Duration, error) {
	d := c.Duration("commit-every")
	if c.IsSet("commit-every") && d != 0 && d < leastIdle {
		return 0, usage("--commit-every wants a time of a second or more, such as 5m")
	}
	return d, nil
}
