package commit

// undo takes away the other sides of the renames of which a side is staged at a
// path or below, and gives the names. It looks at the overlay only, so that
// replay does the same. Without do it only tells. Under mu.
func (w *Worktree) undo(path string, do bool) []Change {
	if path == "" {
		return nil // both sides go
	}
	u := &undoing{path: path, do: do, shown: make(map[string]bool), from: make(map[string]bool)}
	u.find(w.root, "", false)
	u.apply(w.root, "")
	return u.changes
}

type undoing struct {
	path    string
	do      bool
	shown   map[string]bool // paths of the base that are covered and will be shown again
	from    map[string]bool // where content that is dropped came from
	changes []Change
}

// find looks for the sides at the path. in says that the base is not shown at
// this place.
func (u *undoing) find(d *Dir, at string, in bool) {
	in = in || !d.natural()
	for name, k := range d.kids {
		q := join(at, name)
		switch {
		case below(q, u.path):
			if !in && !(k.dir != nil && k.dir.natural()) {
				u.shown[q] = true
			}
			if k.ref != nil {
				u.from[k.ref.entry.Path] = true
			}
			if k.dir != nil && k.dir.based && !k.dir.natural() {
				u.from[k.dir.origin] = true
			}
			if k.dir != nil {
				u.find(k.dir, q, in)
			}
		case k.dir != nil && below(u.path, q):
			u.find(k.dir, q, in)
		}
	}
}

// back reports whether the base shows a path again.
func (u *undoing) back(p string) bool {
	for ; p != ""; p = parentOf(p) {
		if u.shown[p] {
			return true
		}
	}
	return false
}

// apply takes the other sides away.
func (u *undoing) apply(d *Dir, at string) {
	for name, k := range d.kids {
		q := join(at, name)
		if below(q, u.path) {
			continue // discarded as a whole
		}
		gone := false
		switch {
		case k.gone():
			gone = u.from[q] && d.natural() // its content was dropped where it went
		case k.ref != nil:
			gone = u.back(k.ref.entry.Path)
		case k.dir != nil:
			returns := k.dir.based && !k.dir.natural() && u.back(k.dir.origin)
			u.apply(k.dir, q)
			if returns {
				gone = k.dir.hollow() // what it hid of the base is shown where it was
				if u.do && !gone {
					k.dir.based, k.dir.origin = false, ""
					k.dir.uncover()
					d.kids[name] = k.because(nil)
				}
				u.changes = append(u.changes, Change{Dir: d, Name: name})
			}
		}
		if !gone {
			continue
		}
		u.changes = append(u.changes, Change{Dir: d, Name: name})
		if u.do {
			d.w.drop(k)
			delete(d.kids, name)
		}
	}
}

// uncover forgets names that mean nothing.
func (d *Dir) uncover() {
	for name, k := range d.kids {
		if k.gone() {
			delete(d.kids, name)
		}
	}
}
