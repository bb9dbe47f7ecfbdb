package fs

import (
	"context"
	"errors"
	iofs "io/fs"
	"net"
	"os"
	"syscall"

	"github.com/hubfs/hubfs/commit"
)

// errnos is what the kernel is told for errors that carry no errno. The first
// match counts; what matches nothing is EIO.
var errnos = []struct {
	err   error
	errno syscall.Errno
}{
	{commit.ErrFrozen, syscall.ESTALE},
	{context.Canceled, syscall.EINTR},
	{context.DeadlineExceeded, syscall.ETIMEDOUT},
	{os.ErrDeadlineExceeded, syscall.ETIMEDOUT},
	{iofs.ErrNotExist, syscall.ENOENT},
	{iofs.ErrPermission, syscall.EACCES},
	{iofs.ErrExist, syscall.EEXIST},
	{iofs.ErrInvalid, syscall.EINVAL},
}

// errnoOf is the errno for an error of the packages below. One that is in the
// chain passes through: ENOSPC while staging, ENOTEMPTY, EROFS. Not so those of
// the network: ECONNREFUSED means nothing to the reader of a file.
func errnoOf(err error) syscall.Errno {
	if err == nil {
		return 0
	}
	var network net.Error
	if errors.As(err, &network) && network.Timeout() && !errors.Is(err, context.Canceled) {
		return syscall.ETIMEDOUT
	}
	var op *net.OpError
	var errno syscall.Errno
	if !errors.As(err, &op) && errors.As(err, &errno) && errno != 0 {
		return errno
	}
	for _, e := range errnos {
		if errors.Is(err, e.err) {
			return e.errno
		}
	}
	return syscall.EIO
}
