package fs

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/hubfs/hubfs/blockcache"
	"github.com/hubfs/hubfs/commit"
	"github.com/hubfs/hubfs/remote"
)

// A blobNode is a committed file: one blob for life. It is never opened for
// writing.
type blobNode struct {
	fusefs.Inode
	m     *mount
	ino   uint64
	work  *commit.Worktree
	attr  commit.Attr
	entry atomic.Pointer[remote.Entry] // where its commit has it; always of the same blob
	io    ioMode

	mu  sync.Mutex
	set attrs
}

var (
	_ = (fusefs.NodeOpener)((*blobNode)(nil))
	_ = (fusefs.NodeGetattrer)((*blobNode)(nil))
	_ = (fusefs.NodeSetattrer)((*blobNode)(nil))
	_ = (fusefs.NodeStatfser)((*blobNode)(nil))
)

// blobIdentity is what tells one blobNode from another under the same name.
func blobIdentity(n commit.Node) any {
	return struct {
		blob  string
		mtime time.Time
		mode  uint32
	}{n.Entry.Blob.ID, n.Attr.Mtime.Round(0).UTC(), uint32(n.Attr.Mode)}
}

// same recognises the committed file that the node is bound to.
func (n *blobNode) same(c commit.Node) bool {
	return c.Dir == nil && c.File == nil && c.Link == nil && c.Entry.Blob.ID == n.entry.Load().Blob.ID
}

func (n *blobNode) fill(out *fuse.Attr) {
	n.m.attr(out, n.m.fileMode(n.attr.Mode), n.entry.Load().Size, n.mtime())
	n.mu.Lock()
	n.set.apply(out)
	n.mu.Unlock()
}

func (n *blobNode) mtime() time.Time {
	if n.attr.Mtime.IsZero() {
		return n.work.Date()
	}
	return n.attr.Mtime
}

func (n *blobNode) Getattr(ctx context.Context, f fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	op := n.m.begin(ctx, "getattr", n.EmbeddedInode(), "")
	n.fill(&out.Attr)
	setNlink(n.EmbeddedInode(), &out.Attr)
	out.SetTimeout(pinned)
	return op.end(nil)
}

// setNlink tells an open file that it has been unlinked.
func setNlink(in *fusefs.Inode, out *fuse.Attr) {
	if _, parent := in.Parent(); parent == nil {
		out.Nlink = 0
	}
}

// Setattr keeps mode and times here: they are never part of a commit. Another
// size is another content.
func (n *blobNode) Setattr(ctx context.Context, f fusefs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	op := n.m.begin(ctx, "setattr", n.EmbeddedInode(), "")
	if err := n.m.maySet(in); err != nil {
		return op.end(err)
	}
	if size, ok := in.GetSize(); ok {
		return op.end(editNode(op, n.EmbeddedInode(), size == 0, n.same))
	}
	n.mu.Lock()
	n.set.set(in)
	n.mu.Unlock()
	n.fill(&out.Attr)
	out.SetTimeout(pinned)
	return op.end(nil)
}

func (n *blobNode) Statfs(ctx context.Context, out *fuse.StatfsOut) syscall.Errno {
	return n.m.statfs(ctx, out)
}

// Open makes no request.
func (n *blobNode) Open(ctx context.Context, flags uint32) (fusefs.FileHandle, uint32, syscall.Errno) {
	op := n.m.begin(ctx, "open", n.EmbeddedInode(), "")
	truncate := flags&syscall.O_TRUNC != 0
	if flags&syscall.O_ACCMODE != syscall.O_RDONLY || truncate {
		return nil, 0, op.end(editNode(op, n.EmbeddedInode(), truncate, n.same))
	}
	blob, err := n.work.Blob(op, *n.entry.Load())
	if err != nil {
		return nil, 0, op.end(err)
	}
	h := &blobHandle{n: n, blob: blob}
	var whole func() (*os.File, func())
	if f, ok := blob.File(); ok {
		whole = func() (*os.File, func()) { return f, func() {} }
	}
	h.passthrough = n.io.enter(&n.m.backings, n.ino, whole)
	n.m.handles.add(h)
	fuseFlags := uint32(fuse.FOPEN_NOFLUSH)
	if h.passthrough {
		fuseFlags |= fuse.FOPEN_PASSTHROUGH
	} else {
		fuseFlags |= fuse.FOPEN_KEEP_CACHE
	}
	return h, fuseFlags, op.end(nil)
}

// A blobHandle is an open blob. With passthrough the kernel does not ask it.
type blobHandle struct {
	n           *blobNode
	blob        *blockcache.Blob
	passthrough bool
}

var (
	_ = (fusefs.FileReader)((*blobHandle)(nil))
	_ = (fusefs.FileFsyncer)((*blobHandle)(nil))
	_ = (fusefs.FileReleaser)((*blobHandle)(nil))
)

func (h *blobHandle) Read(ctx context.Context, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	op := h.n.m.begin(ctx, "read", h.n.EmbeddedInode(), "")
	if f, whole := h.blob.File(); whole {
		return fuse.ReadResultFd(f.Fd(), off, len(dest)), op.end(nil)
	}
	got, err := h.blob.ReadAt(op, dest, off)
	// Not errors.Is: a broken connection is an io.EOF too, deep in its chain. A
	// short answer anywhere but at the end would be zeros in the page cache, for
	// ever.
	if err == io.EOF && int64(got) >= min(int64(len(dest)), h.blob.Size()-off) {
		err = nil
	}
	if err == nil && int64(got) < min(int64(len(dest)), h.blob.Size()-off) {
		err = io.ErrUnexpectedEOF
	}
	if errors.Is(err, blockcache.ErrCorrupt) {
		h.n.m.notifier.add(notice{node: h.n.EmbeddedInode()})
	}
	if err != nil {
		return nil, op.end(err)
	}
	return fuse.ReadResultData(dest[:got]), op.end(nil)
}

// Fsync has nothing to do, and must not be an error.
func (h *blobHandle) Fsync(ctx context.Context, flags uint32) syscall.Errno { return 0 }

func (h *blobHandle) Release(ctx context.Context) syscall.Errno {
	op := h.n.m.begin(ctx, "release", h.n.EmbeddedInode(), "")
	return op.end(h.n.m.handles.release(h))
}

func (h *blobHandle) close() error {
	h.n.io.leave(&h.n.m.backings, h.n.ino, h.passthrough)
	return h.blob.Close()
}
