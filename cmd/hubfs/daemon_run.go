package main

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"

	hubfs "github.com/hubfs/hubfs/fs"
)

// lingering is how long open files of a mount that was told to end may go on
// to be served: long enough to write out what is in flight.
const lingering = 5 * time.Second

// run serves until the mount is gone by umount(8), "hubfs umount" or a signal.
// cancel ends everything that ctx waits for; a second signal calls it.
func (d *daemon) run(ctx context.Context, cancel func(), stop <-chan os.Signal) error {
	gone := make(chan struct{})
	go func() {
		d.srv.Wait()
		close(gone)
	}()
	select {
	case <-gone:
	case sig := <-stop:
		d.log.Info("told to end", "signal", sig.String())
		again := make(chan struct{})
		ended := make(chan struct{})
		defer close(ended)
		go func() {
			select {
			case sig := <-stop:
				d.log.Warn("told to end at once; staged work is kept", "signal", sig.String())
				close(again)
				cancel()
			case <-ended:
			}
		}()
		d.end(ctx, gone, again)
	}
	if err := d.commitRest(ctx); err != nil {
		return err
	}
	d.log.Info("ended")
	return nil
}

// end is the orderly way out: commit, unmount, and if somebody is still in the
// mount, take the name away and let what is open finish.
func (d *daemon) end(ctx context.Context, gone, again <-chan struct{}) {
	d.commitRest(ctx) // logs; the rest of it is tried once more after the unmount
	err := d.srv.Unmount()
	if errors.Is(err, syscall.EBUSY) || err != nil {
		d.log.Warn("the mount is in use, it ends without the name", "err", err)
		if err := unmount(context.WithoutCancel(ctx), d.l.Mount, true); err != nil {
			d.log.Error("unmount", "err", err)
		}
	}
	timer := time.NewTimer(lingering)
	defer timer.Stop()
	select {
	case <-gone:
	case <-again:
	case <-timer.C:
		d.log.Warn("files are still open; their programs get errors from now on")
	}
}

// commitRest commits what is staged, one commit per repo, unless it was to be
// kept. What cannot be committed stays staged for the next mount.
func (d *daemon) commitRest(ctx context.Context) error {
	if d.l.ReadOnly || d.srv.KeepStaged() {
		return nil
	}
	req := hubfs.SyncRequest{All: true, Unmount: true}
	err := d.srv.Sync(ctx, req, func(e hubfs.SyncEvent) {
		if e.Type == "result" && !e.Unchanged {
			d.log.Info("committed", "repo", e.Repo, "commit", e.Commit, "url", e.URL)
		}
	})
	if err != nil {
		d.log.Error("not everything is committed; it stays staged for the next mount", "err", err)
	}
	return err
}
