package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// A place is where a mount goes and what it needs on the local disk, all of
// them absolute and free of symbolic links.
type place struct {
	mnt, cache, state string
}

// preflight finds out before anything is started what would make the mount
// fail, so that it can be said in one line with what to do about it. It takes a
// dead mount off the mount point and makes the cache and state directories.
func preflight(ctx context.Context, p place, allowOther bool, note func(string)) error {
	if err := checkFuse(allowOther); err != nil {
		return err
	}
	dirs := []struct{ what, dir string }{{"cache", p.cache}, {"state", p.state}}
	for _, d := range dirs {
		if err := checkLocal(p.mnt, d.what, d.dir); err != nil {
			return err
		}
	}
	if err := checkMountPoint(ctx, p.mnt, note); err != nil {
		return err
	}
	for _, d := range dirs {
		if err := privateDir(d.dir); err != nil {
			return fmt.Errorf("%s directory: %w (choose another with --%s-dir)", d.what, err, d.what)
		}
	}
	return nil
}

// checkLocal refuses a cache or state directory that would be served by hubfs
// itself: each read of it would wait for the daemon that makes it.
func checkLocal(mnt, what, dir string) error {
	if overlap(mnt, dir) {
		return usage(fmt.Sprintf("the %s directory %s and the mount point %s lie in each other: choose another with --%s-dir", what, dir, mnt, what))
	}
	if info, err := covering(dir); err == nil && info.FSType == fsType {
		return usage(fmt.Sprintf("the %s directory %s lies in the hubfs mount %s: choose another with --%s-dir", what, dir, info.Mountpoint, what))
	}
	return nil
}

func checkMountPoint(ctx context.Context, mnt string, note func(string)) error {
	err := health(ctx, mnt)
	if isDead(err) {
		if err := cleanUp(ctx, mnt); err != nil {
			return err
		}
		note("cleaned up " + mnt + ", whose daemon had ended")
		err = health(ctx, mnt)
	}
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("mount point %s does not exist: mkdir -p %s", mnt, quote(mnt))
	case errors.Is(err, errHangs):
		return fmt.Errorf("mount point %s does not answer: hubfs umount --force %s", mnt, quote(mnt))
	case err != nil:
		return fmt.Errorf("mount point: %w", err)
	}
	if isMounted(mnt) {
		return alreadyMounted(mnt)
	}
	fi, err := os.Stat(mnt)
	if err != nil {
		return fmt.Errorf("mount point: %w", err)
	}
	if !fi.IsDir() {
		return fmt.Errorf("mount point %s is not a directory", mnt)
	}
	names, err := readSome(mnt)
	if err != nil {
		return fmt.Errorf("mount point: %w", err)
	}
	if len(names) > 0 {
		return fmt.Errorf("mount point %s is not empty, a mount would hide what is in it: choose an empty directory", mnt)
	}
	// fusermount3 asks for this; root needs no permission.
	if unix.Access(mnt, unix.W_OK) != nil {
		return fmt.Errorf("mount point %s is not writable for you: choose a directory of your own", mnt)
	}
	return nil
}

func alreadyMounted(mnt string) error {
	return fmt.Errorf("%s is a hubfs mount already: hubfs umount %s first, or choose another directory", mnt, quote(mnt))
}

func readSome(dir string) ([]string, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, _ := f.Readdirnames(1)
	return names, nil
}

const fuseDevice = "/dev/fuse"

func checkFuse(allowOther bool) error {
	_, err := os.Stat(fuseDevice)
	if errors.Is(err, os.ErrNotExist) {
		return errors.New("no /dev/fuse: load the kernel module (modprobe fuse), or give the container --device /dev/fuse --cap-add SYS_ADMIN")
	}
	if err != nil {
		return err
	}
	if os.Geteuid() == 0 {
		return nil
	}
	if _, err := fusermount(); err != nil {
		return err
	}
	// fusermount3 opens it in the user's name.
	if unix.Access(fuseDevice, unix.R_OK|unix.W_OK) != nil {
		return errors.New("/dev/fuse is closed to normal users here: let root open it (chmod a+rw /dev/fuse)")
	}
	if allowOther && !userAllowOther("/etc/fuse.conf") {
		return errors.New("--allow-other for a normal user needs the line user_allow_other in /etc/fuse.conf")
	}
	return nil
}

func userAllowOther(conf string) bool {
	f, err := os.Open(conf)
	if err != nil {
		return false
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if strings.TrimSpace(s.Text()) == "user_allow_other" {
			return true
		}
	}
	return false
}

// quote makes s safe to paste into a shell.
func quote(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r == '/' || r == '.' || r == '-' || r == '_' || r == '@' || r == '+' || r == ':' || r == '%' ||
			'0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || r > 127)
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
