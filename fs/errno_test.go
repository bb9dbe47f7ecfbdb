package fs

import (
	"context"
	"errors"
	"fmt"
	iofs "io/fs"
	"net"
	"net/url"
	"os"
	"syscall"
	"testing"

	"github.com/hubfs/hubfs/commit"
	"github.com/hubfs/hubfs/remote"
)

func TestErrnoOf(t *testing.T) {
	refused := &url.Error{Op: "Get", Err: &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}}
	for _, c := range []struct {
		err  error
		want syscall.Errno
	}{
		{nil, 0},
		{errors.New("anything"), syscall.EIO},
		{fmt.Errorf("a: %w", iofs.ErrNotExist), syscall.ENOENT},
		{fmt.Errorf("a: %w", iofs.ErrPermission), syscall.EACCES},
		{&remote.Error{Status: 404}, syscall.ENOENT},
		{&remote.Error{Status: 403}, syscall.EACCES},
		{&remote.Error{Status: 500}, syscall.EIO},
		{iofs.ErrExist, syscall.EEXIST},
		{context.Canceled, syscall.EINTR},
		{context.DeadlineExceeded, syscall.ETIMEDOUT},
		{os.ErrDeadlineExceeded, syscall.ETIMEDOUT},
		{&os.PathError{Op: "write", Err: syscall.ENOSPC}, syscall.ENOSPC},
		{fmt.Errorf("me/m is a tag: %w", syscall.EROFS), syscall.EROFS},
		{syscall.ENOTEMPTY, syscall.ENOTEMPTY},
		{commit.ErrFrozen, syscall.ESTALE},
		{refused, syscall.EIO},
		{&net.DNSError{IsTimeout: true}, syscall.ETIMEDOUT},
	} {
		if got := errnoOf(c.err); got != c.want {
			t.Errorf("errnoOf(%v) = %v, want %v", c.err, got, c.want)
		}
	}
}
