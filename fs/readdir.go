package fs

import (
	"context"
	"slices"
	"sort"
	"syscall"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/hubfs/hubfs/commit"
)

// A dirent is one name in a listing.
type dirent struct {
	name   string
	cookie uint64 // its place, see names
	ino    uint64
	mode   uint32 // type bits
	node   commit.Node
	gen    uint64 // of the directory, before it was asked
}

// A lister is a directory that a dirHandle can read.
type lister interface {
	fusefs.InodeEmbedder
	list(ctx context.Context) ([]dirent, error)
	// listed is the node of a name from list, with its attributes. It makes no
	// request.
	listed(ctx context.Context, e *dirent, out *fuse.EntryOut) (*fusefs.Inode, error)
}

// A dirHandle is an open directory. It reads the listing as it was when the
// handle was first read or rewound.
type dirHandle struct {
	m    *mount
	dir  lister
	ents []dirent // by cookie; nil = not read yet
	pos  int
	last *dirent // given out last; READDIRPLUS asks for its node
}

var (
	_ = (fusefs.FileReaddirenter)((*dirHandle)(nil))
	_ = (fusefs.FileSeekdirer)((*dirHandle)(nil))
	_ = (fusefs.FileLookuper)((*dirHandle)(nil))
)

func (h *dirHandle) load(ctx context.Context) error {
	list, err := h.dir.list(ctx)
	if err != nil {
		return err
	}
	self := h.dir.EmbeddedInode()
	up := uint64(fuse.FUSE_UNKNOWN_INO)
	if _, p := self.Parent(); p != nil {
		up = shownIno(p.StableAttr().Ino)
	}
	list = append(list,
		dirent{name: ".", cookie: 1, ino: shownIno(self.StableAttr().Ino), mode: syscall.S_IFDIR},
		dirent{name: "..", cookie: 2, ino: up, mode: syscall.S_IFDIR})
	slices.SortFunc(list, func(a, b dirent) int {
		if a.cookie < b.cookie {
			return -1
		}
		return 1
	})
	h.ents = list
	return nil
}

func (h *dirHandle) Readdirent(ctx context.Context) (*fuse.DirEntry, syscall.Errno) {
	if h.ents == nil {
		op := h.m.begin(ctx, "readdir", h.dir.EmbeddedInode(), "")
		if errno := op.end(h.load(op)); errno != 0 {
			return nil, errno
		}
	}
	if h.pos >= len(h.ents) {
		return nil, 0
	}
	e := &h.ents[h.pos]
	h.pos++
	h.last = e
	return &fuse.DirEntry{Name: e.name, Mode: e.mode, Ino: shownIno(e.ino), Off: e.cookie}, 0
}

// Seekdir goes to the first entry after a place. The beginning is a new
// listing, as rewinddir(3) wants it.
func (h *dirHandle) Seekdir(ctx context.Context, off uint64) syscall.Errno {
	if off == 0 {
		h.ents = nil
	}
	if h.ents == nil {
		op := h.m.begin(ctx, "readdir", h.dir.EmbeddedInode(), "")
		if errno := op.end(h.load(op)); errno != 0 {
			return errno
		}
	}
	h.pos = sort.Search(len(h.ents), func(i int) bool { return h.ents[i].cookie > off })
	return 0
}

// Lookup is asked by READDIRPLUS for the name given out last. An error leaves
// the entry without attributes, and the kernel asks when it needs them.
func (h *dirHandle) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fusefs.Inode, syscall.Errno) {
	if h.last == nil || h.last.name != name {
		return nil, syscall.ENOENT
	}
	in, err := h.dir.listed(ctx, h.last, out)
	if err != nil {
		*out = fuse.EntryOut{}
		return nil, errnoOf(err)
	}
	return in, 0
}

// OpendirHandle lets the kernel keep the listing: it drops it when it changes a
// name in the directory, by a notification, and here when there has been one:
// that may have come while an old listing was on its way.
func (d *dirNode) OpendirHandle(ctx context.Context, flags uint32) (fusefs.FileHandle, uint32, syscall.Errno) {
	op := d.m.begin(ctx, "opendir", d.EmbeddedInode(), "")
	if _, err := d.bind(op); err != nil {
		return nil, 0, op.end(err)
	}
	fuseFlags := uint32(fuse.FOPEN_CACHE_DIR)
	if now := d.foreign.Load(); d.kept.Swap(now) == now {
		fuseFlags |= fuse.FOPEN_KEEP_CACHE
	}
	return &dirHandle{m: d.m, dir: d}, fuseFlags, op.end(nil)
}

func (d *dirNode) list(ctx context.Context) ([]dirent, error) {
	dir, err := d.bind(ctx)
	if err != nil {
		return nil, err
	}
	gen := d.gen.Load()
	named, err := dir.List(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]dirent, 0, len(named)+dotCookies)
	for _, n := range named {
		if d.mountRoot && n.Name == controlName {
			continue
		}
		e := dirent{name: n.Name, mode: syscall.S_IFREG, node: n.Node, gen: gen}
		var id any = n.File
		switch {
		case n.Dir != nil:
			e.mode, id, e.ino = syscall.S_IFDIR, n.Dir, d.m.dirNode(n.Dir).ino
		case n.Link != nil:
			e.mode, id = syscall.S_IFLNK, n.Link
		case n.File == nil:
			id = blobIdentity(n.Node)
		}
		e.ino, e.cookie = d.names.get(n.Name, id, e.ino)
		list = append(list, e)
	}
	return list, nil
}

// listed takes the meaning of the name from the listing, unless something has
// changed since: then a stale one must not get into the kernel.
func (d *dirNode) listed(ctx context.Context, e *dirent, out *fuse.EntryOut) (*fusefs.Inode, error) {
	if e.gen == d.gen.Load() {
		return d.child(e.name, e.node, out)
	}
	dir, err := d.bind(ctx)
	if err != nil {
		return nil, err
	}
	n, err := dir.Lookup(ctx, e.name)
	if err != nil {
		return nil, err
	}
	return d.child(e.name, n, out)
}
