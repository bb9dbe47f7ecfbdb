package fs

import (
	"context"
	"errors"
	iofs "io/fs"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/hubfs/hubfs/commit"
	"github.com/hubfs/hubfs/remote"
)

// A dirNode is one directory object of a worktree for life, wherever it is
// moved. The one of a repo that a listing named is bound to its worktree when
// something in it is asked for.
type dirNode struct {
	fusefs.Inode
	m         *mount
	ino       uint64
	mountRoot bool // the mount shows this directory at its root
	names     names
	gen       atomic.Uint64 // counts what changes the meaning of names
	foreign   atomic.Uint64 // counts those changes that the kernel did not ask for
	kept      atomic.Uint64 // foreign, when the kernel was last told that it may keep the listing
	once      sync.Once     // makes the Inode
	attached  atomic.Bool   // after that

	mu       sync.Mutex
	dir      *commit.Dir // nil until bound
	repo     *repoName   // set if it is a repo's root
	listedAs commit.Attr // as the parent's listing had it last
	set      attrs
	changed  time.Time       // of the names in it, by us
	edited   map[string]bool // names that Edit gave another meaning and nobody looked up since
}

var (
	_ = (fusefs.NodeLookuper)((*dirNode)(nil))
	_ = (fusefs.NodeOpendirHandler)((*dirNode)(nil))
	_ = (fusefs.NodeGetattrer)((*dirNode)(nil))
	_ = (fusefs.NodeSetattrer)((*dirNode)(nil))
	_ = (fusefs.NodeStatfser)((*dirNode)(nil))
	_ = (fusefs.NodeCreater)((*dirNode)(nil))
	_ = (fusefs.NodeMkdirer)((*dirNode)(nil))
	_ = (fusefs.NodeMknoder)((*dirNode)(nil))
	_ = (fusefs.NodeUnlinker)((*dirNode)(nil))
	_ = (fusefs.NodeRmdirer)((*dirNode)(nil))
	_ = (fusefs.NodeRenamer)((*dirNode)(nil))
	_ = (fusefs.NodeSymlinker)((*dirNode)(nil))
	_ = (fusefs.NodeLinker)((*dirNode)(nil))
	_ = (fusefs.NodeFsyncer)((*dirNode)(nil))
)

// dirNode is the node of a directory: always the same one.
func (m *mount) dirNode(dir *commit.Dir) *dirNode {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.dirs[dir]
	if d == nil {
		d = newDirNode(m)
		d.dir = dir
		m.dirs[dir] = d
	}
	return d
}

func newDirNode(m *mount) *dirNode {
	return &dirNode{m: m, ino: m.newIno(), names: names{m: m}}
}

// forgetDir drops the node of a directory that is gone.
func (m *mount) forgetDir(in *fusefs.Inode) {
	if in == nil {
		return
	}
	if d, ok := in.Operations().(*dirNode); ok {
		d.mu.Lock()
		dir := d.dir
		d.mu.Unlock()
		m.mu.Lock()
		delete(m.dirs, dir)
		m.mu.Unlock()
	}
}

// inode is the node's Inode; parent is any directory of the mount.
func (d *dirNode) inode(parent *fusefs.Inode) *fusefs.Inode {
	d.once.Do(func() {
		parent.NewInode(context.Background(), d, fusefs.StableAttr{Mode: syscall.S_IFDIR, Ino: d.ino})
		d.attached.Store(true)
	})
	return d.EmbeddedInode()
}

// OnAdd is called for the mount's root, whose Inode the library makes.
func (d *dirNode) OnAdd(context.Context) { d.attached.Store(true) }

// bind is the directory. For a repo that was only listed so far it costs a
// request.
func (d *dirNode) bind(ctx context.Context) (*commit.Dir, error) {
	d.mu.Lock()
	dir, repo := d.dir, d.repo
	d.mu.Unlock()
	if dir != nil {
		return dir, nil
	}
	return repo.bind(ctx, d)
}

func (d *dirNode) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fusefs.Inode, syscall.Errno) {
	op := d.m.begin(ctx, "lookup", d.EmbeddedInode(), name)
	if d.mountRoot && name == controlName {
		return d.m.control.lookup(d.EmbeddedInode(), out), op.end(nil)
	}
	if len(name) > maxName {
		return nil, op.end(syscall.ENAMETOOLONG)
	}
	d.looked(name)
	dir, err := d.bind(op)
	if err != nil {
		return nil, op.end(err)
	}
	n, err := dir.Lookup(op, name)
	if errors.Is(err, iofs.ErrNotExist) {
		out.SetEntryTimeout(pinned)
	}
	if err != nil {
		return nil, op.end(err)
	}
	in, err := d.child(name, n, out)
	return in, op.end(err)
}

// child is the node for what a name means, and its attributes.
func (d *dirNode) child(name string, n commit.Node, out *fuse.EntryOut) (*fusefs.Inode, error) {
	switch {
	case n.Dir != nil:
		c := d.m.dirNode(n.Dir)
		d.names.get(name, n.Dir, c.ino)
		in := c.inode(d.EmbeddedInode())
		c.entry(&out.Attr, n.Attr)
		out.SetAttrTimeout(pinned)
		out.SetEntryTimeout(pinned)
		return in, nil
	case n.File != nil:
		return d.stagedChild(name, n.File, out)
	case n.Link != nil:
		return d.linkChild(name, n.Link, out), nil
	}
	return d.blobChild(name, n, out), nil
}

func (d *dirNode) stagedChild(name string, file *commit.File, out *fuse.EntryOut) (*fusefs.Inode, error) {
	ino, _ := d.names.get(name, file, 0)
	c, in := known[*stagedNode](d, name, ino)
	if c == nil {
		c = &stagedNode{m: d.m, ino: ino, file: file}
		in = d.NewInode(context.Background(), c, fusefs.StableAttr{Mode: syscall.S_IFREG, Ino: ino})
	}
	if err := c.attr(&out.Attr); err != nil {
		return nil, err
	}
	out.SetAttrTimeout(stagedAttrs)
	out.SetEntryTimeout(pinned)
	return in, nil
}

func (d *dirNode) blobChild(name string, n commit.Node, out *fuse.EntryOut) *fusefs.Inode {
	ino, _ := d.names.get(name, blobIdentity(n), 0)
	c, in := known[*blobNode](d, name, ino)
	if c == nil {
		c = &blobNode{m: d.m, ino: ino, work: d.worktree()}
		c.now(n)
		in = d.NewInode(context.Background(), c, fusefs.StableAttr{Mode: syscall.S_IFREG, Ino: ino})
	} else {
		c.now(n)
	}
	c.fill(&out.Attr)
	out.SetAttrTimeout(pinned)
	out.SetEntryTimeout(pinned)
	return in
}

// known is the node that the kernel has under name, if it is the one with that
// number.
func known[T fusefs.InodeEmbedder](d *dirNode, name string, ino uint64) (node T, in *fusefs.Inode) {
	in = d.GetChild(name)
	if in == nil || in.StableAttr().Ino != ino {
		return node, nil
	}
	node, _ = in.Operations().(T)
	return node, in
}

func (d *dirNode) worktree() *commit.Worktree {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.dir.Worktree()
}

func (d *dirNode) Getattr(ctx context.Context, f fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	op := d.m.begin(ctx, "getattr", d.EmbeddedInode(), "")
	d.fill(&out.Attr)
	out.SetTimeout(pinned)
	return op.end(nil)
}

// fill gives the attributes.
func (d *dirNode) fill(out *fuse.Attr) {
	d.mu.Lock()
	defer d.mu.Unlock()
	date := d.listedAs.Mtime
	switch {
	case !date.IsZero():
	case d.dir != nil:
		date = d.dir.Worktree().Date()
	case d.repo != nil:
		date = d.repo.date
	}
	if d.changed.After(date) {
		date = d.changed
	}
	d.m.attr(out, d.m.dirMode(d.listedAs.Mode), 0, date)
	d.set.apply(out)
}

// entry is fill with what the parent's listing says by now.
func (d *dirNode) entry(out *fuse.Attr, a commit.Attr) {
	d.mu.Lock()
	d.listedAs = a
	d.mu.Unlock()
	d.fill(out)
}

// touch notes that names in the directory changed.
func (d *dirNode) touch() {
	d.gen.Add(1)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.changed = time.Now()
	d.set.mtime = nil
}

func (d *dirNode) Setattr(ctx context.Context, f fusefs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	op := d.m.begin(ctx, "setattr", d.EmbeddedInode(), "")
	if err := d.m.maySet(in); err != nil {
		return op.end(err)
	}
	d.mu.Lock()
	d.set.set(in)
	d.mu.Unlock()
	d.fill(&out.Attr)
	out.SetTimeout(pinned)
	return op.end(nil)
}

func (d *dirNode) Statfs(ctx context.Context, out *fuse.StatfsOut) syscall.Errno {
	return d.m.statfs(ctx, out)
}

// Fsync makes the names durable, those of the whole worktree.
func (d *dirNode) Fsync(ctx context.Context, f fusefs.FileHandle, flags uint32) syscall.Errno {
	op := d.m.begin(ctx, "fsyncdir", d.EmbeddedInode(), "")
	dir, err := d.bind(op)
	if err == nil {
		err = dir.Sync(op)
	}
	return op.end(err)
}

// A repoName is a repo's root under the name it has in its namespace.
type repoName struct {
	parent *repoDir
	name   string
	repo   remote.Repo
	date   time.Time // as its listing says
}

// bind opens the worktree. A name that turns out to be another one's makes the
// kernel walk the path again.
func (r *repoName) bind(ctx context.Context, d *dirNode) (*commit.Dir, error) {
	n, err := r.parent.resolve(ctx, r.name, r.repo)
	if err != nil {
		return nil, err
	}
	if n != fusefs.InodeEmbedder(d) {
		return nil, syscall.ESTALE
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.dir, nil
}
