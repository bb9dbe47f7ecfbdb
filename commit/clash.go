package commit

import (
	"slices"
	"strings"
)

// A clash is a name that is staged over what others changed, without anybody
// having seen both: it was changed while a commit was on its way that also
// brought their changes. The next commit stops there.

// clash notes one: since is the commit before theirs. Under mu.
func (w *Worktree) clash(path, since string) {
	if w.clashes == nil {
		w.clashes = make(map[string]string)
	}
	if _, ok := w.clashes[path]; !ok {
		w.clashes[path] = since
	}
}

// clashesNow are the records of what is staged beside a plan and collides with
// what came with its base, but for what was known and forced. Under mu.
func (w *Worktree) clashesNow(p *plan) (rs []record) {
	if p.theirs == nil || p.target.away() {
		return nil
	}
	for q := range p.theirs.overBeside(p, w.besides(p)) {
		if !p.forced[q] {
			rs = append(rs, record{Op: opClash, P: q, C: p.theirs.base})
		}
	}
	return rs
}

// unclash forgets the clashes of what a plan has brought to the Hub. Under mu.
func (w *Worktree) unclash(p *plan) {
	for _, q := range w.clashed(p) {
		delete(w.clashes, q)
	}
}

// clashed are the clashes that a plan would put over theirs, sorted. Under mu.
func (w *Worktree) clashed(p *plan) []string {
	if len(w.clashes) == 0 {
		return nil
	}
	hit := make(map[string]bool)
	mark := func(path string) {
		for ; path != ""; path = parentOf(path) {
			if _, ok := w.clashes[path]; ok {
				hit[path] = true
			}
		}
	}
	for _, it := range p.items {
		if !it.same {
			mark(it.path)
		}
	}
	for _, d := range p.deletes {
		mark(d)
	}
	var paths []string
	for q := range hit {
		paths = append(paths, q)
	}
	slices.Sort(paths)
	return paths
}

// overlays reports whether something is still staged at a path. Under mu.
func (w *Worktree) overlays(p string) bool {
	d, name := w.find(p)
	if d == nil {
		return false
	}
	k := d.kids[name]
	return k != nil && !(k.dir != nil && k.through != nil)
}

// unclashBelow forgets clashes at a path and below, "" all. Under mu.
func (w *Worktree) unclashBelow(path string) {
	for q := range w.clashes {
		if below(q, path) || strings.HasPrefix(path, q+"/") && !w.overlays(q) {
			delete(w.clashes, q)
		}
	}
}
