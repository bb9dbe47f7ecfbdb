package commit

import (
	"strings"

	"github.com/hubfs/hubfs/remote"
)

// retire makes the worktree what it is after a plan has become a commit: what
// the plan had is the base's now, what was changed since stays staged. The
// view stays as it was, but for what others had committed before. It needs no
// look at either base, so that replay does the same. Under Worktree.mu.
func (w *Worktree) retire(p *plan, base *remote.Snapshot) []Change {
	r := &retiring{w: w, p: p, base: base, paths: make(map[string]*item), files: make(map[*File]*item), full: make(map[string]bool), origins: make(map[string]string), links: make(map[string]bool)}
	for _, it := range p.items {
		r.paths[it.path] = it
		if it.file != nil && it.link == "" {
			r.files[it.file] = it
		}
		for dir := parentOf(it.path); dir != "" && !r.full[dir]; dir = parentOf(dir) {
			r.full[dir] = true
		}
	}
	for _, l := range p.links {
		r.links[l.P] = true
	}
	for d, pos := range p.mark.pos {
		switch {
		case d.based && p.kept[pos]:
			r.origins[d.origin] = d.origin
		case d.based:
			r.origins[d.origin] = pos
		}
	}
	w.unclash(p)
	w.rebase(base)
	r.walk(w.root)
	return r.changes
}

type retiring struct {
	w       *Worktree
	p       *plan
	base    *remote.Snapshot
	paths   map[string]*item
	files   map[*File]*item
	full    map[string]bool   // directories the plan put something into
	origins map[string]string // where the plan put what a base directory showed
	links   map[string]bool   // by path, that became copies
	changes []Change
}

func parentOf(p string) string {
	if i := strings.LastIndexByte(p, '/'); i >= 0 {
		return p[:i]
	}
	return ""
}

func (r *retiring) walk(d *Dir) {
	pos, planned := r.p.mark.pos[d]
	kept := planned && r.p.kept[pos]
	switch {
	case kept:
	case planned:
		d.based, d.origin = true, pos
	case d.based:
		// Looked at first since the plan: it went where its base directory went.
		d.origin = r.placed(d.origin)
	}
	for name, k := range d.kids {
		late := k.gen > r.p.mark.gen
		switch {
		case k.gone():
			if !late && !r.p.kept[join(pos, name)] {
				delete(d.kids, name)
			}
		case k.file != nil:
			r.file(d, name, k, late || kept)
		case k.link != nil:
			if !late && planned && r.links[join(pos, name)] {
				delete(d.kids, name)
				r.changes = append(r.changes, Change{Dir: d, Name: name})
			}
		case k.ref != nil:
			if it := r.paths[join(pos, name)]; !late && planned && it != nil && it.file == nil && !kept {
				d.keep(name, it.blob, k.ref.attr)
				delete(d.kids, name)
			}
		default:
			if at := r.p.mark.pos[k.dir]; !late && k.through == nil && !r.p.kept[at] {
				now := &kid{dir: k.dir, gen: k.gen}
				if r.full[at] && d.shows(name, at) {
					now.through = unchecked
				}
				d.kids[name] = now
			}
			r.settleDir(d, name, k, late)
			r.walk(k.dir)
		}
	}
}

// settleDir lets a directory that was made while the commit ran, where the base
// had nothing, show what others have put there since.
func (r *retiring) settleDir(d *Dir, name string, k *kid, late bool) {
	if _, planned := r.p.mark.pos[k.dir]; late && !planned {
		d.reveal(name, k)
	}
}

// reveal makes a new directory that covers nothing one of the base, whatever
// the base has there.
func (d *Dir) reveal(name string, k *kid) {
	if k.dir != nil && !k.dir.based && !k.covers && d.natural() {
		k.dir.based, k.dir.origin = true, join(d.origin, name)
	}
}

// placed is where the content of a base directory is in the new base.
func (r *retiring) placed(origin string) string {
	for dir, rest := origin, ""; ; {
		if at, ok := r.origins[dir]; ok {
			if rest == "" {
				return at
			}
			return join(at, rest)
		}
		if dir == "" {
			return origin
		}
		rest = strings.TrimPrefix(origin[len(parentOf(dir)):], "/")
		dir = parentOf(dir)
	}
}

// file takes a committed file out of the overlay. With away the name does not
// lead to the base's: the file was renamed while the commit ran, or its
// directory stays what it is. Then its content is the base's, its name ours.
func (r *retiring) file(d *Dir, name string, k *kid, away bool) {
	it := r.files[k.file]
	if it == nil {
		return
	}
	attr := it.retire(d, name)
	if away {
		e := remote.Entry{Path: it.path, Size: it.size, Blob: it.blob}
		commit := ""
		if r.base != nil {
			commit = r.base.Commit()
		}
		r.w.sources[it.blob.ID] = source{commit: commit, path: it.path}
		d.kids[name] = &kid{ref: &ref{entry: e, commit: commit, attr: attr}, gen: k.gen}
	} else {
		d.keep(name, it.blob, attr)
		delete(d.kids, name)
	}
	if !r.w.replaying {
		delete(r.w.files, k.file.seq)
	}
	r.changes = append(r.changes, Change{Dir: d, Name: name})
}

// retire says what the staged file had, and where that is kept.
func (it *item) retire(d *Dir, name string) Attr {
	f := it.file
	f.mu.Lock()
	defer f.mu.Unlock()
	f.retired = &retired{d, name}
	a := Attr{Mode: f.mode}
	if f.final != nil {
		a.Mtime = f.final.ModTime()
	}
	return a
}

// keep remembers what a committed file had while it was staged, for as long
// as the worktree is open.
func (d *Dir) keep(name string, b remote.Blob, a Attr) {
	if a.Mtime.IsZero() {
		return
	}
	if d.kept == nil {
		d.kept = make(map[string]kept)
	}
	d.kept[name] = kept{blob: b.ID, attr: a}
}

// foreignChanges are the names by which this worktree's users know what others
// have committed: at most the first on the way that nobody has looked into.
func (w *Worktree) foreignChanges(paths []string) []Change {
	var changes []Change
	seen := make(map[Change]bool)
	for _, p := range paths {
		d := w.root
		for {
			name, rest, more := strings.Cut(p, "/")
			k := d.kids[name]
			if more && k != nil && k.dir != nil {
				d, p = k.dir, rest
				continue
			}
			if k != nil && k.dir != nil && !(k.dir.natural() && k.dir.bare()) {
				break // it stays, for what is staged in it
			}
			if c := (Change{Dir: d, Name: name}); !seen[c] {
				seen[c] = true
				changes = append(changes, c)
			}
			break
		}
	}
	return changes
}
