package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
	"github.com/hubfs/hubfs/blockcache"
	"github.com/hubfs/hubfs/commit"
	hubfs "github.com/hubfs/hubfs/fs"
	"github.com/hubfs/hubfs/remote"
)

// A daemon is one mount: its start, its service and its end.
type daemon struct {
	l   launch
	rep *reporter
	log *slog.Logger

	srv     *hubfs.Server
	closers []func() error // what start has opened, in that order
}

// start opens everything and mounts. After an error close has the rest.
func (d *daemon) start(ctx context.Context) error {
	l := d.l
	lock, err := d.lockMountPoint(ctx)
	if err != nil {
		return err
	}
	d.closers = append(d.closers, lock.Close)

	client, err := remote.New(remote.Options{
		Endpoint: l.Endpoint, Token: string(l.Token), Offline: l.Offline,
		UserAgent: l.UserAgent, Origin: l.Origin, Timeouts: l.Timeouts, Logger: d.log,
	})
	if err != nil {
		return err
	}
	d.closers = append(d.closers, client.Close)
	cache, err := blockcache.Open(l.Cache, blockcache.Options{Limit: l.CacheSize, Logger: d.log})
	if err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	d.closers = append(d.closers, cache.Close)
	// The store works on until it is closed, also after an interrupted start.
	store, err := commit.Open(context.WithoutCancel(ctx), commit.Options{
		Dir: l.State, Client: client, Cache: cache, Logger: d.log, MountPoint: l.Mount,
		ReadOnly: l.ReadOnly, PullRequests: l.Commit.CreatePR, Waiting: d.waiting,
	})
	if err != nil {
		return fmt.Errorf("staged work: %w", err)
	}
	d.closers = append(d.closers, store.Close)
	user, err := d.identify(ctx, client, len(store.Staged()) > 0)
	if err != nil {
		return err
	}

	d.srv, err = hubfs.Mount(l.Mount, client, store, cache, hubfs.Options{
		Repo: l.Repo, Subdir: l.Subdir,
		ReadOnly: l.ReadOnly, AllowOther: l.AllowOther, Umask: l.Umask,
		Commit: l.Commit, CommitEvery: l.CommitEvery, NoCommit: l.NoCommit,
		Version: versionName(), LogFile: l.Log, User: user, Debug: l.Debug, Logger: d.log,
	})
	if err != nil {
		return mountError(err, l)
	}
	d.log.Info("mounted", "on", l.Mount, "what", l.what(), "endpoint", client.Endpoint(), "user", user, "version", versionName())
	d.rep.ready(fmt.Sprintf("%s: %s, %s", l.Mount, l.what(), l.who(user)))
	return nil
}

func (d *daemon) close() {
	for i := len(d.closers) - 1; i >= 0; i-- {
		if err := d.closers[i](); err != nil {
			d.log.Warn("close", "err", err)
		}
	}
}

func (d *daemon) waiting(repo, holder string) {
	d.log.Info("waiting for another process", "repo", repo, "holder", holder)
	d.rep.note(fmt.Sprintf("waiting for %s, which still commits what was staged in %s", holder, repo))
}

// lockMountPoint waits for an earlier daemon of the same mount point: after
// umount(8) it still commits what was staged.
func (d *daemon) lockMountPoint(ctx context.Context) (*flock.Flock, error) {
	path := filepath.Join(d.l.State, "log", mountName(d.l.Mount)+".lock")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	lock := flock.New(path, flock.SetPermissions(0o600))
	for said := false; ; said = true {
		ok, err := lock.TryLock()
		if ok {
			return lock, nil
		}
		if err == nil && isMounted(d.l.Mount) {
			// Not a mount that ends, but another one that began just now.
			err = alreadyMounted(d.l.Mount)
		} else if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			lock.Close()
			return nil, err
		}
		if !said {
			d.rep.note("waiting for the mount before this one, which still commits what was staged in " + d.l.Mount)
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// identify asks whose token it is, at most one request: a wrong token is said
// now, and not by the first file. The user is "" if nobody can tell. Staged
// work is there without the Hub, too.
func (d *daemon) identify(ctx context.Context, client *remote.Client, staged bool) (user string, err error) {
	if client.Anonymous() || d.l.Offline || d.l.Subdir != "" {
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
		return "", badToken(client.Endpoint(), d.l.TokenFrom)
	case errors.As(err, &answer):
		// A Hub that does not say, or is too busy to, still serves files.
		d.rep.note(fmt.Sprintf("the Hub does not say whose token this is: %v", err))
		return "", nil
	case staged && ctx.Err() == nil:
		d.rep.note(fmt.Sprintf("%s cannot be reached; what is staged is there (%v)", client.Endpoint(), err))
		return "", nil
	}
	return "", fmt.Errorf("%s cannot be reached: %w", client.Endpoint(), err)
}
