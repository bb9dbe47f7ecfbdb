package fs

import (
	"context"
	"errors"
	iofs "io/fs"
	"strings"
	"sync"
	"syscall"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/hubfs/hubfs/remote"
	"golang.org/x/sys/unix"
)

// A namespaceNode is the directory of a user or organization. Every name that
// can be one is such a directory, without a request.
type namespaceNode struct {
	repoDir
	parent *typeNode

	cacheMu  sync.Mutex
	listing  []remote.Info
	listedAt time.Time // when listing was made
	noWord   time.Time // when the name was found to be no one-word id
}

var (
	_ = (fusefs.NodeLookuper)((*namespaceNode)(nil))
	_ = (fusefs.NodeOpendirHandler)((*namespaceNode)(nil))
	_ = (fusefs.NodeMkdirer)((*namespaceNode)(nil))
	_ = (fusefs.NodeRmdirer)((*namespaceNode)(nil))
	_ = (fusefs.NodeRenamer)((*namespaceNode)(nil))
	_ = (lister)((*namespaceNode)(nil))
)

func (n *namespaceNode) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fusefs.Inode, syscall.Errno) {
	op := n.m.begin(ctx, "lookup", n.EmbeddedInode(), name)
	if base, ok := strings.CutSuffix(name, refsSuffix); ok && remote.ValidName(base) {
		return n.refsChild(base, out), op.end(nil)
	}
	if e := n.oneWord(); e != nil {
		in, err := n.aliasChild(op, e, name, out)
		return in, op.end(err)
	}
	e, err := n.find(op, name)
	if absent(err) && n.lookOneWord(op) {
		return nil, op.end(syscall.ESTALE)
	}
	if errors.Is(err, iofs.ErrNotExist) {
		out.SetEntryTimeout(fleeting)
	}
	if err != nil {
		return nil, op.end(err)
	}
	return n.show(name, e, out), op.end(nil)
}

// absent says that there is no such repo for us. Without a token the Hub does
// not tell one that is missing from one that is private.
func absent(err error) bool {
	return errors.Is(err, iofs.ErrNotExist) || errors.Is(err, iofs.ErrPermission)
}

// oneWord is set if the namespace has turned out to be the one-word id of a
// repo. Its name is a link by then: who still is in this directory has it as
// his working directory, or open.
func (n *namespaceNode) oneWord() *repoEntry { return n.parent.known(n.ns) }

// lookOneWord asks whether the namespace is the one-word id of a repo, unless it
// is known to have repos itself.
func (n *namespaceNode) lookOneWord(ctx context.Context) bool {
	n.cacheMu.Lock()
	skip := time.Since(n.noWord) < fleeting || len(n.listing) > 0
	n.cacheMu.Unlock()
	if skip || len(n.opened()) > 0 || len(n.m.store.NewRepos(n.typ, n.ns)) > 0 {
		return false
	}
	_, err := n.parent.find(ctx, n.ns)
	if absent(err) {
		n.cacheMu.Lock()
		n.noWord = time.Now()
		n.cacheMu.Unlock()
	}
	return err == nil
}

// OpendirHandle asks for the listing: one that is empty may mean that the name
// is the one-word id of a repo.
func (n *namespaceNode) OpendirHandle(ctx context.Context, flags uint32) (fusefs.FileHandle, uint32, syscall.Errno) {
	op := n.m.begin(ctx, "opendir", n.EmbeddedInode(), "")
	h := &dirHandle{m: n.m, dir: n}
	if n.oneWord() == nil {
		list, err := n.list(op)
		if err == nil && len(list) == 0 && n.lookOneWord(op) {
			err = syscall.ESTALE
		}
		if err != nil {
			return nil, 0, op.end(err)
		}
	}
	return h, 0, op.end(nil)
}

// list has the repos on the Hub, those in use, and those that are not there yet.
func (n *namespaceNode) list(ctx context.Context) ([]dirent, error) {
	if e := n.oneWord(); e != nil {
		return n.aliasList(ctx, e)
	}
	infos, err := n.infos(ctx)
	if err != nil && !absent(err) {
		return nil, err
	}
	all := map[string]*repoEntry{}
	for _, i := range infos {
		ns, name := placeOf(remote.Repo{Type: n.typ, ID: i.ID})
		if ns == n.ns {
			all[name] = n.listedRepo(name, i)
		}
	}
	for _, name := range append(n.opened(), n.m.store.NewRepos(n.typ, n.ns)...) {
		if e, err := n.find(ctx, name); err == nil {
			all[name] = e
		}
	}
	var list []dirent
	for name, e := range all {
		list = append(list, n.shown(name, e))
	}
	return list, nil
}

// listedRepo is the entry of a repo that a listing names.
func (n *namespaceNode) listedRepo(name string, i remote.Info) *repoEntry {
	n.mu.Lock()
	defer n.mu.Unlock()
	e := n.repos[name]
	if e == nil {
		d := newDirNode(n.m)
		d.repo = &repoName{parent: &n.repoDir, name: name, repo: remote.Repo{Type: n.typ, ID: i.ID}, date: i.LastModified}
		e = &repoEntry{dir: d}
		if n.repos == nil {
			n.repos = map[string]*repoEntry{}
		}
		n.repos[name] = e
	}
	return e
}

// infos is the Hub's list of the namespace, kept for a moment: ls opens the
// directory, and the stat of each name comes back here.
func (n *namespaceNode) infos(ctx context.Context) ([]remote.Info, error) {
	n.cacheMu.Lock()
	listing, fresh := n.listing, time.Since(n.listedAt) < fleeting
	n.cacheMu.Unlock()
	if fresh {
		return listing, nil
	}
	listing = nil
	for i, err := range n.m.client.Repos(ctx, n.typ, n.ns) {
		if err != nil {
			return nil, err
		}
		listing = append(listing, i)
	}
	n.cacheMu.Lock()
	n.listing, n.listedAt = listing, time.Now()
	n.cacheMu.Unlock()
	return listing, nil
}

func (n *namespaceNode) listed(ctx context.Context, e *dirent, out *fuse.EntryOut) (*fusefs.Inode, error) {
	if word := n.oneWord(); word != nil {
		return n.aliasChild(ctx, word, e.name, out)
	}
	entry := n.known(e.name)
	if entry == nil {
		return nil, syscall.ENOENT
	}
	return n.show(e.name, entry, out), nil
}

// Mkdir stages a repo that does not exist yet.
func (n *namespaceNode) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fusefs.Inode, syscall.Errno) {
	op := n.m.begin(ctx, "mkdir", n.EmbeddedInode(), name)
	if err := n.m.mayMake(); err != nil {
		return nil, op.end(err)
	}
	repo, ok := n.parse(name)
	switch {
	case !ok && !strings.Contains(name, "@"):
		return nil, op.end(syscall.EINVAL) // no repo can have that name
	case !ok || repo.Rev != "":
		return nil, op.end(syscall.EPERM)
	}
	w, err := n.m.store.Create(op, repo)
	if err != nil {
		return nil, op.end(err)
	}
	return n.show(name, n.add(name, w), out), op.end(nil)
}

// Rmdir removes a repo that is not on the Hub yet.
func (n *namespaceNode) Rmdir(ctx context.Context, name string) syscall.Errno {
	op := n.m.begin(ctx, "rmdir", n.EmbeddedInode(), name)
	if err := n.m.mayMake(); err != nil {
		return op.end(err)
	}
	repo, ok := n.parse(name)
	if !ok || repo.Rev != "" {
		return op.end(syscall.EPERM)
	}
	if err := n.m.store.RemoveNew(repo); err != nil {
		return op.end(err)
	}
	n.m.forgetDir(n.GetChild(name))
	n.drop(name)
	return op.end(nil)
}

// Rename renames a repo that is not on the Hub yet.
func (n *namespaceNode) Rename(ctx context.Context, name string, newParent fusefs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	op := n.m.begin(ctx, "rename", n.EmbeddedInode(), name)
	return op.end(n.rename(name, newParent, newName, flags))
}

func (n *namespaceNode) rename(name string, newParent fusefs.InodeEmbedder, newName string, flags uint32) error {
	if err := n.m.mayMake(); err != nil {
		return err
	}
	to, ok := newParent.(*namespaceNode)
	if !ok || to.typ != n.typ {
		return syscall.EXDEV
	}
	if flags&unix.RENAME_EXCHANGE != 0 {
		return syscall.EINVAL
	}
	from, ok1 := n.parse(name)
	repo, ok2 := to.parse(newName)
	if !ok1 || !ok2 || from.Rev != "" || repo.Rev != "" {
		return syscall.EPERM
	}
	if err := n.m.store.RenameNew(from, repo); err != nil {
		return err
	}
	for _, w := range n.m.store.Opened() {
		if w.Repo() == repo {
			n.m.showAt(w)
		}
	}
	n.mu.Lock()
	e := n.repos[name]
	delete(n.repos, name)
	n.mu.Unlock()
	n.names.remove(name)
	if e == nil || e.dir == nil {
		return nil
	}
	e.dir.mu.Lock()
	e.dir.repo = &repoName{parent: &to.repoDir, name: newName, repo: repo}
	e.dir.mu.Unlock()
	to.mu.Lock()
	defer to.mu.Unlock()
	if to.repos == nil {
		to.repos = map[string]*repoEntry{}
	}
	to.repos[newName] = e
	return nil
}
