package fs

import (
	"context"
	"strings"
	"syscall"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// refsSuffix ends a name under which refs are written with slashes:
// gpt2@refs/pr/3. What is there are links to the one-part spelling.
const refsSuffix = "@refs"

// A refsNode is NAME@refs, or NAME@refs/pr and NAME@refs/convert.
type refsNode struct {
	fixedDir
	in   *repoDir
	base string // the repo's name in it
	kind string // "" for the upper one
}

var (
	_ = (fusefs.NodeLookuper)((*refsNode)(nil))
	_ = (fusefs.NodeOpendirHandler)((*refsNode)(nil))
	_ = (lister)((*refsNode)(nil))
)

var refKinds = []string{"convert", "pr"}

// refsChild is base@refs in r. It exists without a request, like a namespace.
func (r *repoDir) refsChild(base string, out *fuse.EntryOut) *fusefs.Inode {
	if old, ok := operations(r.GetChild(base + refsSuffix)).(*refsNode); ok {
		return old.entry(r.EmbeddedInode(), old, out)
	}
	n := &refsNode{in: r, base: base}
	n.setup(r.m)
	return n.entry(r.EmbeddedInode(), n, out)
}

func (n *refsNode) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fusefs.Inode, syscall.Errno) {
	op := n.m.begin(ctx, "lookup", n.EmbeddedInode(), name)
	if n.kind == "" {
		for _, kind := range refKinds {
			if name == kind {
				return n.kindChild(kind, out), op.end(nil)
			}
		}
		out.SetEntryTimeout(fleeting)
		return nil, op.end(syscall.ENOENT)
	}
	if strings.ContainsAny(name, "@%") {
		out.SetEntryTimeout(fleeting)
		return nil, op.end(syscall.ENOENT)
	}
	one := n.oneName(name)
	if _, err := n.in.find(op, one); err != nil {
		if errnoOf(err) == syscall.ENOENT {
			out.SetEntryTimeout(fleeting)
		}
		return nil, op.end(err)
	}
	return linkTo(n.EmbeddedInode(), &n.names, name, "../../"+one, out), op.end(nil)
}

func (n *refsNode) kindChild(kind string, out *fuse.EntryOut) *fusefs.Inode {
	if old, ok := operations(n.GetChild(kind)).(*refsNode); ok {
		return old.entry(n.EmbeddedInode(), old, out)
	}
	c := &refsNode{in: n.in, base: n.base, kind: kind}
	c.setup(n.m)
	return c.entry(n.EmbeddedInode(), c, out)
}

// oneName is the name in n.in for a ref.
func (n *refsNode) oneName(ref string) string {
	return n.base + "@" + revEscaper.Replace("refs/"+n.kind+"/"+ref)
}

func (n *refsNode) OpendirHandle(ctx context.Context, flags uint32) (fusefs.FileHandle, uint32, syscall.Errno) {
	return &dirHandle{m: n.m, dir: n}, 0, 0
}

func (n *refsNode) list(ctx context.Context) (list []dirent, err error) {
	if n.kind == "" {
		for _, kind := range refKinds {
			e := dirent{name: kind, mode: syscall.S_IFDIR, ino: fuse.FUSE_UNKNOWN_INO}
			_, e.cookie = n.names.get(kind, "", 0)
			list = append(list, e)
		}
		return list, nil
	}
	repo, _ := n.in.parse(n.base)
	refs, err := n.m.client.Refs(ctx, repo)
	if err != nil {
		return nil, err
	}
	for _, ref := range append(refs.PRs, refs.Converts...) {
		name, ok := strings.CutPrefix(ref.Ref, "refs/"+n.kind+"/")
		if !ok || strings.ContainsAny(name, "/@%") {
			continue
		}
		e := dirent{name: name, mode: syscall.S_IFLNK}
		e.ino, e.cookie = n.names.get(name, "link ../../"+n.oneName(name), 0)
		list = append(list, e)
	}
	return list, nil
}

// listed leaves the attributes to a lookup: that is what finds out whether the
// ref can be opened.
func (n *refsNode) listed(ctx context.Context, e *dirent, out *fuse.EntryOut) (*fusefs.Inode, error) {
	if n.kind == "" {
		return n.kindChild(e.name, out), nil
	}
	return nil, syscall.ENOENT
}
