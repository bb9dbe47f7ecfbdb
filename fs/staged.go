package fs

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/hubfs/hubfs/commit"
)

// A stagedNode is one staged file for life.
type stagedNode struct {
	fusefs.Inode
	m       *mount
	ino     uint64
	file    *commit.File
	io      ioMode
	syncing atomic.Int32 // open handles with O_SYNC or O_DSYNC
}

var (
	_ = (fusefs.NodeOpener)((*stagedNode)(nil))
	_ = (fusefs.NodeGetattrer)((*stagedNode)(nil))
	_ = (fusefs.NodeSetattrer)((*stagedNode)(nil))
	_ = (fusefs.NodeStatfser)((*stagedNode)(nil))
	_ = (fusefs.NodeFsyncer)((*stagedNode)(nil))
)

func (n *stagedNode) same(c commit.Node) bool { return c.File == n.file }

// attr asks the file itself: what is written by passthrough or through a map is
// not seen here.
func (n *stagedNode) attr(out *fuse.Attr) error {
	fi, err := n.file.Stat()
	if err != nil {
		return err
	}
	mtime := fi.ModTime()
	n.m.attr(out, syscall.S_IFREG|uint32(fi.Mode().Perm()), fi.Size(), mtime)
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		atime, ctime := time.Unix(st.Atim.Unix()), time.Unix(st.Ctim.Unix())
		out.SetTimes(&atime, &mtime, &ctime)
		out.Blocks = uint64(st.Blocks)
	}
	return nil
}

func (n *stagedNode) Getattr(ctx context.Context, f fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	op := n.m.begin(ctx, "getattr", n.EmbeddedInode(), "")
	err := n.attr(&out.Attr)
	setNlink(n.EmbeddedInode(), &out.Attr)
	out.SetTimeout(stagedAttrs)
	return op.end(err)
}

func (n *stagedNode) Setattr(ctx context.Context, f fusefs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	op := n.m.begin(ctx, "setattr", n.EmbeddedInode(), "")
	if err := n.setattr(op, f, in); err != nil {
		return op.end(err)
	}
	err := n.attr(&out.Attr)
	setNlink(n.EmbeddedInode(), &out.Attr)
	out.SetTimeout(stagedAttrs)
	return op.end(err)
}

func (n *stagedNode) setattr(ctx context.Context, f fusefs.FileHandle, in *fuse.SetAttrIn) error {
	if err := n.m.maySet(in); err != nil {
		return err
	}
	if size, ok := in.GetSize(); ok {
		var err error
		if h, ok := f.(*stagedHandle); ok && h.write {
			// ftruncate: while the handle is open no commit can have the file.
			err = n.file.TruncateBy(h.f, int64(size))
		} else {
			if err = n.writable(ctx); err == nil {
				err = n.file.Truncate(int64(size))
			}
			n.file.Arrived(thread(ctx))
		}
		if errors.Is(err, commit.ErrFrozen) {
			return editNode(ctx, n.EmbeddedInode(), size == 0, n.same)
		}
		if err != nil {
			return err
		}
	}
	if mode, ok := in.GetMode(); ok {
		if err := n.file.Chmod(os.FileMode(mode & 0o777)); err != nil {
			return err
		}
	}
	atime, hasA := in.GetATime()
	mtime, hasM := in.GetMTime()
	if hasA || hasM {
		return n.file.Chtimes(atime, mtime) // the zero time leaves one as it is
	}
	return nil
}

// writable refuses to change what somebody else staged, who may write here.
func (n *stagedNode) writable(ctx context.Context) error {
	if err := n.m.writable(); err != nil {
		return err
	}
	return n.file.Worktree().Writable(ctx)
}

func (n *stagedNode) Statfs(ctx context.Context, out *fuse.StatfsOut) syscall.Errno {
	return n.m.statfs(ctx, out)
}

// Fsync makes the bytes and the name durable.
func (n *stagedNode) Fsync(ctx context.Context, f fusefs.FileHandle, flags uint32) syscall.Errno {
	op := n.m.begin(ctx, "fsync", n.EmbeddedInode(), "")
	if h, ok := f.(*stagedHandle); ok {
		return op.end(n.file.SyncBy(op, h.f))
	}
	return op.end(n.file.Sync(op))
}

func (n *stagedNode) Open(ctx context.Context, flags uint32) (fusefs.FileHandle, uint32, syscall.Errno) {
	op := n.m.begin(ctx, "open", n.EmbeddedInode(), "")
	h, fuseFlags, err := n.open(op, flags)
	n.file.Arrived(thread(op))
	if errors.Is(err, commit.ErrFrozen) {
		err = editNode(op, n.EmbeddedInode(), flags&syscall.O_TRUNC != 0, n.same)
	} else if err == nil && h.sync {
		// As in create: nothing else makes the name durable.
		if err = n.file.Sync(op); err != nil {
			h.Release(op)
		}
	}
	if err != nil {
		return nil, 0, op.end(err)
	}
	return h, fuseFlags, op.end(nil)
}

// open makes a handle. One for writing keeps its descriptor until its release,
// also with passthrough: it is what a commit sees, that looks whether the file
// is busy, between this answer and the kernel's own open of the file.
func (n *stagedNode) open(ctx context.Context, flags uint32) (*stagedHandle, uint32, error) {
	write := flags&syscall.O_ACCMODE != syscall.O_RDONLY
	if write || flags&syscall.O_TRUNC != 0 {
		if err := n.writable(ctx); err != nil {
			return nil, 0, err
		}
	}
	access := os.O_RDONLY
	if write {
		access = os.O_RDWR | int(flags&syscall.O_TRUNC) // also where it is O_WRONLY: the kernel reads pages that are written in part
	}
	f, err := n.file.Open(access)
	if err != nil {
		return nil, 0, err
	}
	if flags&syscall.O_TRUNC != 0 && !write {
		if err := n.file.Truncate(0); err != nil {
			f.Close()
			return nil, 0, err
		}
	}
	h, fuseFlags := n.opened(f, flags)
	return h, fuseFlags, nil
}

// opened makes a handle of a descriptor.
func (n *stagedNode) opened(f *os.File, flags uint32) (*stagedHandle, uint32) {
	write := flags&syscall.O_ACCMODE != syscall.O_RDONLY
	h := &stagedHandle{n: n, f: f, write: write, sync: write && flags&(syscall.O_SYNC|syscall.O_DSYNC) != 0}
	if h.sync {
		n.syncing.Add(1)
	}
	h.passthrough = n.io.enter(&n.m.backings, n.ino, n.backing)
	n.m.handles.add(h)
	var fuseFlags uint32
	if h.passthrough {
		fuseFlags |= fuse.FOPEN_PASSTHROUGH
	}
	// At close the kernel has pages to send only of a writer whose file it has
	// pages of; the others are spared a round trip.
	if !write || h.passthrough {
		fuseFlags |= fuse.FOPEN_NOFLUSH
	}
	return h, fuseFlags
}

// reclaim is called when the file has lost its name or, without one, a handle.
// The kernel closes its own descriptor of the file a moment after it has sent
// RELEASE, and while that is open the file keeps its room: so it is looked at
// again, if it is still there.
func (n *stagedNode) reclaim() {
	f, err := n.file.Open(os.O_RDONLY)
	if err != nil {
		return
	}
	f.Close()
	now := time.Now()
	for _, later := range []time.Duration{100 * time.Millisecond, 2 * time.Second} {
		n.m.notifier.add(notice{due: now.Add(later), do: n.file.Closed})
	}
}

// backing is a read-only descriptor to register. The kernel opens the file anew
// with each caller's own flags, so writers work, and the registered one is no
// writer that a commit would find.
func (n *stagedNode) backing() (*os.File, func()) {
	f, err := n.file.Open(os.O_RDONLY)
	if err != nil {
		return nil, nil
	}
	return f, func() { f.Close() }
}
