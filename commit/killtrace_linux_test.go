package commit

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A killPoint is a moment in a traced process's life: just before or just after
// its n-th call that changes a file below one of its directories. That counts
// the calls of staging, of the cache that adopts what was committed, and those
// of the program that writes through a descriptor.
type killPoint struct {
	n     int // from 1; 0 = never
	after bool
}

func (p killPoint) String() string {
	if p.after {
		return fmt.Sprintf("after %d", p.n)
	}
	return fmt.Sprintf("before %d", p.n)
}

// changing are the calls that are looked at. Go's library uses the ones that
// end in "at" for everything that has a path.
var changing = []uint32{
	unix.SYS_WRITE, unix.SYS_PWRITE64, unix.SYS_WRITEV, unix.SYS_PWRITEV, unix.SYS_PWRITEV2,
	unix.SYS_COPY_FILE_RANGE, unix.SYS_SENDFILE, unix.SYS_SPLICE, unix.SYS_FALLOCATE,
	unix.SYS_FSYNC, unix.SYS_FDATASYNC, unix.SYS_FTRUNCATE, unix.SYS_TRUNCATE,
	unix.SYS_FCHMOD, unix.SYS_FCHMODAT, unix.SYS_UTIMENSAT,
	unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2, unix.SYS_UNLINKAT, unix.SYS_MKDIRAT, unix.SYS_LINKAT, unix.SYS_SYMLINKAT,
}

// traceMe makes the calls above stop this process for its tracer, all its
// threads. Of openat only those that make or cut a file, of ioctl the reflink.
func traceMe() error {
	const (
		load = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		eq   = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		some = unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K
		ret  = unix.BPF_RET | unix.BPF_K
		arg  = 16 // offset of the arguments in struct seccomp_data, 8 bytes each
	)
	var prog []unix.SockFilter
	add := func(code uint16, k uint32, yes, no uint8) {
		prog = append(prog, unix.SockFilter{Code: code, K: k, Jt: yes, Jf: no})
	}
	add(load, 0, 0, 0)
	for _, nr := range changing {
		add(eq, nr, 0, 1)
		add(ret, unix.SECCOMP_RET_TRACE, 0, 0)
	}
	add(eq, unix.SYS_OPENAT, 0, 3)
	add(load, arg+2*8, 0, 0)
	add(some, unix.O_CREAT|unix.O_TRUNC, 0, 1)
	add(ret, unix.SECCOMP_RET_TRACE, 0, 0)
	add(load, 0, 0, 0)
	add(eq, unix.SYS_IOCTL, 0, 3)
	add(load, arg+1*8, 0, 0)
	add(eq, unix.FICLONE, 0, 1)
	add(ret, unix.SECCOMP_RET_TRACE, 0, 0)
	add(ret, unix.SECCOMP_RET_ALLOW, 0, 0)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	fprog := unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&fprog)))
	if errno != 0 {
		return errno
	}
	return nil
}

// syscallInfo is struct ptrace_syscall_info of a stop by seccomp.
type syscallInfo struct {
	op     uint8
	_      [3]byte
	arch   uint32
	ip, sp uint64
	nr     uint64
	args   [6]uint64
	data   uint32
}

// runTraced runs a command that calls traceMe, and kills it at a point. It
// gives how many changing calls there were below dir, and at which the process
// was killed; "" if it was not.
func runTraced(cmd *exec.Cmd, dir string, at killPoint) (calls int, point string, err error) {
	runtime.LockOSThread() // the kernel knows the tracer by its thread
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return 0, "", err
	}
	pid := cmd.Process.Pid
	defer cmd.Process.Release()
	defer unix.Kill(pid, unix.SIGKILL)
	var ws unix.WaitStatus
	if _, err := unix.Wait4(pid, &ws, 0, nil); err != nil {
		return 0, "", err
	}
	err = unix.PtraceSetOptions(pid, unix.PTRACE_O_EXITKILL|unix.PTRACE_O_TRACECLONE|unix.PTRACE_O_TRACESECCOMP|unix.PTRACE_O_TRACESYSGOOD)
	if err == nil {
		err = unix.PtraceCont(pid, 0)
	}
	if err != nil {
		return 0, "", fmt.Errorf("ptrace: %w", err)
	}
	leaving := make(map[int]bool) // threads that are to be killed at the end of a call
	killed := false
	kill := func() {
		killed = true
		unix.Kill(pid, unix.SIGKILL)
	}
	for {
		tid, err := unix.Wait4(-1, &ws, unix.WALL|unix.WNOTHREAD, nil)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return calls, point, fmt.Errorf("wait: %w", err)
		case ws.Exited() || ws.Signaled():
			if tid != pid {
				continue
			}
			if ws.Signaled() != killed || ws.Exited() && ws.ExitStatus() != 0 {
				return calls, point, fmt.Errorf("the process ended with %#x", uint32(ws))
			}
			return calls, point, nil
		case killed:
			continue
		}
		deliver := 0
		switch sig := ws.StopSignal(); {
		case leaving[tid] && sig == unix.SIGTRAP|0x80:
			kill()
			continue
		case sig == unix.SIGTRAP && ws.TrapCause() == unix.PTRACE_EVENT_SECCOMP:
			if call := changes(tid, pid, dir); call != "" {
				calls++
				if calls == at.n {
					point = call
				}
				if calls == at.n && !at.after {
					kill()
					continue
				}
				if calls == at.n {
					leaving[tid] = true
					unix.PtraceSyscall(tid, 0)
					continue
				}
			}
		case sig == unix.SIGTRAP || sig == unix.SIGSTOP: // an event, or a new thread
		default:
			deliver = int(sig)
		}
		unix.PtraceCont(tid, deliver)
	}
}

// changes says which call a thread stands before that changes something below
// dir, "" if none: those with a path do, those with a descriptor if it is one of
// a file there.
func changes(tid, pid int, dir string) string {
	const getSyscallInfo = 0x420e
	var info syscallInfo
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, getSyscallInfo, uintptr(tid), unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)), 0, 0)
	if errno != 0 {
		panic(fmt.Sprintf("ptrace(GET_SYSCALL_INFO): %v", errno))
	}
	name, fd := descriptorCalls[info.nr], info.args[0]
	switch info.nr {
	case unix.SYS_COPY_FILE_RANGE, unix.SYS_SPLICE:
		fd = info.args[2]
	case unix.SYS_OPENAT:
		return "create of " + text(tid, info.args[1])
	case unix.SYS_UNLINKAT:
		return "removal of " + text(tid, info.args[1])
	case unix.SYS_MKDIRAT:
		return "mkdir of " + text(tid, info.args[1])
	case unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2:
		return "rename to " + text(tid, info.args[3])
	case unix.SYS_LINKAT:
		return "link at " + text(tid, info.args[3])
	case unix.SYS_SYMLINKAT:
		return "symlink at " + text(tid, info.args[2])
	case unix.SYS_TRUNCATE:
		return "truncate of " + text(tid, info.args[0])
	}
	if name == "" {
		return fmt.Sprintf("call %d of %s", info.nr, text(tid, info.args[1]))
	}
	path, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, int32(fd)))
	if err != nil || !strings.HasPrefix(path, dir+"/") {
		return ""
	}
	return name + " of " + strings.TrimPrefix(path, dir+"/")
}

var descriptorCalls = map[uint64]string{
	unix.SYS_WRITE: "write", unix.SYS_PWRITE64: "write", unix.SYS_WRITEV: "write", unix.SYS_PWRITEV: "write", unix.SYS_PWRITEV2: "write",
	unix.SYS_COPY_FILE_RANGE: "copy", unix.SYS_SENDFILE: "copy", unix.SYS_SPLICE: "copy", unix.SYS_IOCTL: "reflink", unix.SYS_FALLOCATE: "fallocate",
	unix.SYS_FSYNC: "sync", unix.SYS_FDATASYNC: "sync", unix.SYS_FTRUNCATE: "truncate", unix.SYS_FCHMOD: "chmod",
}

// text is a string of a stopped process.
func text(tid int, addr uint64) string {
	buf := make([]byte, 256)
	n, _ := unix.PtracePeekData(tid, uintptr(addr), buf)
	s, _, _ := strings.Cut(string(buf[:max(n, 0)]), "\x00")
	return s
}
