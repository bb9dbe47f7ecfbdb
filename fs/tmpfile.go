package fs

import (
	"context"
	iofs "io/fs"
	"syscall"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

var _ = (fusefs.NodeTmpfiler)((*dirNode)(nil))

// Tmpfile makes a file without a name (O_TMPFILE).
func (d *dirNode) Tmpfile(ctx context.Context, flags, mode uint32, out *fuse.EntryOut) (*fusefs.Inode, fusefs.FileHandle, uint32, syscall.Errno) {
	op := d.m.begin(ctx, "tmpfile", d.EmbeddedInode(), "")
	fail := func(err error) (*fusefs.Inode, fusefs.FileHandle, uint32, syscall.Errno) {
		return nil, nil, 0, op.end(err)
	}
	dir, err := d.changeTo(op, "", mode)
	if err != nil {
		return fail(err)
	}
	file, g, err := dir.Tmpfile(op, iofs.FileMode(mode&0o777))
	if err != nil {
		return fail(err)
	}
	n := &stagedNode{m: d.m, ino: d.m.newIno(), file: file}
	h, fuseFlags := n.opened(g, flags) // it is always one for writing
	if err := n.attr(&out.Attr); err != nil {
		h.Release(op)
		return fail(err)
	}
	out.Attr.Nlink = 0 // the kernel goes by it: O_EXCL means that it never gets a name
	out.SetAttrTimeout(stagedAttrs)
	in := d.NewInode(op, n, fusefs.StableAttr{Mode: syscall.S_IFREG, Ino: n.ino})
	return in, h, fuseFlags, op.end(nil)
}

// Link names a file that never had a name, as linkat(2) does. There are no
// other hard links: Git has none.
func (d *dirNode) Link(ctx context.Context, target fusefs.InodeEmbedder, name string, out *fuse.EntryOut) (*fusefs.Inode, syscall.Errno) {
	n, ok := target.(*stagedNode)
	if !ok {
		return nil, d.refuse(ctx, "link", name)
	}
	op := d.m.begin(ctx, "link", d.EmbeddedInode(), name)
	dir, err := d.change(op, name)
	if err == nil {
		err = dir.Link(op, name, n.file)
	}
	if err != nil {
		return nil, op.end(err)
	}
	d.names.put(name, slot{id: n.file, number: n.ino})
	d.touch()
	if n.syncing.Load() > 0 {
		err = dir.Sync(op) // as for create
	}
	if err == nil {
		err = n.attr(&out.Attr)
	}
	out.SetAttrTimeout(stagedAttrs)
	out.SetEntryTimeout(pinned)
	return n.EmbeddedInode(), op.end(err)
}
