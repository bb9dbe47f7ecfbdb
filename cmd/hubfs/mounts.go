package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// fsType is how a mount shows in /proc/self/mountinfo, in mount(8) and in df -T.
const fsType = "fuse.hubfs"

// probeTimeout bounds how long a command waits for a mount that may hang.
const probeTimeout = 10 * time.Second

// hubfsMounts lists the mount points of hubfs, in the order of mounting,
// without touching any of them.
func hubfsMounts() ([]string, error) {
	infos, err := mountinfo.GetMounts(func(i *mountinfo.Info) (skip, stop bool) {
		return i.FSType != fsType, false
	})
	if err != nil {
		return nil, fmt.Errorf("read the mount table: %w", err)
	}
	var out []string
	for _, i := range infos {
		out = append(out, i.Mountpoint)
	}
	return out, nil
}

// covering is the innermost mount that path lies in. In a chroot whose root is
// no mount point the table may have none: then it is the zero Info, of no type.
func covering(path string) (*mountinfo.Info, error) {
	infos, err := mountinfo.GetMounts(mountinfo.ParentsFilter(path))
	if err != nil {
		return nil, fmt.Errorf("read the mount table: %w", err)
	}
	var best *mountinfo.Info
	for _, i := range infos {
		// A later mount on the same point covers the earlier one.
		if best == nil || len(i.Mountpoint) >= len(best.Mountpoint) {
			best = i
		}
	}
	if best == nil {
		return &mountinfo.Info{}, nil
	}
	return best, nil
}

// isMounted tells whether mnt is a mount point of hubfs.
func isMounted(mnt string) bool {
	info, err := covering(mnt)
	return err == nil && info.Mountpoint == mnt && info.FSType == fsType
}

// findMount gives the hubfs mount that path lies in, and path relative to it
// ("" for the mount point itself).
func findMount(path string) (mnt, rel string, err error) {
	abs, err := resolve(path)
	if err != nil {
		return "", "", err
	}
	info, err := covering(abs)
	if err != nil {
		return "", "", err
	}
	if info.FSType != fsType {
		return "", "", fmt.Errorf("%s is not in a hubfs mount%s", path, mountList())
	}
	rel, err = filepath.Rel(info.Mountpoint, abs)
	if err != nil {
		return "", "", err
	}
	if rel == "." {
		rel = ""
	}
	return info.Mountpoint, rel, nil
}

// mountList is the end of a sentence that names the mounts there are.
func mountList() string {
	all, err := hubfsMounts()
	if err != nil || len(all) == 0 {
		return " (nothing is mounted)"
	}
	s := " (mounted: "
	for i, m := range all {
		if i > 0 {
			s += ", "
		}
		s += m
	}
	return s + ")"
}

// isDead recognises a FUSE mount whose daemon has ended without unmounting.
func isDead(err error) bool {
	return errors.Is(err, errGone) || errors.Is(err, syscall.ENOTCONN) || errors.Is(err, syscall.ECONNABORTED)
}

// errHangs is a mount whose daemon runs but does not answer.
var errHangs = errors.New("does not answer")

// probe asks whether there is an answer from path, which may be a mount. The
// kernel answers stat of a dead mount from memory for a while, but not statfs.
func probe(ctx context.Context, path string) error {
	return bounded(ctx, func() error {
		var st unix.Statfs_t
		if err := unix.Statfs(path, &st); err != nil {
			return &os.PathError{Op: "stat", Path: path, Err: err}
		}
		_, err := os.Lstat(path)
		return err
	})
}

// bounded gives up waiting for f. What waits for a FUSE answer cannot be
// interrupted from Go, so the waiting is left to a goroutine that ends with the
// mount or with the process.
func bounded(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	timer := time.NewTimer(probeTimeout)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return errHangs
	}
}

func ownerOf(fi os.FileInfo) int {
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid)
	}
	return -1
}
