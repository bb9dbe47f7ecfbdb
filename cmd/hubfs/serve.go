package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	"github.com/hubfs/hubfs/blockcache"
	"github.com/hubfs/hubfs/commit"
	hubfs "github.com/hubfs/hubfs/fs"
	"github.com/hubfs/hubfs/remote"
	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"
)

// serveCmd is the daemon; mount starts it (see the package comment).
func serveCmd() *cli.Command {
	return &cli.Command{
		Name:   "serve",
		Hidden: true,
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "options-fd", Required: true},
			&cli.IntFlag{Name: "report-fd", Value: -1},
		},
		Action: run(func(ctx context.Context, c *cli.Context) error {
			rep := &reporter{}
			if fd := c.Int("report-fd"); fd >= 0 {
				unix.CloseOnExec(fd)
				rep.pipe = os.NewFile(uintptr(fd), "reports")
			}
			options := os.NewFile(uintptr(c.Int("options-fd")), "options")
			l, err := readLaunch(options)
			options.Close()
			if err != nil {
				return err
			}
			// The first signal ends the mount in order and the second at once,
			// so the context that main cancels by the first is not for this.
			stop := make(chan os.Signal, 2)
			signal.Notify(stop, endingSignals(l)...)
			defer signal.Stop(stop)
			err = serve(context.WithoutCancel(ctx), l, rep, stop)
			if rep.pipe != nil && err != nil {
				rep.failed(err)
			}
			return err
		}),
	}
}

// endingSignals: a terminal that goes away ends what runs in its foreground.
func endingSignals(l launch) []os.Signal {
	s := []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	if l.Foreground {
		s = append(s, syscall.SIGHUP)
	}
	return s
}

// serve mounts, serves until the mount is gone, and commits what is staged
// then, unless it was to be kept.
func serve(ctx context.Context, l launch, rep *reporter, stop <-chan os.Signal) error {
	if err := harden(l.Foreground); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	log := newLogger(l.Debug)

	lock, err := lockMountPoint(ctx, l, rep, stop)
	if err != nil {
		return err
	}
	defer lock.Close()

	client, err := remote.New(remote.Options{
		Endpoint: l.Endpoint, Token: string(l.Token), Offline: l.Offline,
		UserAgent: l.UserAgent, Timeouts: l.Timeouts, Logger: log,
	})
	if err != nil {
		return err
	}
	defer client.Close()
	user, err := identify(ctx, client, l, rep)
	if err != nil {
		return err
	}
	cache, err := blockcache.Open(l.Cache, blockcache.Options{Limit: l.CacheSize, Logger: log})
	if err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	defer cache.Close()
	store, err := commit.Open(ctx, commit.Options{
		Dir: l.State, Client: client, Cache: cache, Logger: log, MountPoint: l.Mount,
		ReadOnly: l.ReadOnly, Private: l.Private,
		Waiting: func(repo, holder string) {
			log.Info("waiting for another process", "repo", repo, "holder", holder)
			rep.note(fmt.Sprintf("waiting for %s, which still commits what was staged in %s", holder, repo))
		},
	})
	if err != nil {
		return fmt.Errorf("staged work: %w", err)
	}
	defer store.Close()

	srv, err := hubfs.Mount(l.Mount, client, store, cache, hubfs.Options{
		Repo: l.Repo, Subdir: l.Subdir,
		ReadOnly: l.ReadOnly, AllowOther: l.AllowOther,
		Version: versionName(), LogFile: l.Log, User: user, Debug: l.Debug, Logger: log, Umask: l.Umask,
	})
	if err != nil {
		return mountError(err, l)
	}
	log.Info("mounted", "on", l.Mount, "what", l.what(), "endpoint", client.Endpoint(), "user", user, "version", versionName())
	rep.ready(fmt.Sprintf("%s: %s, %s", l.Mount, l.what(), l.who(user)))

	d := &daemon{l: l, srv: srv, log: log}
	return d.run(ctx, cancel, stop)
}

func newLogger(debug bool) *slog.Logger {
	level := slog.LevelInfo
	if debug {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}

// what is mounted, in words.
func (l launch) what() string {
	if l.Repo == nil {
		return "the whole Hub"
	}
	if l.Subdir != "" {
		return l.Repo.String() + "/" + l.Subdir
	}
	return l.Repo.String()
}

// lockMountPoint waits for an earlier daemon of the same mount point: after
// umount(8) it still commits what was staged, and its repos are its own until
// then.
func lockMountPoint(ctx context.Context, l launch, rep *reporter, stop <-chan os.Signal) (*flock.Flock, error) {
	path := filepath.Join(l.State, "log", mountName(l.Mount)+".lock")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	lock := flock.New(path, flock.SetPermissions(0o600))
	ok, err := lock.TryLock()
	if err == nil && !ok {
		rep.note("waiting for the mount before this one, which still commits what was staged in " + l.Mount)
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		go func() {
			select {
			case <-stop:
				cancel()
			case <-ctx.Done():
			}
		}()
		_, err = lock.TryLockContext(ctx, 50*time.Millisecond)
	}
	if err != nil {
		lock.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return lock, nil
}

// identify asks whose token it is, at most one request: a wrong token is said
// now, and not by the first file. The user is "" if nobody can tell.
func identify(ctx context.Context, client *remote.Client, l launch, rep *reporter) (user string, err error) {
	if client.Anonymous() || l.Offline || l.Subdir != "" {
		// For a folder of a repo the Hub is asked about the repo and its tree,
		// which it refuses to a wrong token, and two requests are enough.
		return "", nil
	}
	u, err := client.WhoAmI(ctx)
	var answer *remote.Error
	switch {
	case err == nil:
		return u.Name, nil
	case refused(err):
		return "", badToken(client.Endpoint(), l.TokenFrom)
	case errors.As(err, &answer):
		// A Hub that does not say, or is too busy to, still serves files.
		rep.note(fmt.Sprintf("the Hub does not say whose token this is: %v", err))
		return "", nil
	}
	return "", fmt.Errorf("%s cannot be reached: %w", client.Endpoint(), err)
}

// who uses the mount, in words.
func (l launch) who(user string) string {
	switch {
	case user != "":
		return "as " + user
	case l.Offline:
		return "offline"
	case l.Token == "":
		return "anonymous, so read-only"
	}
	return "with the token of " + l.TokenFrom
}
