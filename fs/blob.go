package fs

import (
	"context"
	"errors"
	"io"
	iofs "io/fs"
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
	"golang.org/x/sys/unix"
)

// A blobNode is a committed file: one blob for life. It is never opened for
// writing.
type blobNode struct {
	fusefs.Inode
	m     *mount
	ino   uint64
	work  *commit.Worktree
	entry atomic.Pointer[remote.Entry] // where its commit has it; always of the same blob
	io    ioMode

	mu   sync.Mutex
	attr commit.Attr // as its directory had it last
	set  attrs
}

var (
	_ = (fusefs.NodeOpener)((*blobNode)(nil))
	_ = (fusefs.NodeGetattrer)((*blobNode)(nil))
	_ = (fusefs.NodeSetattrer)((*blobNode)(nil))
	_ = (fusefs.NodeStatfser)((*blobNode)(nil))
)

// blobIdentity is what tells one blobNode from another under the same name.
func blobIdentity(n commit.Node) any {
	return blobID(n.Entry.Blob.ID)
}

type blobID string

// same recognises the committed file that the node is bound to.
func (n *blobNode) same(c commit.Node) bool {
	return c.Dir == nil && c.File == nil && c.Link == nil && c.Entry.Blob.ID == n.entry.Load().Blob.ID
}

func (n *blobNode) fill(out *fuse.Attr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	mtime := n.attr.Mtime
	if mtime.IsZero() {
		mtime = n.work.Date()
	}
	n.m.attr(out, n.m.fileMode(n.attr.Mode), n.entry.Load().Size, mtime)
	n.set.apply(out)
}

// now takes over what the directory says of the file: it may have another
// place since a commit, and another time.
func (n *blobNode) now(c commit.Node) {
	n.entry.Store(&c.Entry)
	n.mu.Lock()
	n.attr = c.Attr
	n.mu.Unlock()
}

// keep lets the directory remember what was set, for when the kernel has
// forgotten the node, and for the staged file that an edit makes of it.
func (n *blobNode) keep(in *fuse.SetAttrIn) {
	name, parent := n.Parent()
	d, ok := operations(parent).(*dirNode)
	if !ok {
		return // unlinked
	}
	var mode *iofs.FileMode
	if bits, ok := in.GetMode(); ok {
		m := iofs.FileMode(bits & 0o777)
		mode = &m
	}
	var mtime *time.Time
	if t, ok := in.GetMTime(); ok {
		mtime = &t
	}
	d.mu.Lock()
	dir := d.dir
	d.mu.Unlock()
	if dir != nil && (mode != nil || mtime != nil) {
		dir.SetAttr(name, n.entry.Load().Blob, mode, mtime)
	}
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
	n.keep(in)
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
	_ = (fusefs.FileLseeker)((*blobHandle)(nil))
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

// Lseek knows no holes: what the cache has not yet is data too.
func (h *blobHandle) Lseek(ctx context.Context, off uint64, whence uint32) (uint64, syscall.Errno) {
	size := uint64(h.blob.Size())
	switch {
	case off >= size:
		return 0, syscall.ENXIO
	case whence == unix.SEEK_DATA:
		return off, 0
	case whence == unix.SEEK_HOLE:
		return size, 0
	}
	return 0, syscall.EINVAL
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
