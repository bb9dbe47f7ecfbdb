package main

import (
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"golang.org/x/sys/unix"
)

// harden prepares the process to be a daemon that holds a token and serves
// files for weeks.
func harden(foreground bool) error {
	// No core dump and no ptrace by other processes of the user: the token is
	// in memory. It also makes /proc/PID/environ root's.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return err
	}
	unix.Umask(0o077)
	// A reader of the log or of standard error that went away must not end a
	// file system; neither must the terminal that it was started from.
	signal.Ignore(syscall.SIGPIPE)
	if !foreground {
		signal.Ignore(syscall.SIGHUP)
	}
	raiseFiles()
	limitMemory()
	return nil
}

// raiseFiles allows as many descriptors as the system does: each cached blob
// that is open holds two.
func raiseFiles() {
	var lim unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &lim) != nil {
		return
	}
	const plenty = 1 << 20
	want := unix.Rlimit{Cur: max(lim.Max, plenty), Max: max(lim.Max, plenty)}
	if unix.Setrlimit(unix.RLIMIT_NOFILE, &want) != nil { // only root may raise Max
		unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: lim.Max, Max: lim.Max})
	}
}

// limitMemory makes the collector work harder before the daemon grows at the
// cost of the programs that it serves: an eighth of the memory, at most 1 GiB.
// It is no hard limit, and GOMEMLIMIT overrides it.
func limitMemory() {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return
	}
	total := int64(info.Totalram) * int64(info.Unit)
	debug.SetMemoryLimit(min(max(total/8, 128<<20), 1<<30))
}
