package fs

import (
	"context"
	"syscall"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// A linkNode is a symbolic link to the canonical name of a repo: for one-word
// ids, renamed repos, and the other spellings of a revision.
type linkNode struct {
	fusefs.Inode
	m      *mount
	target string // relative
}

var (
	_ = (fusefs.NodeReadlinker)((*linkNode)(nil))
	_ = (fusefs.NodeGetattrer)((*linkNode)(nil))
)

func (l *linkNode) Readlink(ctx context.Context) ([]byte, syscall.Errno) {
	op := l.m.begin(ctx, "readlink", l.EmbeddedInode(), "")
	return []byte(l.target), op.end(nil)
}

func (l *linkNode) Getattr(ctx context.Context, f fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	l.fill(&out.Attr)
	out.SetTimeout(fleeting)
	return 0
}

func (l *linkNode) fill(out *fuse.Attr) {
	l.m.attr(out, syscall.S_IFLNK|0o777, int64(len(l.target)), l.m.started)
}

// linkTo is the node for a link called name in the directory that t is of.
func linkTo(parent *fusefs.Inode, t *names, name, target string, out *fuse.EntryOut) *fusefs.Inode {
	ino, _ := t.get(name, "link "+target, 0)
	l := &linkNode{m: t.m, target: target}
	in := parent.NewInode(context.Background(), l, fusefs.StableAttr{Mode: syscall.S_IFLNK, Ino: ino})
	l.fill(&out.Attr)
	out.SetAttrTimeout(fleeting)
	out.SetEntryTimeout(fleeting)
	return in
}
