package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// errGone is a mount that does not answer and whose daemon is gone. Something
// keeps the connection to the kernel open all the same: a thread of the daemon
// that waits for a lock in the kernel, whose holder waits for the daemon. Who
// touches such a mount may wait with them, and cannot be killed then.
var errGone = errors.New("the daemon has ended")

// health asks how mnt does: nil, an error that isDead, errHangs, or why it may
// not be looked at. It looks for the daemon first, and touches nothing that a
// dying one has served.
func health(ctx context.Context, mnt string) error {
	if !isMounted(mnt) {
		return probe(ctx, mnt)
	}
	running, dying := daemonsOf(mnt)
	if dying && !running {
		return errGone
	}
	err := probe(ctx, mnt)
	if errors.Is(err, errHangs) && !running {
		return errGone
	}
	return err
}

// daemonsOf tells whether a daemon of mnt runs, and whether one is there that
// was killed and cannot end.
func daemonsOf(mnt string) (running, dying bool) {
	for _, d := range findDaemons(mnt) {
		if d.dying() {
			dying = true
		} else {
			running = true
		}
		d.Close()
	}
	return running, dying
}

const connections = "/sys/fs/fuse/connections"

// abortMount ends the connection between the kernel and the daemon of mnt: all
// who wait for an answer get an error.
func abortMount(mnt string) error {
	info, err := covering(mnt)
	if err != nil {
		return err
	}
	if info.Mountpoint != mnt || info.FSType != fsType {
		return fmt.Errorf("%s is no hubfs mount", mnt)
	}
	return abort(info.Minor)
}

// abort ends the FUSE connection whose device number has that minor. It waits
// for nobody.
func abort(minor int) error {
	name := filepath.Join(connections, strconv.Itoa(minor), "abort")
	err := writeAbort(name)
	if errors.Is(err, os.ErrNotExist) && os.Geteuid() == 0 {
		// Often nobody has mounted it in a container.
		if unix.Mount("fusectl", connections, "fusectl", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "") == nil {
			err = writeAbort(name)
		}
	}
	if err != nil {
		return fmt.Errorf("abort: %w", err)
	}
	return nil
}

func writeAbort(name string) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.Write([]byte("1"))
	return err
}

// endWait is how long a killed daemon may take to end.
const endWait = 10 * time.Second

// kill ends a daemon at once. That is safe at any moment: what is staged is
// found by the next mount. The connection is aborted since a thread of the
// daemon may wait for its own mount.
func (p *process) kill(ctx context.Context, mnt string) error {
	if err := unix.PidfdSendSignal(p.fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	aborted := abortMount(mnt)
	ctx, cancel := context.WithTimeout(ctx, endWait)
	defer cancel()
	if err := p.wait(ctx); err != nil {
		return errors.Join(fmt.Errorf("it does not end: %w", err), aborted)
	}
	return nil
}
