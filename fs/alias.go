package fs

import (
	"context"
	"syscall"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/hubfs/hubfs/commit"
	"github.com/hubfs/hubfs/remote"
)

// A program whose working directory is MNT/gpt2 is in the directory of a
// namespace, which has turned out to be no such thing: the name is a link now,
// but no walk of a path leads the program away. It sees links to what is in the
// repo.

func (n *namespaceNode) aliasRoot(ctx context.Context) (*commit.Dir, error) {
	w, err := n.m.store.Worktree(ctx, remote.Repo{Type: n.typ, ID: n.ns})
	if err != nil {
		return nil, err
	}
	return w.Root(), nil
}

func (n *namespaceNode) aliasChild(ctx context.Context, word *repoEntry, name string, out *fuse.EntryOut) (*fusefs.Inode, error) {
	root, err := n.aliasRoot(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := root.Lookup(ctx, name); err != nil {
		return nil, err
	}
	return linkTo(n.EmbeddedInode(), &n.names, name, n.aliasTarget(word, name), out), nil
}

func (n *namespaceNode) aliasTarget(word *repoEntry, name string) string {
	if word.dir != nil {
		return "../" + n.ns + "/" + name
	}
	return "../" + word.target + "/" + name
}

func (n *namespaceNode) aliasList(ctx context.Context, word *repoEntry) ([]dirent, error) {
	root, err := n.aliasRoot(ctx)
	if err != nil {
		return nil, err
	}
	named, err := root.List(ctx)
	if err != nil {
		return nil, err
	}
	var list []dirent
	for _, c := range named {
		e := dirent{name: c.Name, mode: syscall.S_IFLNK}
		e.ino, e.cookie = n.names.get(c.Name, "link "+n.aliasTarget(word, c.Name), 0)
		list = append(list, e)
	}
	return list, nil
}
