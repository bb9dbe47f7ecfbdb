package commit

import (
	"context"
	"fmt"
	"strings"

	"github.com/hubfs/hubfs/remote"
)

// A differ finds what has to be done to the base so that it becomes what the
// worktree showed at a mark.
type differ struct {
	ctx     context.Context
	base    *remote.Snapshot // nil = empty
	root    *shot
	items   map[string]*item
	deletes map[string]bool
	left    []StagedPath

	place, placeDir string          // see Worktree.ShowAt
	found           map[string]*kid // links, by path
	links           []linked        // those that become copies
	copied          int             // files of theirs
}

// diff gives the items, not yet hashed, and the deleted paths.
func diff(ctx context.Context, base *remote.Snapshot, root *shot) (*differ, error) {
	x := &differ{ctx: ctx, base: base, root: root, items: make(map[string]*item), deletes: make(map[string]bool), found: make(map[string]*kid)}
	x.place, x.placeDir = root.place, root.placeDir
	if err := x.walk(root); err != nil {
		return nil, err
	}
	if err := x.becomeCopies(); err != nil {
		return nil, err
	}
	for p, it := range x.items {
		e, ok, err := x.stat(p)
		if err != nil {
			return nil, err
		}
		if ok && !e.Dir {
			it.old, it.had = e, true
			it.same = it.file == nil && e.Blob.ID == it.blob.ID
		}
	}
	return x, nil
}

func (x *differ) stat(p string) (remote.Entry, bool, error) {
	if x.base == nil {
		return remote.Entry{}, false, nil
	}
	e, err := x.base.Stat(x.ctx, p)
	if absent(err) {
		return e, false, nil
	}
	return e, err == nil, err
}

// isFile reports whether the base is known to have a file at a path.
func (x *differ) isFile(p string) bool {
	e, ok, err := x.stat(p)
	return err == nil && ok && !e.Dir
}

func (x *differ) list(p string) ([]remote.Entry, error) {
	if x.base == nil {
		return nil, nil
	}
	es, err := x.base.List(x.ctx, p)
	if absent(err) {
		return nil, nil
	}
	return es, err
}

func (x *differ) walk(d *shot) error {
	natural := d.natural()
	if d.based && !natural {
		if err := x.moved(d.origin, d.path, d.kids); err != nil {
			return err
		}
	}
	for name, k := range d.kids {
		p := join(d.path, name)
		sub := d.subs[k.dir]
		// The base may have got a file at the place of a directory made here,
		// which then goes if anything is in the directory.
		if natural && !(k.dir != nil && sub.natural() && (k.through != nil || !sub.commits() || !x.isFile(p))) {
			if err := x.erase(p, x.shows); err != nil {
				return err
			}
		}
		switch {
		case k.file != nil:
			x.add(&item{path: p, file: k.file}, leftOut(p))
		case k.ref != nil:
			x.add(movedItem(p, k.ref.entry), leftOut(p))
		case k.link != nil:
			x.found[p] = k
		case k.dir != nil:
			if err := x.walk(sub); err != nil {
				return err
			}
		}
	}
	return nil
}

func movedItem(p string, e remote.Entry) *item {
	return &item{path: p, from: e, blob: e.Blob, size: e.Size}
}

func (x *differ) add(it *item, reason string) {
	if reason == "" {
		x.items[it.path] = it
		return
	}
	x.left = append(x.left, StagedPath{Path: it.path, Op: "add", Size: it.size, Reason: reason})
}

// moved adds everything the base has below origin, shown at path, but for the
// names in kids.
func (x *differ) moved(origin, path string, kids map[string]*kid) error {
	entries, err := x.list(origin)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		if kids[name] != nil {
			continue
		}
		p := join(path, name)
		if e.Dir {
			if err := x.moved(e.Path, p, nil); err != nil {
				return err
			}
			continue
		}
		if reason := leftOut(p); reason != "" {
			// Its deletion where it was could be committed, but not this.
			return fmt.Errorf("%s was moved to %s: %s", e.Path, p, reason)
		}
		x.add(movedItem(p, e), "")
	}
	return nil
}

// erase deletes what the base has at a path and below, but for the files that stay.
func (x *differ) erase(p string, stays func(file string) (bool, error)) error {
	e, ok, err := x.stat(p)
	if err != nil || !ok {
		return err
	}
	return x.eraseEntry(e, stays)
}

func (x *differ) eraseEntry(e remote.Entry, stays func(file string) (bool, error)) error {
	if !e.Dir {
		stay, err := stays(e.Path)
		if err == nil && !stay {
			x.deletes[e.Path] = true
		}
		return err
	}
	entries, err := x.list(e.Path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := x.eraseEntry(e, stays); err != nil {
			return err
		}
	}
	return nil
}

// shows reports whether there is a file at a path of the worktree.
func (x *differ) shows(p string) (bool, error) {
	d := x.root
	for rest := p; ; {
		name, more, deeper := strings.Cut(rest, "/")
		k := d.kids[name]
		switch {
		case k == nil:
			if !d.based {
				return false, nil
			}
			e, ok, err := x.stat(join(d.origin, rest))
			return ok && !e.Dir, err
		case k.dir != nil && deeper:
			d, rest = d.subs[k.dir], more
		default:
			// Under a link nothing is deleted before it becomes a copy.
			return !deeper && (k.file != nil || k.ref != nil) || k.link != nil, nil
		}
	}
}
