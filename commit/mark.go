package commit

// A mark is a moment in a worktree's life: the one a commit is about. What
// happens later is told from what had happened by the generation of the kids,
// and the places of directories by the object, so that both can go on moving
// while the commit runs.
type mark struct {
	gen uint64          // of the kids that were there, or lower
	pos map[*Dir]string // where each directory was
}

// setMark ends a generation. Under Worktree.mu.
func (w *Worktree) setMark() {
	m := &mark{gen: w.gen, pos: make(map[*Dir]string)}
	var walk func(d *Dir, at string)
	walk = func(d *Dir, at string) {
		m.pos[d] = at
		for name, k := range d.kids {
			if k.dir != nil {
				walk(k.dir, join(at, name))
			}
		}
	}
	walk(w.root, "")
	w.gen++
	w.mark = m
}

// A shot is a directory of the overlay as it was at a mark, to be read without
// a lock. Kids never change, so only the maps are copied.
type shot struct {
	path   string
	based  bool
	origin string
	kids   map[string]*kid
	subs   map[*Dir]*shot

	place, placeDir string // of the root: see Worktree.ShowAt
}

func (d *Dir) shoot(at string) *shot {
	s := &shot{path: at, based: d.based, origin: d.origin}
	if d.parent == nil {
		s.place, s.placeDir = d.w.shownAt, d.w.shownDir
	}
	if len(d.kids) == 0 {
		return s
	}
	s.kids = make(map[string]*kid, len(d.kids))
	s.subs = make(map[*Dir]*shot)
	for name, k := range d.kids {
		s.kids[name] = k
		if k.dir != nil {
			s.subs[k.dir] = k.dir.shoot(join(at, name))
		}
	}
	return s
}

// natural reports whether the directory shows what the base has at its place.
func (s *shot) natural() bool { return s.based && s.origin == s.path }

// commits reports whether anything staged below may be part of a commit. The
// base is not asked.
func (s *shot) commits() bool {
	for name, k := range s.kids {
		p := join(s.path, name)
		switch {
		case k.gone(), k.covers:
			return true
		case k.dir != nil:
			if sub := s.subs[k.dir]; sub.based && !sub.natural() || sub.commits() {
				return true
			}
		case k.link == nil && leftOut(p) == "": // of a link what it leads to decides
			return true
		}
	}
	return false
}
