package hubtest

import (
	"os"
	"syscall"
)

// ficlone is FICLONE of <linux/fs.h>: _IOW(0x94, 9, int).
const ficlone = 0x40049409

// clone makes to share all blocks of from.
func clone(to, from *os.File) error {
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, to.Fd(), ficlone, from.Fd())
	if errno != 0 {
		return errno
	}
	return nil
}

// lock takes f for this process, or fails at once.
func lock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
