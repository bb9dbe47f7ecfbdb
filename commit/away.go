package commit

// retireAway takes a plan out of the overlay that has become a commit on another
// branch or a pull request: its names mean what the base has there, as before
// they were staged. What was changed since stays staged, with the file of the
// plan that was renamed meanwhile. It needs no look at the base, so that replay
// does the same. Under Worktree.mu.
func (w *Worktree) retireAway(p *plan) *leaving {
	l := &leaving{w: w, p: p, files: make(map[*File]*item), refs: make(map[string]bool), links: make(map[string]bool),
		touched: make(map[string]bool), deleted: make(map[string]bool), staying: make(map[*File]bool)}
	touch := func(q string) {
		for ; q != "" && !l.touched[q]; q = parentOf(q) {
			l.touched[q] = true
		}
	}
	for _, it := range p.items {
		touch(it.path)
		switch {
		case it.link != "":
		case it.file != nil:
			l.files[it.file] = it
		default:
			l.refs[it.path] = true
		}
	}
	for _, d := range p.deletes {
		touch(d)
		l.deleted[d] = true
	}
	for _, ln := range p.links {
		l.links[ln.P] = true
	}
	w.unclash(p)
	l.walk(w.root)
	return l
}

type leaving struct {
	w       *Worktree
	p       *plan
	files   map[*File]*item
	refs    map[string]bool // paths of committed content that was moved
	links   map[string]bool
	touched map[string]bool // paths of the plan and the directories above
	deleted map[string]bool
	staying map[*File]bool // under names that are not the plan's
	changes []Change
}

func (l *leaving) walk(d *Dir) {
	pos, planned := l.p.mark.pos[d]
	elsewhere := !planned || pos != d.path() // moved since: all in it has other names than the plan's
	for name, k := range d.kids {
		late := elsewhere || k.gen > l.p.mark.gen
		q := join(pos, name)
		goes := false
		switch {
		case k.dir != nil:
			l.dir(d, name, k, late)
			continue
		case k.file != nil:
			_, goes = l.files[k.file]
			if goes && late {
				goes, l.staying[k.file] = false, true
			}
		case k.ref != nil:
			goes = !late && l.refs[q]
		case k.link != nil:
			goes = !late && l.links[q]
		default:
			goes = !late && !l.p.kept[q]
		}
		if !goes {
			continue
		}
		if k.file != nil && !l.w.replaying {
			delete(l.w.files, k.file.seq)
		}
		delete(d.kids, name)
		l.changes = append(l.changes, Change{Dir: d, Name: name})
	}
}

// dir makes a directory show what the base has at its place, if the plan had
// anything of it. What is still staged in it stays.
func (l *leaving) dir(d *Dir, name string, k *kid, late bool) {
	at, planned := l.p.mark.pos[k.dir]
	switch moved := k.dir.based && k.dir.origin != at; {
	case k.through != nil:
		l.through(d, name, k)
		return
	case late, !planned, l.p.kept[at], !moved && !l.touched[at]:
		l.walk(k.dir) // the plan had nothing of the directory itself
		return
	}
	if !l.deleted[at] && d.shows(name, at) {
		k.dir.based, k.dir.origin = true, at
		l.walk(k.dir)
		d.kids[name] = &kid{dir: k.dir, gen: k.gen, through: unchecked}
	} else { // in the place of a file of the base, or of what is hidden of it
		k.dir.based, k.dir.origin = false, ""
		l.walk(k.dir)
		if !k.dir.barren() {
			return
		}
		l.w.kill(k.dir)
		delete(d.kids, name)
	}
	l.changes = append(l.changes, Change{Dir: d, Name: name})
}

// through lets a directory that is here only because the base has it follow the
// one that it is in.
func (l *leaving) through(d *Dir, name string, k *kid) {
	was := k.dir.origin
	k.dir.based, k.dir.origin = d.based, ""
	if d.based {
		k.dir.origin = join(d.origin, name)
	}
	l.walk(k.dir)
	switch {
	case k.dir.based && k.dir.origin == was:
		return
	case k.dir.based:
		d.kids[name] = k.because(unchecked)
	case k.dir.hollow():
		l.w.kill(k.dir)
		delete(d.kids, name)
	default:
		d.kids[name] = k.because(nil)
	}
	l.changes = append(l.changes, Change{Dir: d, Name: name})
}

// barren reports whether there is nothing of the overlay in d and below but
// empty directories.
func (d *Dir) barren() bool {
	for _, k := range d.kids {
		if k.file != nil || k.ref != nil || k.link != nil || k.dir != nil && !k.dir.barren() {
			return false
		}
	}
	return true
}
