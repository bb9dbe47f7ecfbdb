package blockcache

import (
	"os"

	"golang.org/x/sys/unix"
)

// onFD calls do with the descriptor of f, which is not closed meanwhile, and
// again after each interruption.
func onFD(f *os.File, do func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	cerr := conn.Control(func(fd uintptr) {
		for {
			if err = do(int(fd)); err != unix.EINTR {
				return
			}
		}
	})
	if cerr != nil {
		return cerr
	}
	return err
}

// lock locks f against other openings of it, here and in other processes.
//
// A file system without locks refuses all; that costs only that partial files
// do not persist, each process has its own.
func lock(f *os.File) bool {
	return onFD(f, func(fd int) error { return unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) }) == nil
}

// syncData makes the bytes of f durable: a name in blobs must not come back
// after a loss of power without them.
func syncData(f *os.File) error { return onFD(f, unix.Fdatasync) }

// startSync has the disk begin to write n bytes of f from off.
func startSync(f *os.File, off, n int64) {
	onFD(f, func(fd int) error { return unix.SyncFileRange(fd, off, n, unix.SYNC_FILE_RANGE_WRITE) })
}
