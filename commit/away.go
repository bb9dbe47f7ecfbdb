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
	for name, k := range d.kids {
		late := k.gen > l.p.mark.gen || !planned
		q := join(pos, name)
		goes := false
		switch {
		case k.dir != nil:
			l.walk(k.dir)
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
	moved := k.dir.based && k.dir.origin != at
	switch {
	case late, !planned, k.through != nil, l.p.kept[at]:
		return
	case !moved && !l.touched[at]:
		return // made here, with nothing in it that went
	case l.deleted[at] && !k.dir.hollow():
		k.dir.based, k.dir.origin = false, "" // in the place of a file of the base
		return
	case l.deleted[at]:
		l.w.kill(k.dir)
		delete(d.kids, name)
	default:
		k.dir.based, k.dir.origin = true, at
		d.kids[name] = &kid{dir: k.dir, gen: k.gen, through: unchecked}
		k.dir.lookAgain()
	}
	l.changes = append(l.changes, Change{Dir: d, Name: name})
}

// lookAgain makes the directories below that are there only because the base has
// them be those of the place where d is now.
func (d *Dir) lookAgain() {
	for name, k := range d.kids {
		if k.dir != nil && k.through != nil {
			k.dir.based, k.dir.origin = true, join(d.origin, name)
			d.kids[name] = &kid{dir: k.dir, gen: k.gen, covers: k.covers, through: unchecked}
			k.dir.lookAgain()
		}
	}
}
