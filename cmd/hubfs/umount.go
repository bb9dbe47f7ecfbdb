package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	hubfs "github.com/hubfs/hubfs/fs"
	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"
)

func umountCmd() *cli.Command {
	return &cli.Command{
		Name:      "umount",
		Aliases:   []string{"unmount"},
		Usage:     "commit what is staged, then unmount",
		ArgsUsage: "MOUNTPOINT",
		Description: `Commits what is staged, one commit per repo, unmounts, and waits until the
daemon has gone. If a commit fails, files are open for writing or the mount is in
use, the mount stays and the exit code says why. On a mount whose daemon was
killed it cleans up.

` + exitHelp,
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "force",
				Usage: "unmount without committing, even if busy, for when the Hub or a program hangs; everything stays staged"},
			&cli.StringFlag{Name: "message", Aliases: []string{"m"},
				Usage: "`TEXT` of the commits, for who wants to say what was done"},
			&cli.DurationFlag{Name: "wait", DefaultText: "as the mount, 10s",
				Usage: "wait up to `TIME` for files that are still being written"},
		}, outputFlags()...),
		Action: run(func(ctx context.Context, c *cli.Context) error {
			o := umountOptions{MountPoint: c.Args().First(), Force: c.Bool("force"), output: outputOf(c)}
			if c.NArg() != 1 {
				return o.failed(c.App.Writer, usage("umount wants one mount point (see hubfs umount --help)"))
			}
			o.Message = c.String("message")
			if c.IsSet("wait") {
				o.Wait = c.Duration("wait").String()
			}
			return umount(ctx, o, c.App.Writer, c.App.ErrWriter)
		}),
	}
}

type umountOptions struct {
	output
	hubfs.CommitOptions // the mount's own where they are not set
	MountPoint          string
	Force               bool // do not commit, keep everything staged
}

// controlWait bounds how long a forced unmount waits for a daemon to listen.
const controlWait = 5 * time.Second

// umount returns nil when the mount and its daemon are gone. After an error
// with an exit code of its own the mount is still there.
func umount(ctx context.Context, o umountOptions, out, errOut io.Writer) error {
	got := synced{Results: []repoResult{}, Failures: []repoFailure{}}
	err := o.umount(ctx, &got, out, errOut)
	if o.JSON {
		return errors.Join(err, printJSON(out, syncReport{outcomeOf(err), got}))
	}
	return err
}

func (o umountOptions) umount(ctx context.Context, got *synced, out, errOut io.Writer) error {
	mnt, err := exactMount(o.MountPoint)
	if err != nil {
		return err
	}
	err = health(ctx, mnt)
	switch {
	case isDead(err):
		if err := cleanUp(ctx, mnt); err != nil {
			return err
		}
		fmt.Fprintf(errOut, "hubfs: cleaned up %s, whose daemon had ended; staged work is kept for the next mount\n", mnt)
		return nil
	case errors.Is(err, errHangs) && o.Force:
		return killDaemon(ctx, mnt, errOut)
	case errors.Is(err, errHangs):
		return controlError(mnt, err)
	case errors.Is(err, os.ErrPermission) && o.Force:
		fmt.Fprintf(errOut, "hubfs: %s belongs to another user; the daemon commits what is staged\n", mnt)
		return unmount(ctx, mnt, true)
	case errors.Is(err, os.ErrPermission):
		return controlError(mnt, err)
	}
	st, err := readStatus(ctx, mnt)
	switch {
	case err != nil && !o.Force:
		return err
	case errors.Is(err, errHangs):
		return killDaemon(ctx, mnt, errOut)
	}
	var daemon *process
	if st.PID > 0 {
		if daemon, err = openDaemon(st.PID, mnt); err == nil {
			defer daemon.Close()
		}
	}
	if o.Force {
		return forceUmount(ctx, mnt, st, daemon, errOut)
	}

	show := o.progress(errOut)
	*got, err = requestSync(ctx, mnt, hubfs.SyncRequest{All: true, Unmount: true, CommitOptions: o.CommitOptions}, show)
	show.close()
	err = got.explain(err, "hubfs umount "+quote(mnt))
	if !o.JSON {
		o.print(out, errOut, *got)
	}
	if err != nil {
		if code := exitCode(err); code == exitCommit || code == exitConflict || code == exitBusy {
			err = fmt.Errorf("%w\nTo unmount all the same and keep it staged: hubfs umount --force %s", err, quote(mnt))
		}
		return err
	}
	if err := unmount(ctx, mnt, false); err != nil {
		if errors.Is(err, unix.EBUSY) {
			return coded(errBusy, busyText(mnt))
		}
		return fmt.Errorf("unmount %s: %w", mnt, err)
	}
	sayStaged(errOut, st, got.Results)
	return waitGone(ctx, daemon)
}

// sayStaged tells what was staged in the mount and is in none of the results.
func sayStaged(errOut io.Writer, st hubfs.Status, results []repoResult) {
	for _, w := range st.Worktrees {
		n := len(w.Staged)
		committed := slices.ContainsFunc(results, func(r repoResult) bool { return r.Repo == w.Repo || r.Repo == repoBranch(w) })
		switch {
		case n == 0 || committed:
		case w.Gone:
			fmt.Fprintf(errOut, "hubfs: lost, since the state directory was removed: %s of %s\n", plural(n, "change", "changes"), repoBranch(w))
		default:
			fmt.Fprintf(errOut, "hubfs: staged for the next mount: %s of %s\n", plural(n, "change", "changes"), repoBranch(w))
		}
	}
}

// exactMount is the mount point that path names; a path below one is not
// meant, or "hubfs umount ~/hub/me/model" would end the whole mount.
func exactMount(path string) (string, error) {
	mnt, rel, err := findMount(path)
	if err != nil {
		return "", err
	}
	if rel != "" {
		return "", usage(fmt.Sprintf("%s is in the mount %s; to unmount that: hubfs umount %s", path, mnt, quote(mnt)))
	}
	return mnt, nil
}

// forceUmount takes the mount away whatever goes on in it.
func forceUmount(ctx context.Context, mnt string, st hubfs.Status, daemon *process, errOut io.Writer) error {
	asking, cancel := context.WithTimeout(ctx, controlWait)
	_, err := requestSync(asking, mnt, hubfs.SyncRequest{Unmount: true, Keep: true}, newProgress(io.Discard))
	cancel()
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return killDaemon(ctx, mnt, errOut)
	}
	if err != nil {
		fmt.Fprintf(errOut, "hubfs: the daemon does not listen (%v); it may still commit what is staged\n", err)
	}
	err = unmount(ctx, mnt, false)
	lazy := errors.Is(err, unix.EBUSY)
	if lazy {
		fmt.Fprintf(errOut, "hubfs: %s was busy; its daemon ends when the last file in it is closed\n", mnt)
		err = unmount(ctx, mnt, true)
	}
	if err != nil {
		return fmt.Errorf("unmount %s: %w", mnt, err)
	}
	sayStaged(errOut, st, nil)
	if lazy || daemon == nil {
		return nil
	}
	waiting, cancel := context.WithTimeout(ctx, endWait)
	defer cancel()
	if waitGone(waiting, daemon) == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	return daemon.kill(ctx, mnt)
}

// killDaemon ends a daemon that does not answer.
func killDaemon(ctx context.Context, mnt string, errOut io.Writer) error {
	d := findDaemon(mnt)
	if d == nil {
		fmt.Fprintf(errOut, "hubfs: cannot find the daemon of %s; if it goes on, it commits what is staged\n", mnt)
		return cleanUp(ctx, mnt)
	}
	defer d.Close()
	if err := d.kill(ctx, mnt); err != nil {
		return fmt.Errorf("end process %d: %w", d.pid, err)
	}
	fmt.Fprintf(errOut, "hubfs: ended the daemon (process %d), which did not answer; what is staged is kept for the next mount\n", d.pid)
	return cleanUp(ctx, mnt)
}

// waitGone waits for the end of the daemon, which may still commit what was
// written while it was told to unmount.
func waitGone(ctx context.Context, daemon *process) error {
	if daemon == nil {
		return nil
	}
	if err := daemon.wait(ctx); err != nil {
		return fmt.Errorf("unmounted; the daemon has not ended yet: %w", err)
	}
	return nil
}
