package fs

import (
	"context"
	"sync"
	"syscall"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// A fixedDir is a directory above the repos: nothing can be made, removed or
// changed in it. (For some of these go-fuse's default is to say it was done.)
type fixedDir struct {
	fusefs.Inode
	m     *mount
	ino   uint64
	names names
	once  sync.Once
	date  time.Time // zero = that of the mount
}

var (
	_ = (fusefs.NodeGetattrer)((*fixedDir)(nil))
	_ = (fusefs.NodeSetattrer)((*fixedDir)(nil))
	_ = (fusefs.NodeStatfser)((*fixedDir)(nil))
	_ = (fusefs.NodeCreater)((*fixedDir)(nil))
	_ = (fusefs.NodeMkdirer)((*fixedDir)(nil))
	_ = (fusefs.NodeMknoder)((*fixedDir)(nil))
	_ = (fusefs.NodeUnlinker)((*fixedDir)(nil))
	_ = (fusefs.NodeRmdirer)((*fixedDir)(nil))
	_ = (fusefs.NodeRenamer)((*fixedDir)(nil))
	_ = (fusefs.NodeSymlinker)((*fixedDir)(nil))
	_ = (fusefs.NodeLinker)((*fixedDir)(nil))
	_ = (fusefs.NodeFsyncer)((*fixedDir)(nil))
)

// setup is called before the node is used.
func (f *fixedDir) setup(m *mount) {
	f.m, f.ino, f.names.m = m, m.newIno(), m
}

// entry fills in the entry of a node that is looked up, and makes the Inode of
// self, the node that f is part of.
func (f *fixedDir) entry(parent *fusefs.Inode, self fusefs.InodeEmbedder, out *fuse.EntryOut) *fusefs.Inode {
	f.once.Do(func() {
		parent.NewInode(context.Background(), self, fusefs.StableAttr{Mode: syscall.S_IFDIR, Ino: f.ino})
	})
	f.m.attr(&out.Attr, f.m.dirMode(0), 0, f.date)
	out.SetAttrTimeout(fleeting)
	out.SetEntryTimeout(fleeting)
	return f.EmbeddedInode()
}

func (f *fixedDir) Getattr(ctx context.Context, h fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	f.m.attr(&out.Attr, f.m.dirMode(0), 0, f.date)
	out.SetTimeout(fleeting)
	return 0
}

func (f *fixedDir) Setattr(ctx context.Context, h fusefs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	return f.refuse(ctx, "setattr", "")
}

func (f *fixedDir) Statfs(ctx context.Context, out *fuse.StatfsOut) syscall.Errno {
	return f.m.statfs(ctx, out)
}

func (f *fixedDir) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fusefs.Inode, fusefs.FileHandle, uint32, syscall.Errno) {
	return nil, nil, 0, f.refuse(ctx, "create", name)
}

func (f *fixedDir) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fusefs.Inode, syscall.Errno) {
	return nil, f.refuse(ctx, "mkdir", name)
}

func (f *fixedDir) Mknod(ctx context.Context, name string, mode, dev uint32, out *fuse.EntryOut) (*fusefs.Inode, syscall.Errno) {
	return nil, f.refuse(ctx, "mknod", name)
}

func (f *fixedDir) Unlink(ctx context.Context, name string) syscall.Errno {
	return f.refuse(ctx, "unlink", name)
}

func (f *fixedDir) Rmdir(ctx context.Context, name string) syscall.Errno {
	return f.refuse(ctx, "rmdir", name)
}

func (f *fixedDir) Rename(ctx context.Context, name string, to fusefs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	return f.refuse(ctx, "rename", name)
}

func (f *fixedDir) Symlink(ctx context.Context, target, name string, out *fuse.EntryOut) (*fusefs.Inode, syscall.Errno) {
	return nil, f.refuse(ctx, "symlink", name)
}

func (f *fixedDir) Link(ctx context.Context, target fusefs.InodeEmbedder, name string, out *fuse.EntryOut) (*fusefs.Inode, syscall.Errno) {
	return nil, f.refuse(ctx, "link", name)
}

// Fsync has nothing to do.
func (f *fixedDir) Fsync(ctx context.Context, h fusefs.FileHandle, flags uint32) syscall.Errno {
	return 0
}

func (f *fixedDir) refuse(ctx context.Context, what, name string) syscall.Errno {
	err := f.m.mayMake()
	if err == nil {
		err = syscall.EPERM
	}
	return f.m.begin(ctx, what, f.EmbeddedInode(), name).end(err)
}
