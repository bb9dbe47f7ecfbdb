package fs

import (
	"context"
	"fmt"
	iofs "io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// A mountFault is what a faulty disk does from its n-th operation of a kind on.
type mountFault struct {
	op    string // see mountFaultOps
	only  string // "" = any file; "journal", "files" (the staged ones)
	errno syscall.Errno
	n     int
	stays bool // until it is ended
	short bool // of a write a part is written first
}

func (f mountFault) String() string {
	return fmt.Sprintf("%v at %s %d of %q, stays %v, short %v", f.errno, f.op, f.n, f.only, f.stays, f.short)
}

// mountFaultOps are the operations that are made to fail in turn.
var mountFaultOps = []string{"fsync", "write", "fsync", "create", "fsync", "rename", "write", "truncate", "fsync", "unlink", "fsyncdir"}

// A faultDisk is a file system on the directory lower that fails when it is told
// to, and forgets in a power cut what a failed fsync was asked to keep.
type faultDisk struct {
	lower, mnt string
	writeback  bool // writes are only seen when the kernel writes pages back
	srv        *fuse.Server

	mu       sync.Mutex
	fault    *mountFault
	seen     int
	hits     []string
	unsynced map[uint64][]span // by inode number
	dropped  map[uint64][]span // what an fsync failed for
}

type span struct{ from, to int64 }

func (d *faultDisk) mount() error {
	var st unix.Stat_t
	if err := unix.Stat(d.lower, &st); err != nil {
		return err
	}
	d.unsynced, d.dropped = map[uint64][]span{}, map[uint64][]span{}
	root := &fusefs.LoopbackRoot{Path: d.lower, Dev: st.Dev}
	node := &faultNode{LoopbackNode: fusefs.LoopbackNode{RootData: root}, d: d}
	root.RootNode = node
	second := time.Second
	o := &fusefs.Options{NullPermissions: true, AttrTimeout: &second, EntryTimeout: &second}
	o.MountOptions = fuse.MountOptions{FsName: "hubfs-test", Name: "hubfs-test", DirectMountStrict: true, DisableXAttrs: true}
	if d.writeback {
		o.ExtraCapabilities = fuse.CAP_WRITEBACK_CACHE
	}
	srv, err := fusefs.Mount(d.mnt, node, o)
	if err == nil {
		d.srv = srv
	}
	return err
}

// WrapChild makes the nodes below fail as well.
func (n *faultNode) WrapChild(_ context.Context, ops fusefs.InodeEmbedder) fusefs.InodeEmbedder {
	return &faultNode{LoopbackNode: fusefs.LoopbackNode{RootData: ops.(*fusefs.LoopbackNode).RootData}, d: n.d}
}

// powerCut takes what was dropped. What was only not synced stays: it may.
func (d *faultDisk) powerCut() error {
	if err := d.srv.Unmount(); err != nil {
		return err
	}
	err := filepath.WalkDir(d.lower, func(p string, e iofs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(p, &st); err != nil || len(d.dropped[st.Ino]) == 0 {
			return err
		}
		f, err := os.OpenFile(p, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		for _, s := range d.dropped[st.Ino] {
			if to := min(s.to, st.Size); to > s.from {
				if _, err := f.WriteAt(make([]byte, to-s.from), s.from); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return d.mount()
}

// arm begins a fault, or ends it with nil.
func (d *faultDisk) arm(f *mountFault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault, d.seen = f, 0
}

// fails reports whether an operation on a file has the fault.
func (d *faultDisk) fails(op, path string) (mountFault, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.fault
	if f == nil || f.op != op {
		return mountFault{}, false
	}
	if f.only == "journal" && !strings.HasPrefix(filepath.Base(path), "journal") || f.only == "files" && filepath.Base(filepath.Dir(path)) != "files" {
		return mountFault{}, false
	}
	d.seen++
	if d.seen != f.n && (!f.stays || d.seen < f.n) {
		return mountFault{}, false
	}
	d.hits = append(d.hits, op+" "+path)
	return *f, true
}

// wrote notes what a power cut may take; an earlier loss of it is made good.
func (d *faultDisk) wrote(ino uint64, s span) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.unsynced[ino] = append(d.unsynced[ino], s)
	d.dropped[ino] = slices.DeleteFunc(d.dropped[ino], func(l span) bool { return s.from <= l.from && l.to <= s.to })
}

// A faultNode is a file or directory of a faultDisk.
type faultNode struct {
	fusefs.LoopbackNode
	d *faultDisk
}

func (n *faultNode) ino() uint64  { return n.StableAttr().Ino }
func (n *faultNode) name() string { return n.Path(n.Root()) }

func (n *faultNode) check(op, name string) syscall.Errno {
	if f, ok := n.d.fails(op, name); ok {
		return f.errno
	}
	return 0
}

// A faultFile hides that the file could be passed through.
type faultFile struct{ *fusefs.LoopbackFile }

func (f *faultFile) PassthroughFd() (int, bool) { return 0, false }

func (n *faultNode) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fusefs.Inode, fusefs.FileHandle, uint32, syscall.Errno) {
	if errno := n.check("create", filepath.Join(n.name(), name)); errno != 0 {
		return nil, nil, 0, errno
	}
	in, f, ff, errno := n.LoopbackNode.Create(ctx, name, n.flags(flags), mode, out)
	if errno == 0 {
		n.d.mu.Lock()
		delete(n.d.unsynced, in.StableAttr().Ino)
		delete(n.d.dropped, in.StableAttr().Ino)
		n.d.mu.Unlock()
		f = &faultFile{f.(*fusefs.LoopbackFile)}
	}
	return in, f, ff, errno
}

func (n *faultNode) Open(ctx context.Context, flags uint32) (fusefs.FileHandle, uint32, syscall.Errno) {
	f, ff, errno := n.LoopbackNode.Open(ctx, n.flags(flags))
	if errno == 0 {
		f = &faultFile{f.(*fusefs.LoopbackFile)}
	}
	return f, ff, errno
}

// flags: to write pages back the kernel reads them first.
func (n *faultNode) flags(f uint32) uint32 {
	if n.d.writeback && f&syscall.O_ACCMODE == syscall.O_WRONLY {
		f = f&^syscall.O_ACCMODE | syscall.O_RDWR
	}
	return f
}

func (n *faultNode) Write(ctx context.Context, f fusefs.FileHandle, data []byte, off int64) (uint32, syscall.Errno) {
	if e, ok := n.d.fails("write", n.name()); ok {
		// What the kernel writes back, in nobody's name, has no short answer.
		if by, ok := fuse.FromContext(ctx); e.short && ok && by.Pid != 0 && len(data) > 1 {
			data = data[:len(data)/2]
		} else {
			return 0, e.errno
		}
	}
	w, errno := f.(*faultFile).Write(ctx, data, off)
	if errno == 0 {
		n.d.wrote(n.ino(), span{off, off + int64(w)})
	}
	return w, errno
}

func (n *faultNode) Fsync(ctx context.Context, f fusefs.FileHandle, flags uint32) syscall.Errno {
	op := "fsync"
	if n.IsDir() {
		op = "fsyncdir"
	}
	e, failed := n.d.fails(op, n.name())
	n.d.mu.Lock()
	defer n.d.mu.Unlock()
	if failed {
		n.d.dropped[n.ino()] = append(n.d.dropped[n.ino()], n.d.unsynced[n.ino()]...)
		delete(n.d.unsynced, n.ino())
		return e.errno
	}
	delete(n.d.unsynced, n.ino())
	return 0
}

func (n *faultNode) OpendirHandle(ctx context.Context, flags uint32) (fusefs.FileHandle, uint32, syscall.Errno) {
	f, ff, errno := n.LoopbackNode.OpendirHandle(ctx, flags)
	if errno != 0 {
		return nil, 0, errno
	}
	return &faultDir{f.(dirStream), n}, ff, 0
}

type dirStream interface {
	fusefs.FileReaddirenter
	fusefs.FileReleasedirer
	fusefs.FileSeekdirer
}

type faultDir struct {
	dirStream
	n *faultNode
}

func (f *faultDir) Fsyncdir(ctx context.Context, flags uint32) syscall.Errno {
	return f.n.Fsync(ctx, nil, flags)
}

func (n *faultNode) Setattr(ctx context.Context, f fusefs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	size, ok := in.GetSize()
	if ok {
		if errno := n.check("truncate", n.name()); errno != 0 {
			return errno
		}
	}
	errno := n.LoopbackNode.Setattr(ctx, f, in, out)
	if ok && errno == 0 && size == 0 {
		n.d.mu.Lock()
		delete(n.d.unsynced, n.ino())
		delete(n.d.dropped, n.ino())
		n.d.mu.Unlock()
	}
	return errno
}

func (n *faultNode) Unlink(ctx context.Context, name string) syscall.Errno {
	if errno := n.check("unlink", filepath.Join(n.name(), name)); errno != 0 {
		return errno
	}
	return n.LoopbackNode.Unlink(ctx, name)
}

func (n *faultNode) Rename(ctx context.Context, name string, to fusefs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	if errno := n.check("rename", filepath.Join(n.name(), newName)); errno != 0 {
		return errno
	}
	return n.LoopbackNode.Rename(ctx, name, to, newName, flags)
}
