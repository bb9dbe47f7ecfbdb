package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// unmount takes the topmost mount off mnt: by the system call for who may make
// it, else by fusermount3. A lazy unmount takes the name away at once and ends
// the mount when its last file is closed. errors.Is(err, unix.EBUSY) tells that
// the mount is in use.
func unmount(ctx context.Context, mnt string, lazy bool) error {
	flags := unix.UMOUNT_NOFOLLOW
	if lazy {
		flags |= unix.MNT_DETACH
	}
	err := unix.Unmount(mnt, flags)
	if !errors.Is(err, unix.EPERM) {
		return err
	}
	bin, err := fusermount()
	if err != nil {
		return err
	}
	args := []string{"-u"}
	if lazy {
		args = append(args, "-z")
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, bin, append(args, "--", mnt)...)
	// Its words are compared below.
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		text := strings.TrimSpace(stderr.String())
		if strings.Contains(text, "busy") {
			return unix.EBUSY
		}
		return fmt.Errorf("%s: %s", filepath.Base(bin), text)
	}
	return nil
}

// fusermount is the setuid helper of libfuse, which mounts and unmounts for
// normal users.
func fusermount() (string, error) {
	for _, name := range []string{"fusermount3", "fusermount"} {
		if p, err := exec.LookPath(name); err == nil {
			return p, nil
		}
	}
	return "", errors.New("a normal user needs fusermount3 to mount: install the package fuse3, or run hubfs as root")
}

// cleanUp takes a mount that is known to be dead off its mount point; there may
// be several on top of each other.
func cleanUp(ctx context.Context, mnt string) error {
	for i := range 10 {
		if !isMounted(mnt) || i > 0 && !isDead(health(ctx, mnt)) {
			return nil
		}
		// Something may still keep the connection open. Only its owner can, and
		// the mount goes away all the same.
		abortMount(mnt)
		if err := unmount(ctx, mnt, true); err != nil {
			return fmt.Errorf("clean up the dead mount on %s: %w", mnt, err)
		}
	}
	return nil
}

// holders names processes that keep a mount busy, as far as this user may see
// them: by working directory, root, program or open file.
func holders(mnt string) []string {
	const most = 4
	var out []string
	procs, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range procs {
		what := heldBy(p, mnt)
		if what == "" {
			continue
		}
		if len(out) == most {
			return append(out, "…")
		}
		comm, _ := os.ReadFile(p + "/comm")
		out = append(out, fmt.Sprintf("%s (pid %s, %s)", strings.TrimSpace(string(comm)), filepath.Base(p), what))
	}
	return out
}

func heldBy(proc, mnt string) string {
	links := []struct{ name, what string }{
		{"cwd", "working directory"}, {"root", "root directory"}, {"exe", "program"},
	}
	for _, l := range links {
		if target, err := os.Readlink(filepath.Join(proc, l.name)); err == nil && within(target, mnt) {
			return l.what
		}
	}
	fds, _ := os.ReadDir(proc + "/fd")
	for _, fd := range fds {
		if target, err := os.Readlink(filepath.Join(proc, "fd", fd.Name())); err == nil && within(target, mnt) {
			return "open file " + filepath.Base(target)
		}
	}
	return ""
}

// busyText says why mnt cannot be unmounted, in one line.
func busyText(mnt string) string {
	s := mnt + " is busy"
	if h := holders(mnt); len(h) > 0 {
		s += ": " + strings.Join(h, ", ")
	}
	return s + "; end that and try again (or unmount all the same: hubfs umount --force " + quote(mnt) + ")"
}
