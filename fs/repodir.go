package fs

import (
	"context"
	"errors"
	iofs "io/fs"
	"net/url"
	"strings"
	"sync"
	"syscall"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/hubfs/hubfs/commit"
	"github.com/hubfs/hubfs/remote"
)

// A repoDir is a directory with repos in it: a namespace, or for repos of one
// word the directory of a type.
type repoDir struct {
	fixedDir
	typ remote.RepoType
	ns  string // "" = one-word ids

	mu    sync.Mutex
	repos map[string]*repoEntry // by name, as far as known
}

// A repoEntry is what the name of a repo is: its root, or a link to where that is.
type repoEntry struct {
	dir    *dirNode // nil for a link
	target string
}

// parse reads the name of a repo, with or without a revision.
func (r *repoDir) parse(name string) (remote.Repo, bool) {
	base, rev, has := strings.Cut(name, "@")
	repo := remote.Repo{Type: r.typ, ID: base}
	if r.ns != "" {
		repo.ID = r.ns + "/" + base
	}
	if !remote.ValidName(base) {
		return repo, false
	}
	if has {
		if u, err := url.PathUnescape(rev); err == nil {
			rev = u
		}
		if !remote.ValidRev(rev) {
			return repo, false
		}
		repo.Rev = rev
	}
	return repo, true
}

var revEscaper = strings.NewReplacer("%", "%25", "/", "%2F")

// placeOf is where a repo is shown: in which namespace ("" for one word), under
// which name.
func placeOf(repo remote.Repo) (ns, name string) {
	ns = repo.Namespace()
	name = strings.TrimPrefix(repo.ID, ns+"/")
	if repo.Rev != "" && repo.Rev != remote.DefaultBranch {
		name += "@" + revEscaper.Replace(repo.Rev)
	}
	return ns, name
}

// pathTo is the path from r to the place of a repo of the same type.
func (r *repoDir) pathTo(ns, name string) string {
	switch {
	case ns == r.ns:
		return name
	case r.ns == "":
		return ns + "/" + name
	case ns == "":
		return "../" + name
	}
	return "../" + ns + "/" + name
}

// known is what is known of a name without a request; nil = nothing.
func (r *repoDir) known(name string) *repoEntry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.repos[name]
}

// find is the repo called name. The first time costs one request.
func (r *repoDir) find(ctx context.Context, name string) (*repoEntry, error) {
	repo, ok := r.parse(name)
	if !ok {
		return nil, syscall.ENOENT
	}
	if e := r.known(name); e != nil {
		return e, nil
	}
	return r.open(ctx, name, repo)
}

func (r *repoDir) open(ctx context.Context, name string, repo remote.Repo) (*repoEntry, error) {
	w, err := r.m.store.Worktree(ctx, repo)
	if err != nil {
		return nil, err
	}
	return r.add(name, w), nil
}

// add notes what a name has turned out to be.
func (r *repoDir) add(name string, w *commit.Worktree) *repoEntry {
	r.m.watch(w)
	ns, canonical := placeOf(w.Repo())
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.repos == nil {
		r.repos = map[string]*repoEntry{}
	}
	e := r.repos[name]
	switch {
	case ns != r.ns || canonical != name:
		if target := r.pathTo(ns, canonical); e == nil || e.target != target {
			e = &repoEntry{target: target}
		}
	case e == nil || e.dir == nil || !e.dir.bindTo(w.Root()):
		d := r.m.dirNode(w.Root())
		d.mu.Lock()
		d.repo = &repoName{parent: r, name: name, repo: w.Repo()}
		d.mu.Unlock()
		e = &repoEntry{dir: d}
	}
	r.repos[name] = e
	return e
}

// bindTo binds the node of a repo that was only listed to its root, unless it,
// or the root, is bound already to another.
func (d *dirNode) bindTo(dir *commit.Dir) bool {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dir == nil && d.m.dirs[dir] == nil {
		d.dir = dir
		d.m.dirs[dir] = d
	}
	return d.dir == dir
}

// resolve opens the worktree of a repo that was only listed so far.
func (r *repoDir) resolve(ctx context.Context, name string, repo remote.Repo) (fusefs.InodeEmbedder, error) {
	e, err := r.open(ctx, name, repo)
	if errors.Is(err, iofs.ErrNotExist) {
		r.drop(name)
	}
	if err != nil {
		return nil, err
	}
	if e.dir == nil {
		return nil, syscall.ESTALE
	}
	return e.dir, nil
}

func (r *repoDir) drop(name string) {
	r.mu.Lock()
	delete(r.repos, name)
	r.mu.Unlock()
	r.names.remove(name)
}

// show is the node of an entry.
func (r *repoDir) show(name string, e *repoEntry, out *fuse.EntryOut) *fusefs.Inode {
	if e.dir == nil {
		return linkTo(r.EmbeddedInode(), &r.names, name, e.target, out)
	}
	in := e.dir.inode(r.EmbeddedInode())
	r.names.get(name, e.dir, e.dir.ino)
	e.dir.fill(&out.Attr)
	out.SetAttrTimeout(fleeting)
	out.SetEntryTimeout(fleeting)
	return in
}

// shown is the name in a listing.
func (r *repoDir) shown(name string, e *repoEntry) dirent {
	d := dirent{name: name, mode: syscall.S_IFLNK}
	if e.dir == nil {
		d.ino, d.cookie = r.names.get(name, "link "+e.target, 0)
		return d
	}
	d.mode = syscall.S_IFDIR
	d.ino, d.cookie = r.names.get(name, e.dir, e.dir.ino)
	return d
}

// opened are the names, without revision, of the repos in use.
func (r *repoDir) opened() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for name, e := range r.repos {
		if e.dir != nil && !strings.Contains(name, "@") && e.dir.bound() {
			out = append(out, name)
		}
	}
	return out
}

func (d *dirNode) bound() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.dir != nil
}
