package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A loopback is go-fuse's example of that name over a plain folder: what the
// FUSE library costs by itself.
type loopback struct {
	path string
	cmd  *exec.Cmd
}

const loopbackSource = "github.com/hanwen/go-fuse/v2/example/loopback"

func (s *setup) loopback() (l *loopback, err error) {
	binary := filepath.Join(s.dir, "loopback")
	if out, err := exec.CommandContext(s.ctx, "go", "build", "-o", binary, loopbackSource).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build %s: %w\n%s", loopbackSource, err, out)
	}
	below := filepath.Join(s.dir, "loopback-files")
	l = &loopback{path: filepath.Join(s.dir, "loopback-mnt")}
	if err := errors.Join(os.Mkdir(below, 0o755), os.Mkdir(l.path, 0o755)); err != nil {
		return nil, err
	}
	l.cmd = exec.Command(binary, "-q", l.path, below)
	l.cmd.Stderr = os.Stderr
	l.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := l.cmd.Start(); err != nil {
		return nil, err
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		var st unix.Statfs_t
		if err := unix.Statfs(l.path, &st); err == nil && int64(st.Type) == unix.FUSE_SUPER_MAGIC {
			return l, nil
		}
		if time.Now().After(end) {
			return nil, errors.Join(errors.New("the loopback example did not mount"), l.close())
		}
	}
}

func (l *loopback) close() error {
	// It unmounts, which ends it.
	if err := l.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	timer := time.AfterFunc(10*time.Second, func() {
		_ = unix.Unmount(l.path, unix.MNT_DETACH)
		_ = l.cmd.Process.Kill()
	})
	defer timer.Stop()
	return l.cmd.Wait()
}
