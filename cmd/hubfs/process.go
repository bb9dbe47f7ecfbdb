package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// A process is another process, held so that its number cannot come to mean a
// third one.
type process struct{ fd, pid int }

func openProcess(pid int) (*process, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, err
	}
	return &process{fd, pid}, nil
}

func (p *process) Close() { unix.Close(p.fd) }

// ended tells whether the process has ended, waiting up to ms milliseconds for
// it. One that nobody has collected yet has ended, too.
func (p *process) ended(ms int) (bool, error) {
	fds := []unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, ms)
	if errors.Is(err, syscall.EINTR) {
		err = nil
	}
	return n > 0, err
}

// wait returns when the process has ended.
func (p *process) wait(ctx context.Context) error {
	for ctx.Err() == nil {
		if ended, err := p.ended(100); ended || err != nil {
			return err
		}
	}
	return ctx.Err()
}

// openDaemon opens the daemon of mnt, which says that its number is pid. A
// daemon in another container means another process by it.
func openDaemon(pid int, mnt string) (*process, error) {
	p, err := openProcess(pid)
	if err != nil {
		return nil, err
	}
	args, err := arguments(pid)
	if err == nil && !bytes.HasSuffix(args, []byte("\x00"+mnt+"\x00")) {
		err = fmt.Errorf("process %d is not the daemon of %s", pid, mnt)
	}
	if err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// dying tells whether the process has ended or has been killed: some of its
// threads may be left that wait in the kernel, and do nothing else any more.
func (p *process) dying() bool {
	if ended, _ := p.ended(0); ended {
		return true
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
	if err != nil {
		return errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH)
	}
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		value = strings.TrimSpace(value)
		switch name {
		case "State":
			if strings.HasPrefix(value, "Z") || strings.HasPrefix(value, "X") {
				return true
			}
		case "SigPnd", "ShdPnd":
			pending, err := strconv.ParseUint(value, 16, 64)
			if err == nil && pending&(1<<(unix.SIGKILL-1)) != 0 {
				return true
			}
		}
	}
	return false
}

// findDaemon looks for the daemon of a mount that does not say its number. One
// that runs goes before one that was killed.
func findDaemon(mnt string) *process {
	var found *process
	for _, d := range findDaemons(mnt) {
		if found == nil || found.dying() {
			d, found = found, d
		}
		if d != nil {
			d.Close()
		}
	}
	return found
}

// arguments are those that a process was started with, each ended by a zero. If
// its main thread has ended, another one may still tell.
func arguments(pid int) ([]byte, error) {
	args, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil || len(args) > 0 {
		return args, err
	}
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/[0-9]*/cmdline", pid))
	for _, t := range threads {
		if args, err := os.ReadFile(t); err == nil && len(args) > 0 {
			return args, nil
		}
	}
	return nil, nil
}

// findDaemons are all daemons of mnt that are there, also if they have been
// killed and cannot end.
func findDaemons(mnt string) (found []*process) {
	procs, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range procs {
		pid, err := strconv.Atoi(filepath.Base(p))
		if err != nil {
			continue
		}
		args, err := arguments(pid)
		if err != nil || !bytes.Contains(args, []byte("\x00serve\x00--options-fd\x00")) {
			continue
		}
		if d, err := openDaemon(pid, mnt); err == nil {
			found = append(found, d)
		}
	}
	return found
}
