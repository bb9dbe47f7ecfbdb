package fs

import (
	"context"
	"strings"
	"syscall"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/hubfs/hubfs/remote"
)

// A typeNode has the namespaces of one repo type: the root of a mount of the
// whole Hub those of models, datasets/ and spaces/ in it the others.
type typeNode struct {
	repoDir
	types map[string]*typeNode // of the root; nil for the others

	namespaces map[string]*namespaceNode // guarded by repoDir.mu; every name that was looked up
}

var (
	_ = (fusefs.NodeLookuper)((*typeNode)(nil))
	_ = (fusefs.NodeOpendirHandler)((*typeNode)(nil))
	_ = (lister)((*typeNode)(nil))
)

func newTypeNode(m *mount, t remote.RepoType) *typeNode {
	n := &typeNode{namespaces: map[string]*namespaceNode{}}
	n.setup(m)
	n.typ = t
	return n
}

func newRoot(m *mount) *typeNode {
	n := newTypeNode(m, remote.Model)
	n.types = map[string]*typeNode{}
	for _, t := range []remote.RepoType{remote.Dataset, remote.Space} {
		n.types[t.Plural()] = newTypeNode(m, t)
	}
	return n
}

func (n *typeNode) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fusefs.Inode, syscall.Errno) {
	op := n.m.begin(ctx, "lookup", n.EmbeddedInode(), name)
	if n.types != nil && name == controlName {
		return n.m.control.lookup(n.EmbeddedInode(), out), op.end(nil)
	}
	if t := n.types[name]; t != nil {
		return t.entry(n.EmbeddedInode(), t, out), op.end(nil)
	}
	if e := n.known(name); e != nil {
		return n.show(name, e, out), op.end(nil)
	}
	if base, ok := strings.CutSuffix(name, refsSuffix); ok && remote.ValidName(base) {
		return n.refsChild(base, out), op.end(nil)
	}
	if remote.ValidName(name) {
		ns := n.namespace(name)
		return ns.entry(n.EmbeddedInode(), ns, out), op.end(nil)
	}
	// What is left is a one-word id with a revision, or nothing.
	e, err := n.find(op, name)
	if errnoOf(err) == syscall.ENOENT {
		out.SetEntryTimeout(fleeting)
	}
	if err != nil {
		return nil, op.end(err)
	}
	return n.show(name, e, out), op.end(nil)
}

func (n *typeNode) namespace(name string) *namespaceNode {
	n.mu.Lock()
	defer n.mu.Unlock()
	ns := n.namespaces[name]
	if ns == nil {
		ns = &namespaceNode{parent: n}
		ns.setup(n.m)
		ns.typ, ns.ns = n.typ, name
		n.namespaces[name] = ns
	}
	return ns
}

func (n *typeNode) OpendirHandle(ctx context.Context, flags uint32) (fusefs.FileHandle, uint32, syscall.Errno) {
	return &dirHandle{m: n.m, dir: n}, 0, 0
}

// list has the user's own namespaces and those that were used: the Hub has too
// many to list.
func (n *typeNode) list(ctx context.Context) (list []dirent, err error) {
	for name, t := range n.types {
		e := dirent{name: name, mode: syscall.S_IFDIR}
		e.ino, e.cookie = n.names.get(name, t, t.ino)
		list = append(list, e)
	}
	seen := map[string]bool{}
	for _, name := range n.used(ctx) {
		if seen[name] || n.types[name] != nil || !remote.ValidName(name) {
			continue
		}
		seen[name] = true
		if e := n.known(name); e != nil {
			list = append(list, n.shown(name, e))
			continue
		}
		ns := n.namespace(name)
		e := dirent{name: name, mode: syscall.S_IFDIR}
		e.ino, e.cookie = n.names.get(name, ns, ns.ino)
		list = append(list, e)
	}
	return list, nil
}

func (n *typeNode) used(ctx context.Context) (out []string) {
	if !n.m.client.Anonymous() {
		// A Hub that does not answer is no reason not to show the rest.
		if user, err := n.m.client.WhoAmI(ctx); err == nil {
			out = append(out, user.Name)
			for _, org := range user.Orgs {
				out = append(out, org.Name)
			}
		}
	}
	for _, repo := range n.m.store.Staged() {
		if repo.Type == n.typ && repo.Namespace() != "" {
			out = append(out, repo.Namespace())
		}
	}
	n.mu.Lock()
	namespaces := make([]*namespaceNode, 0, len(n.namespaces))
	for _, ns := range n.namespaces {
		namespaces = append(namespaces, ns)
	}
	for name := range n.repos {
		if !strings.Contains(name, "@") {
			out = append(out, name)
		}
	}
	n.mu.Unlock()
	for _, ns := range namespaces {
		if ns.inUse() {
			out = append(out, ns.ns)
		}
	}
	return out
}

// inUse reports whether something in the namespace was found.
func (n *namespaceNode) inUse() bool {
	n.cacheMu.Lock()
	listed := len(n.listing) > 0
	n.cacheMu.Unlock()
	return listed || len(n.opened()) > 0
}

func (n *typeNode) listed(ctx context.Context, e *dirent, out *fuse.EntryOut) (*fusefs.Inode, error) {
	if t := n.types[e.name]; t != nil {
		return t.entry(n.EmbeddedInode(), t, out), nil
	}
	if entry := n.known(e.name); entry != nil {
		return n.show(e.name, entry, out), nil
	}
	ns := n.namespace(e.name)
	return ns.entry(n.EmbeddedInode(), ns, out), nil
}
