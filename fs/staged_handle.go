package fs

import (
	"context"
	"os"
	"syscall"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/hubfs/hubfs/commit"
	"golang.org/x/sys/unix"
)

// A stagedHandle is an open staged file. With passthrough the kernel reads and
// writes the file itself; without, these do the same.
type stagedHandle struct {
	n           *stagedNode
	f           *os.File
	passthrough bool
	write       bool
	sync        bool // O_SYNC or O_DSYNC
}

var (
	_ = (fusefs.FileReader)((*stagedHandle)(nil))
	_ = (fusefs.FileWriter)((*stagedHandle)(nil))
	_ = (fusefs.FileAllocater)((*stagedHandle)(nil))
	_ = (fusefs.FileLseeker)((*stagedHandle)(nil))
	_ = (fusefs.FileReleaser)((*stagedHandle)(nil))
)

func (h *stagedHandle) Read(ctx context.Context, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	op := h.n.m.begin(ctx, "read", h.n.EmbeddedInode(), "")
	return fuse.ReadResultFd(h.f.Fd(), off, len(dest)), op.end(nil)
}

// Write writes at off also with O_APPEND: the kernel knows the end.
func (h *stagedHandle) Write(ctx context.Context, data []byte, off int64) (uint32, syscall.Errno) {
	op := h.n.m.begin(ctx, "write", h.n.EmbeddedInode(), "")
	n, err := h.f.WriteAt(data, off)
	if n > 0 {
		err = nil // what was written counts; the next write gets the error
	}
	return uint32(n), op.end(err)
}

func (h *stagedHandle) Allocate(ctx context.Context, off, size uint64, mode uint32) syscall.Errno {
	op := h.n.m.begin(ctx, "fallocate", h.n.EmbeddedInode(), "")
	return op.end(unix.Fallocate(int(h.f.Fd()), mode, int64(off), int64(size)))
}

// Lseek finds data and holes. The descriptor's own position is used by nobody.
func (h *stagedHandle) Lseek(ctx context.Context, off uint64, whence uint32) (uint64, syscall.Errno) {
	op := h.n.m.begin(ctx, "lseek", h.n.EmbeddedInode(), "")
	pos, err := unix.Seek(int(h.f.Fd()), int64(off), int(whence))
	if err != nil {
		return 0, op.end(err)
	}
	return uint64(pos), op.end(nil)
}

func (h *stagedHandle) Release(ctx context.Context) syscall.Errno {
	op := h.n.m.begin(ctx, "release", h.n.EmbeddedInode(), "")
	return op.end(h.n.m.handles.release(h))
}

func (h *stagedHandle) close() error {
	err := h.f.Close()
	if h.sync {
		h.n.syncing.Add(-1)
	}
	h.n.io.leave(&h.n.m.backings, h.n.ino, h.passthrough)
	h.n.file.Closed() // what was unlinked meanwhile gives its room back
	if h.write {
		h.n.m.auto.closed(h.n.file.Worktree())
	}
	if _, parent := h.n.Parent(); parent == nil {
		h.n.reclaim()
	}
	return err
}

// lost tells a staged file that pages of it could not be written. While the
// kernel has pages to write one of the handles is open.
func (m *mount) lost(ino uint64, errno syscall.Errno) {
	m.handles.mu.Lock()
	var file *commit.File
	for h := range m.handles.open {
		if h, ok := h.(*stagedHandle); ok && h.n.ino == ino {
			file = h.n.file
		}
	}
	m.handles.mu.Unlock()
	if file != nil {
		file.Lost(errno)
	}
}
