package commit

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// errNoLease says that the file system of the state directory has no leases.
var errNoLease = errors.New("no leases here")

// unwritten reports whether nothing can write f: no descriptor open for
// writing and no shared map, in any process. f must be open for reading only.
//
// The kernel grants a read lease just then (fcntl(2), F_SETLEASE). It counts
// what no bookkeeping of ours can see: a map that outlived its descriptor,
// and descriptors that a program holds from a daemon that was killed. The
// lease is given back at once: new writers are shut out by File.holds.
func unwritten(f *os.File) (bool, error) { return lease(f, unix.F_RDLCK) }

// unopened reports whether f is the only descriptor of its file.
func unopened(f *os.File) (bool, error) { return lease(f, unix.F_WRLCK) }

func lease(f *os.File, kind int) (granted bool, err error) {
	c, err := f.SyscallConn()
	if err != nil {
		return false, err
	}
	cerr := c.Control(func(fd uintptr) {
		for {
			_, err = unix.FcntlInt(fd, unix.F_SETLEASE, kind)
			if !errors.Is(err, unix.EINTR) {
				break
			}
		}
		if err == nil {
			_, err = unix.FcntlInt(fd, unix.F_SETLEASE, unix.F_UNLCK)
			granted = true
		}
	})
	switch {
	case cerr != nil:
		return false, cerr
	case err == nil:
		return true, nil
	case errors.Is(err, unix.EAGAIN):
		return false, nil
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOTSUP), errors.Is(err, unix.EACCES), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.ENOLCK):
		return false, errNoLease
	}
	return false, err
}
