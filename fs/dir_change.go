package fs

import (
	"context"
	"errors"
	iofs "io/fs"
	"os"
	"syscall"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/hubfs/hubfs/commit"
	"golang.org/x/sys/unix"
)

// change begins a change of names in the directory: not of the control
// directory's, which looks like one of them.
func (d *dirNode) change(ctx context.Context, name string) (*commit.Dir, error) {
	if err := d.m.writable(); err != nil {
		return nil, err
	}
	if d.mountRoot && name == controlName {
		return nil, syscall.EPERM
	}
	return d.bind(ctx)
}

// changeTo is change for a new file.
func (d *dirNode) changeTo(ctx context.Context, name string, mode uint32) (*commit.Dir, error) {
	dir, err := d.change(ctx, name)
	if err == nil && mode&setID != 0 {
		err = syscall.EPERM
	}
	return dir, err
}

func (d *dirNode) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fusefs.Inode, fusefs.FileHandle, uint32, syscall.Errno) {
	op := d.m.begin(ctx, "create", d.EmbeddedInode(), name)
	fail := func(err error) (*fusefs.Inode, fusefs.FileHandle, uint32, syscall.Errno) {
		return nil, nil, 0, op.end(err)
	}
	dir, err := d.changeTo(op, name, mode)
	if err != nil {
		return fail(err)
	}
	// Always exclusive: what is there already has a node, and no second one.
	file, g, err := dir.CreateOpen(op, name, iofs.FileMode(mode&0o777))
	if errors.Is(err, iofs.ErrExist) && flags&syscall.O_EXCL == 0 {
		err = syscall.ESTALE // the kernel did not know; it looks again and opens it
	}
	if err != nil {
		return fail(err)
	}
	d.touch()
	ino, _ := d.names.get(name, file, 0)
	n := &stagedNode{m: d.m, ino: ino, file: file}
	if flags&syscall.O_ACCMODE == syscall.O_RDONLY {
		// A reader must not make the file busy.
		g.Close()
		if g, err = file.Open(os.O_RDONLY); err != nil {
			return fail(err)
		}
	}
	h, fuseFlags := n.opened(g, flags)
	if flags&(syscall.O_SYNC|syscall.O_DSYNC) != 0 {
		// Writes by passthrough send no FSYNC: what makes the name durable has
		// to be done now.
		err = dir.Sync(op)
	}
	if err == nil {
		err = n.attr(&out.Attr)
	}
	if err != nil {
		h.Release(op)
		return fail(err)
	}
	out.SetAttrTimeout(stagedAttrs)
	out.SetEntryTimeout(pinned)
	in := d.NewInode(op, n, fusefs.StableAttr{Mode: syscall.S_IFREG, Ino: ino})
	return in, h, fuseFlags, op.end(nil)
}

// Mknod makes regular files, as mknod(2) can. There is nothing else on the Hub.
func (d *dirNode) Mknod(ctx context.Context, name string, mode, dev uint32, out *fuse.EntryOut) (*fusefs.Inode, syscall.Errno) {
	op := d.m.begin(ctx, "mknod", d.EmbeddedInode(), name)
	if t := mode & syscall.S_IFMT; t != syscall.S_IFREG && t != 0 {
		op.finish()
		return nil, d.refuse(ctx, "mknod", name)
	}
	dir, err := d.changeTo(op, name, mode)
	if err != nil {
		return nil, op.end(err)
	}
	file, err := dir.Create(op, name, iofs.FileMode(mode&0o777), true)
	if err != nil {
		return nil, op.end(err)
	}
	file.NotAwaited()
	d.touch()
	in, err := d.stagedChild(name, file, out)
	return in, op.end(err)
}

func (d *dirNode) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fusefs.Inode, syscall.Errno) {
	op := d.m.begin(ctx, "mkdir", d.EmbeddedInode(), name)
	dir, err := d.change(op, name)
	if err != nil {
		return nil, op.end(err)
	}
	perm := iofs.FileMode(mode & 0o777)
	made, err := dir.Mkdir(op, name, perm)
	if err != nil {
		return nil, op.end(err)
	}
	d.touch()
	in, err := d.child(name, commit.Node{Dir: made, Attr: commit.Attr{Mode: perm, Mtime: time.Now()}}, out)
	return in, op.end(err)
}

func (d *dirNode) Unlink(ctx context.Context, name string) syscall.Errno {
	op := d.m.begin(ctx, "unlink", d.EmbeddedInode(), name)
	dir, err := d.change(op, name)
	if err == nil {
		err = dir.Unlink(op, name)
	}
	if err == nil {
		reclaim(d.GetChild(name))
		d.names.remove(name)
		d.touch()
	}
	return op.end(err)
}

func (d *dirNode) Rmdir(ctx context.Context, name string) syscall.Errno {
	op := d.m.begin(ctx, "rmdir", d.EmbeddedInode(), name)
	dir, err := d.change(op, name)
	if err == nil {
		err = dir.Rmdir(op, name)
	}
	if err == nil {
		d.m.forgetDir(d.GetChild(name))
		d.names.remove(name)
		d.touch()
	}
	return op.end(err)
}

func (d *dirNode) Rename(ctx context.Context, name string, newParent fusefs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	op := d.m.begin(ctx, "rename", d.EmbeddedInode(), name)
	return op.end(d.rename(op, name, newParent, newName, flags))
}

func (d *dirNode) rename(ctx context.Context, name string, newParent fusefs.InodeEmbedder, newName string, flags uint32) error {
	dir, err := d.change(ctx, name)
	if err != nil {
		return err
	}
	to, ok := newParent.(*dirNode)
	if !ok {
		return syscall.EXDEV // out of the repo: mv copies
	}
	toDir, err := to.change(ctx, newName)
	if err != nil {
		return err
	}
	if dir.Worktree() != toDir.Worktree() {
		return syscall.EXDEV
	}
	if err := dir.Rename(ctx, name, toDir, newName, uint(flags)); err != nil {
		return err
	}
	exchange := flags&unix.RENAME_EXCHANGE != 0
	if !exchange {
		d.m.forgetDir(to.GetChild(newName)) // if it was a directory that was replaced
		reclaim(to.GetChild(newName))
	}
	d.names.move(name, &to.names, newName, exchange)
	d.touch()
	to.touch()
	if n, ok := operations(d.GetChild(name)).(*stagedNode); ok && n.syncing.Load() > 0 {
		return toDir.Sync(ctx) // as for create
	}
	return nil
}

// reclaim lets a staged file that has lost its name give its room back.
func reclaim(in *fusefs.Inode) {
	if n, ok := operations(in).(*stagedNode); ok {
		n.reclaim()
	}
}

func operations(in *fusefs.Inode) fusefs.InodeEmbedder {
	if in == nil {
		return nil
	}
	return in.Operations()
}

func (d *dirNode) refuse(ctx context.Context, what, name string) syscall.Errno {
	err := d.m.writable()
	if err == nil {
		err = syscall.EPERM
	}
	return d.m.begin(ctx, what, d.EmbeddedInode(), name).end(err)
}

// edit makes a staged file of what name means, and returns the error that sends
// the kernel to it: ESTALE. The node that was asked to be written is one that
// same recognises. The name may mean something else by now (a commit has
// retired it); then that is what is made ready, because the kernel tries only
// once more. But its bytes are kept: who reopens the node by /proc/self/fd and
// truncates it does not mean them.
func (d *dirNode) edit(ctx context.Context, name string, truncate bool, same func(commit.Node) bool) error {
	dir, err := d.change(ctx, name)
	if err != nil {
		return err
	}
	n, err := dir.Lookup(ctx, name)
	switch {
	case errors.Is(err, iofs.ErrNotExist), err == nil && (n.Dir != nil || n.Link != nil):
		return syscall.ESTALE
	case err != nil:
		return err
	}
	truncate = truncate && same(n)
	d.gen.Add(1) // before and after: a listing that is being read must not bring the old meaning back
	for {
		var file *commit.File
		if file, err = dir.Edit(ctx, name, truncate); err != nil || file.AwaitedBy(thread(ctx)) {
			break
		}
	}
	d.gen.Add(1)
	if err != nil {
		return err
	}
	d.mu.Lock()
	if d.edited == nil {
		d.edited = map[string]bool{}
	}
	d.edited[name] = true
	d.mu.Unlock()
	// The kernel walks the path again at once, unless there is none: a reopen
	// through /proc/self/fd. Then it has to be told that the name means another
	// file. Not in any case, since that makes open files look deleted.
	d.m.notifier.add(notice{node: d.EmbeddedInode(), name: name, due: time.Now().Add(editGrace), when: func() bool { return d.looked(name) }})
	return syscall.ESTALE
}

const editGrace = time.Second

// looked notes that the kernel asked for a name, and reports whether an Edit
// waited for that.
func (d *dirNode) looked(name string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	was := d.edited[name]
	delete(d.edited, name)
	return was
}

// editNode is edit for a node under the name that it has now.
func editNode(ctx context.Context, in *fusefs.Inode, truncate bool, same func(commit.Node) bool) error {
	name, parent := in.Parent()
	d, ok := operations(parent).(*dirNode)
	if !ok {
		return syscall.ESTALE // unlinked
	}
	return d.edit(ctx, name, truncate, same)
}
