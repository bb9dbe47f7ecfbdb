package fs

import (
	"context"
	"errors"
	"fmt"
	iofs "io/fs"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/hubfs/hubfs/commit"
	"github.com/hubfs/hubfs/remote"
)

// A place is what a path of the mount leads to, found without the kernel.
type place struct {
	kind   string           // as Info.Kind
	prefix string           // of a "root" or "namespace": that of the repos below it, as remote.Repo.Path gives them
	work   *commit.Worktree // of the others
	node   commit.Node      // of the others; of a repo the root
	path   string           // in the worktree
}

// relative takes a path in the mount, absolute or not, as one below its root;
// "" is the root.
func (m *mount) relative(p string) (string, error) {
	if filepath.IsAbs(p) {
		rel, err := filepath.Rel(m.dir, p)
		if err != nil {
			return "", syscall.EINVAL
		}
		p = rel
	}
	if p = path.Clean("./" + p); p == ".." || strings.HasPrefix(p, "../") {
		return "", syscall.EINVAL
	}
	if p == "." {
		return "", nil
	}
	return p, nil
}

// requested is worktreeAt for the path of a request: what was deleted may be
// named, too.
func (m *mount) requested(ctx context.Context, p string) (pl place, rest []string, err error) {
	rel, err := m.relative(p)
	if err != nil {
		return place{}, nil, fmt.Errorf("%w: %s is not in %s", err, p, m.dir)
	}
	return m.worktreeAt(ctx, rel)
}

// locate finds what a relative path leads to.
func (m *mount) locate(ctx context.Context, rel string) (place, error) {
	pl, parts, err := m.worktreeAt(ctx, rel)
	if err != nil || pl.work == nil {
		return pl, err
	}
	pl, err = walk(ctx, pl.work, parts)
	if err == nil && rel == "" {
		pl.kind = "root"
	}
	return pl, err
}

// worktreeAt finds the worktree that a relative path lies in, and the path in
// it, whether or not anything is there.
func (m *mount) worktreeAt(ctx context.Context, rel string) (pl place, rest []string, err error) {
	var parts []string
	if rel != "" {
		parts = strings.Split(rel, "/")
	}
	if m.opts.Repo != nil {
		w, err := m.store.Worktree(ctx, *m.opts.Repo)
		if err != nil {
			return place{}, nil, err
		}
		if m.opts.Subdir != "" {
			parts = append(strings.Split(strings.Trim(m.opts.Subdir, "/"), "/"), parts...)
		}
		return place{kind: "repo", work: w}, parts, nil
	}
	t := remote.Model
	if len(parts) > 0 {
		for _, other := range []remote.RepoType{remote.Dataset, remote.Space} {
			if parts[0] == other.Plural() {
				t, parts = other, parts[1:]
				break
			}
		}
	}
	prefix := ""
	if t != remote.Model {
		prefix = t.Plural() + "/"
	}
	if len(parts) == 0 {
		return place{kind: "root", prefix: prefix}, nil, nil
	}
	repo, rest, ok := splitRepo(t, parts)
	if !ok {
		return place{}, nil, syscall.ENOENT
	}
	if repo.Namespace() == "" && len(parts) == 1 && repo.Rev == "" {
		if !m.isWord(t, parts[0]) {
			return place{kind: "namespace", prefix: prefix + parts[0] + "/"}, nil, nil
		}
	}
	w, err := m.store.Worktree(ctx, repo)
	if errors.Is(err, iofs.ErrNotExist) && repo.Namespace() != "" {
		word := remote.Repo{Type: t, ID: parts[0]}
		if ww, wordErr := m.store.Worktree(ctx, word); wordErr == nil {
			w, rest, err = ww, parts[1:], nil
		}
	}
	if err != nil {
		return place{}, nil, err
	}
	m.watch(w)
	return place{kind: "repo", work: w}, rest, nil
}

// isWord reports whether a name at the root is known to be the one-word id of a
// repo, and no namespace.
func (m *mount) isWord(t remote.RepoType, name string) bool {
	n, ok := operations(m.rootInode).(*typeNode)
	if ok && t != remote.Model {
		n = n.types[t.Plural()]
	}
	return ok && n.known(name) != nil
}

// splitRepo takes the repo off the front of a path.
func splitRepo(t remote.RepoType, parts []string) (repo remote.Repo, rest []string, ok bool) {
	r := repoDir{typ: t}
	name := parts[0]
	rest = parts[1:]
	if !strings.Contains(name, "@") && len(rest) > 0 {
		r.ns, name, rest = name, rest[0], rest[1:]
	}
	if base, is := strings.CutSuffix(name, refsSuffix); is && len(rest) >= 2 {
		name = base + "@" + revEscaper.Replace("refs/"+rest[0]+"/"+rest[1])
		rest = rest[2:]
	}
	if r.ns != "" && !remote.ValidName(r.ns) {
		return remote.Repo{}, nil, false
	}
	repo, ok = r.parse(name)
	return repo, rest, ok
}

func walk(ctx context.Context, w *commit.Worktree, parts []string) (place, error) {
	pl := place{kind: "repo", work: w, node: commit.Node{Dir: w.Root()}, path: strings.Join(parts, "/")}
	for _, part := range parts {
		if pl.node.Dir == nil {
			return place{}, syscall.ENOTDIR
		}
		n, err := pl.node.Dir.Lookup(ctx, part)
		if err != nil {
			return place{}, err
		}
		pl.node, pl.kind = n, "file"
		switch {
		case n.Dir != nil:
			pl.kind = "dir"
		case n.Link != nil:
			pl.kind = "link"
		}
	}
	return pl, nil
}
