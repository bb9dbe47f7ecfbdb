package fs

import (
	"context"
	"errors"
	"log/slog"
	"syscall"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// An op is one operation of a program on the mount. It is also the context to
// do it under. Each begins with mount.begin and ends with end, which is the one
// place where errors become numbers, are logged and counted.
type op struct {
	*opContext
	m     *mount
	what  string
	node  *fusefs.Inode
	name  string // in node, or ""
	start time.Time
}

func (m *mount) begin(ctx context.Context, what string, node *fusefs.Inode, name string) *op {
	o := &op{opContext: newOpContext(ctx, m.pending), m: m, what: what, node: node, name: name}
	if m.opLog.active() || m.opts.Debug {
		o.start = time.Now()
	}
	return o
}

// end turns the outcome into the answer to the kernel.
func (o *op) end(err error) syscall.Errno {
	o.finish()
	errno := errnoOf(err)
	m := o.m
	m.ops.add(o.what, errno)
	if !o.start.IsZero() {
		took := time.Since(o.start)
		m.opLog.add(o, errno, took)
		if m.opts.Debug {
			m.log.Debug("operation", "op", o.what, "path", o.path(), "pid", o.pid(), "took", took, "err", err)
		}
	}
	if err != nil {
		o.report(err, errno)
	}
	return errno
}

// report logs what a person may have to look at: not that a name does not
// exist, nor what the program did wrong and learns by the number.
func (o *op) report(err error, errno syscall.Errno) {
	level := slog.LevelWarn
	switch errno {
	case syscall.EIO, syscall.ETIMEDOUT, syscall.ENOSPC, syscall.EDQUOT:
	case syscall.EACCES, syscall.EROFS:
		// The reason is in the error, and nowhere else.
		if errors.Is(err, errno) && err == error(errno) {
			return
		}
		level = slog.LevelInfo
	default:
		return
	}
	path := o.path()
	o.m.log.Log(context.Background(), level, "operation failed", "op", o.what, "path", path, "errno", errno.Error(), "err", err)
	o.m.errors.add(o.what, path, err.Error())
}

func (o *op) path() string { return joinPath(o.node.Path(nil), o.name) }

func joinPath(dir, name string) string {
	switch {
	case name == "":
		return dir
	case dir == "":
		return name
	}
	return dir + "/" + name
}

func (o *op) pid() uint32 { return thread(o.opContext) }

// thread is the one that asks, 0 if that is not known.
func thread(ctx context.Context) uint32 {
	if c, ok := fuse.FromContext(ctx); ok {
		return c.Pid
	}
	return 0
}
