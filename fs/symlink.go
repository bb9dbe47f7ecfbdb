package fs

import (
	"context"
	"path"
	"strings"
	"sync"
	"syscall"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/hubfs/hubfs/commit"
)

// A symlinkNode is one staged symbolic link for life. A commit makes a copy of
// what it leads to: then the name is another node's.
type symlinkNode struct {
	fusefs.Inode
	m    *mount
	link *commit.Link

	mu  sync.Mutex
	set attrs
}

var (
	_ = (fusefs.NodeReadlinker)((*symlinkNode)(nil))
	_ = (fusefs.NodeGetattrer)((*symlinkNode)(nil))
	_ = (fusefs.NodeSetattrer)((*symlinkNode)(nil))
	_ = (fusefs.NodeStatfser)((*symlinkNode)(nil))
)

func (n *symlinkNode) fill(out *fuse.Attr) {
	n.m.attr(out, syscall.S_IFLNK|0o777, int64(len(n.link.Target)), n.link.Mtime)
	n.mu.Lock()
	n.set.apply(out)
	n.mu.Unlock()
}

func (n *symlinkNode) Readlink(ctx context.Context) ([]byte, syscall.Errno) {
	op := n.m.begin(ctx, "readlink", n.EmbeddedInode(), "")
	return []byte(n.link.Target), op.end(nil)
}

func (n *symlinkNode) Getattr(ctx context.Context, f fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	op := n.m.begin(ctx, "getattr", n.EmbeddedInode(), "")
	n.fill(&out.Attr)
	setNlink(n.EmbeddedInode(), &out.Attr)
	out.SetTimeout(pinned)
	return op.end(nil)
}

// Setattr keeps times for as long as the kernel knows the link. Linux has no
// modes of links.
func (n *symlinkNode) Setattr(ctx context.Context, f fusefs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	op := n.m.begin(ctx, "setattr", n.EmbeddedInode(), "")
	if err := n.m.maySet(in); err != nil {
		return op.end(err)
	}
	if _, ok := in.GetMode(); ok {
		return op.end(syscall.EOPNOTSUPP)
	}
	n.mu.Lock()
	n.set.set(in)
	n.mu.Unlock()
	n.fill(&out.Attr)
	out.SetTimeout(pinned)
	return op.end(nil)
}

func (n *symlinkNode) Statfs(ctx context.Context, out *fuse.StatfsOut) syscall.Errno {
	return n.m.statfs(ctx, out)
}

func (d *dirNode) linkChild(name string, link *commit.Link, out *fuse.EntryOut) *fusefs.Inode {
	ino, _ := d.names.get(name, link, 0)
	c, in := known[*symlinkNode](d, name, ino)
	if c == nil {
		c = &symlinkNode{m: d.m, link: link}
		in = d.NewInode(context.Background(), c, fusefs.StableAttr{Mode: syscall.S_IFLNK, Ino: ino})
	}
	c.fill(&out.Attr)
	out.SetAttrTimeout(pinned)
	out.SetEntryTimeout(pinned)
	return in
}

// Symlink stages a link.
func (d *dirNode) Symlink(ctx context.Context, target, name string, out *fuse.EntryOut) (*fusefs.Inode, syscall.Errno) {
	op := d.m.begin(ctx, "symlink", d.EmbeddedInode(), name)
	dir, err := d.change(op, name)
	if err != nil {
		return nil, op.end(err)
	}
	link, err := dir.Symlink(op, name, target)
	if err != nil {
		return nil, op.end(err)
	}
	d.touch()
	return d.linkChild(name, link, out), op.end(nil)
}

// showAt tells a worktree where this mount shows it: that is what the absolute
// targets of links mean.
func (m *mount) showAt(w *commit.Worktree) {
	if m.opts.Repo != nil {
		w.ShowAt(m.dir, strings.Trim(path.Clean("/"+m.opts.Subdir), "/"))
		return
	}
	w.ShowAt(joinPath(m.dir, m.placeIn(w.Repo())), "")
}
