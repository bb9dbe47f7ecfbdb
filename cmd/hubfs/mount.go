package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	hubfs "github.com/hubfs/hubfs/fs"
	"github.com/hubfs/hubfs/remote"
	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"
)

func mountCmd() *cli.Command {
	return &cli.Command{
		Name:      "mount",
		Usage:     "mount the Hub, or one repo of it",
		ArgsUsage: "[REPO] MOUNTPOINT",
		Description: `hubfs mount ~/hub                    the whole Hub: ~/hub/org/model, ~/hub/datasets/org/name
hubfs mount org/model@v1.0 /mnt/m    one repo, here at a tag; also datasets/org/name,
                                     spaces/org/name, org/model/folder and hf:// addresses

Returns when the mount is usable; a daemon goes on in the background until
"hubfs umount". What is written below the mount is staged and becomes one commit
per repo by "hubfs sync" or by unmounting. The flags from --message on are what
these commits are made with, where "hubfs sync" says nothing else. With --create-pr
repos that the token cannot write can be written to: each commit opens a pull
request there.

` + exitHelp,
		Flags: slices.Concat(hubFlags(), dirFlags(), mountFlags(), commitFlags(true)),
		Action: run(func(ctx context.Context, c *cli.Context) error {
			opts, err := mountOptionsOf(c)
			if err != nil {
				return err
			}
			return mount(ctx, opts, c.App.Writer, c.App.ErrWriter)
		}),
	}
}

func mountFlags() []cli.Flag {
	env := func(name string) []string { return []string{"HUBFS_" + name} }
	return []cli.Flag{
		&cli.StringFlag{Name: "cache-size", EnvVars: env("CACHE_SIZE"),
			Usage: "how much the cache may hold, as 50GB, for shared or small disks (default: a share of the disk)"},
		&cli.BoolFlag{Name: "read-only", EnvVars: env("READ_ONLY"),
			Usage: "refuse all writing, for serving and training jobs"},
		&cli.BoolFlag{Name: "allow-other", EnvVars: env("ALLOW_OTHER"),
			Usage: "let other users of this machine in, for a daemon that serves several accounts"},
		&cli.DurationFlag{Name: "commit-every", EnvVars: env("COMMIT_EVERY"), DefaultText: "never",
			Usage: "commit work that nobody has touched for `TIME` (5m), for long jobs that save again and again"},
		&cli.BoolFlag{Name: "no-commit", EnvVars: env("NO_COMMIT"),
			Usage: "keep staged work staged when the mount ends, for who commits by \"hubfs sync\" only"},
		&cli.BoolFlag{Name: "foreground", Aliases: []string{"f"}, EnvVars: env("FOREGROUND"),
			Usage: "stay in the foreground and log to standard error, for systemd and containers"},
		&cli.PathFlag{Name: "log-file", EnvVars: env("LOG_FILE"),
			Usage: "`FILE` to log to, for log collectors (default: one per mount point in the state directory)"},
		&cli.BoolFlag{Name: "debug", EnvVars: env("DEBUG"),
			Usage: "log each operation, for reporting a problem"},
	}
}

type mountOptions struct {
	hubOptions
	Repo       string // as typed; "" mounts the whole Hub
	MountPoint string

	CacheDir, StateDir string // "" are the user's own
	CacheSize          int64  // bytes; 0 is the cache's default

	ReadOnly, AllowOther bool

	Commit      hubfs.CommitOptions // of the commits of the mount
	CommitEvery time.Duration       // 0 is never
	NoCommit    bool
	Foreground  bool
	LogFile     string
	Debug       bool

	// dieWithStarter ends the daemon when the thread that calls mount ends,
	// which the caller has locked itself to.
	dieWithStarter bool
}

func mountOptionsOf(c *cli.Context) (mountOptions, error) {
	o := mountOptions{
		hubOptions: hubOptionsOf(c),
		CacheDir:   c.Path("cache-dir"), StateDir: c.Path("state-dir"),
		ReadOnly: c.Bool("read-only"), AllowOther: c.Bool("allow-other"),
		NoCommit:   c.Bool("no-commit"),
		Foreground: c.Bool("foreground"), LogFile: c.Path("log-file"), Debug: c.Bool("debug"),
	}
	var err error
	if o.Commit, err = commitOptionsOf(c); err != nil {
		return o, err
	}
	if o.CommitEvery, err = idleTime(c); err != nil {
		return o, err
	}
	if o.CommitEvery > 0 && o.NoCommit {
		return o, usage("--commit-every and --no-commit exclude each other")
	}
	switch args := c.Args().Slice(); len(args) {
	case 1:
		o.MountPoint = args[0]
	case 2:
		o.Repo, o.MountPoint = args[0], args[1]
	default:
		return o, usage("mount wants a mount point, or a repo and a mount point (see hubfs mount --help)")
	}
	if s := c.String("cache-size"); s != "" {
		n, err := humanize.ParseBytes(s)
		if err != nil || n == 0 || n > 1<<62 {
			return o, usage(fmt.Sprintf("--cache-size %q is no size; write it as 50GB", s))
		}
		o.CacheSize = int64(n)
	}
	return o, nil
}

// mount mounts and leaves a daemon behind, or becomes it with o.Foreground. It
// returns when the mount is usable; on an error there is neither mount nor
// daemon.
func mount(ctx context.Context, o mountOptions, out, errOut io.Writer) error {
	note := func(s string) { fmt.Fprintln(errOut, "hubfs: "+s) }
	l, err := o.launch()
	if err != nil {
		return err
	}
	if err := preflight(ctx, place{l.Mount, l.Cache, l.State}, l.AllowOther, note); err != nil {
		return err
	}
	if o.Foreground {
		return becomeDaemon(l)
	}
	ready, err := startDaemon(ctx, l, note)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, ready)
	return err
}

// launch works out what the daemon is to be told; nothing is made yet.
func (o mountOptions) launch() (launch, error) {
	opts, from, err := o.clientOptions()
	if err != nil {
		return launch{}, err
	}
	l := launch{
		Endpoint: opts.Endpoint, Token: secret(opts.Token), TokenFrom: from,
		Offline: opts.Offline, UserAgent: opts.UserAgent, Origin: opts.Origin, Timeouts: opts.Timeouts,
		CacheSize: o.CacheSize,
		ReadOnly:  o.ReadOnly, AllowOther: o.AllowOther,
		Commit: o.Commit, CommitEvery: o.CommitEvery, NoCommit: o.NoCommit, Debug: o.Debug, Foreground: o.Foreground,
		dieWithStarter: o.dieWithStarter,
	}
	if l.Mount, err = resolveMountPoint(o.MountPoint); err != nil {
		return l, err
	}
	// The client knows the endpoint's own web addresses.
	client, err := remote.New(opts)
	if err != nil {
		return l, usage(err.Error())
	}
	defer client.Close()
	l.Endpoint = client.Endpoint()
	if o.Repo != "" {
		repo, sub, err := client.ParseRepo(o.Repo)
		if err != nil {
			return l, usage(err.Error())
		}
		l.Repo, l.Subdir = &repo, sub
	}
	if l.Cache, err = cacheDir(o.CacheDir); err != nil {
		return l, err
	}
	if l.State, err = stateDir(o.StateDir); err != nil {
		return l, err
	}
	for _, d := range []*string{&l.Cache, &l.State} {
		if *d, err = resolve(*d); err != nil {
			return l, err
		}
	}
	switch {
	case o.LogFile != "":
		if l.Log, err = filepath.Abs(o.LogFile); err != nil {
			return l, err
		}
		if within(l.Log, l.Mount) {
			return l, usage("the log file cannot be in the mount itself")
		}
	case !o.Foreground:
		l.Log = filepath.Join(l.State, "log", mountName(l.Mount)+".log")
	}
	mask := unix.Umask(0)
	unix.Umask(mask)
	l.Umask = uint32(mask)
	return l, nil
}

// resolveMountPoint says what is wrong with a name that cannot be one.
func resolveMountPoint(mnt string) (string, error) {
	if mnt == "" {
		return "", usage("the mount point is empty")
	}
	if strings.HasPrefix(mnt, "hf://") || strings.Contains(mnt, "://") {
		return "", usage(fmt.Sprintf("%s is no mount point; the order is: hubfs mount REPO MOUNTPOINT", mnt))
	}
	return resolve(mnt)
}
