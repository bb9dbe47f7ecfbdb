package commit

import (
	"fmt"
	"io/fs"
	"strings"
	"time"
)

// apply makes a record true in memory. Live operations and replay share it,
// so that what is replayed is what was done. It looks at the overlay only,
// never at the base: a name that the base may have is covered even where it
// has none, which means the same. Under Worktree.mu.
//
// An error says that the record does not fit: a damaged journal, or a bug.
func (w *Worktree) apply(r record) error {
	switch r.Op {
	case opPut:
		return w.applyPut(r)
	case opRef:
		if r.E == nil {
			return misfit(r)
		}
		return w.set(r.P, &kid{ref: w.ref(r.E)})
	case opDel:
		d, name, err := w.place(r.P)
		if err != nil {
			return err
		}
		w.drop(d.kids[name])
		d.vacate(name, r.N)
		return nil
	case opLink:
		if r.Q == "" {
			return misfit(r)
		}
		return w.set(r.P, &kid{link: linkOf(r)})
	case opMv:
		return w.applyMv(r)
	case opSwap:
		return w.applySwap(r)
	case opDir:
		nd := &Dir{w: w, based: r.O != "", origin: r.O, kids: make(map[string]*kid), mode: fs.FileMode(r.M).Perm()}
		if r.T != nil {
			nd.mtime = *r.T
		}
		return w.set(r.P, &kid{dir: nd})
	case opMode:
		// The file may have lost its name before the journal was shortened.
		if f := w.files[r.S]; f != nil {
			f.mode = fs.FileMode(r.M).Perm()
		}
		return nil
	case opDiscard:
		return w.applyDiscard(r.P, r.D)
	}
	return misfit(r)
}

func misfit(r record) error { return fmt.Errorf("%w: %s %q %q", errRecord, r.Op, r.P, r.Q) }

// place finds the directory a path lies in. Directories on the way that are
// not known yet are the base's: the record would not be there otherwise.
func (w *Worktree) place(p string) (*Dir, string, error) {
	d := w.root
	for {
		name, rest, more := strings.Cut(p, "/")
		if !more {
			if name == "" {
				return nil, "", errRecord
			}
			return d, name, nil
		}
		k := d.kids[name]
		switch {
		case k == nil && d.based:
			k = d.through(name)
		case k == nil || k.dir == nil:
			return nil, "", fmt.Errorf("%w: no directory %q", errRecord, join(d.path(), name))
		}
		d, p = k.dir, rest
	}
}

// set puts a kid at a path, in the place of what is there.
func (w *Worktree) set(p string, k *kid) error {
	d, name, err := w.place(p)
	if err != nil {
		return err
	}
	w.drop(d.kids[name])
	d.put(name, k)
	return nil
}

func (d *Dir) put(name string, k *kid) {
	k.gen = d.w.gen
	if k.dir != nil {
		k.dir.parent, k.dir.name = d, name
		was := d.kids[name]
		k.covers = k.covers || was != nil && (was.gone() || was.covers || was.dir != nil && was.dir.based)
	}
	d.kids[name] = k
	d.touch()
}

// vacate makes the name mean nothing. If the base has nothing there either,
// nothing need cover it, unless a commit is under way: what its plan has there
// must not come back.
//
// The directory is then there in its own right: it does not vanish because it
// is empty, before or after a commit.
func (d *Dir) vacate(name string, bare bool) {
	if bare && !d.w.planning && len(d.w.pending) == 0 {
		delete(d.kids, name)
	} else {
		d.kids[name] = &kid{gen: d.w.gen}
	}
	for p := d; p.parent != nil; p = p.parent {
		if k := p.parent.kids[p.name]; k.through != nil || k.gen < d.w.gen {
			p.parent.kids[p.name] = &kid{dir: k.dir, gen: d.w.gen, covers: k.covers}
		}
	}
	d.touch()
}

// touch is what a change to its names does to a directory made here.
func (d *Dir) touch() {
	if !d.based && !d.w.replaying {
		d.mtime = time.Now()
	}
}

// drop forgets what a name meant.
func (w *Worktree) drop(k *kid) {
	switch {
	case k == nil:
	case k.file != nil:
		w.dropped = append(w.dropped, k.file)
		if !w.replaying { // an intent may still name it
			delete(w.files, k.file.seq)
		}
	case k.dir != nil:
		w.kill(k.dir)
	}
}

// kill ends a directory and all that is in it.
func (w *Worktree) kill(d *Dir) {
	d.dead = true
	for _, k := range d.kids {
		w.drop(k)
	}
	clear(d.kids)
}

// bury lets go of the files that lost their names. After the operation,
// without Worktree.mu.
func (w *Worktree) bury(files []*File) {
	for _, f := range files {
		f.mu.Lock()
		f.unlinked = true
		keep := f.holds > 0 || f.place != inStaging
		f.mu.Unlock()
		if !keep {
			f.st.discard(f)
		}
	}
	if len(files) > 0 {
		files[0].st.sweep(8)
	}
}

// unlock ends an operation that may have taken names from files.
func (w *Worktree) unlock() {
	dropped := w.dropped
	w.dropped = nil
	w.mu.Unlock()
	w.bury(dropped)
}

func (w *Worktree) applyPut(r record) error {
	f := w.files[r.S]
	if f == nil {
		f = w.newFile(w.st, r.S, fs.FileMode(r.M))
		f.at = 0
		w.files[r.S] = f
	}
	return w.set(r.P, &kid{file: f})
}

// taken is the kid that a record takes from its place: made if it is
// committed content or a directory that nobody has looked at yet.
func (w *Worktree) taken(p string, e *moved, dir bool) (d *Dir, name string, k *kid, err error) {
	if d, name, err = w.place(p); err != nil {
		return
	}
	k = d.kids[name]
	switch {
	case e != nil && (k == nil || k.dir != nil):
		// A directory that an earlier base had, and that nobody has looked up
		// since: when this was done it had gone.
		w.drop(k)
		k = &kid{ref: w.ref(e)}
	case k == nil && dir && d.based:
		k = d.through(name)
	case k == nil || k.gone():
		err = fmt.Errorf("%w: nothing at %q", errRecord, p)
	}
	return d, name, &kid{dir: k.dirOrNil(), file: k.fileOrNil(), ref: k.refOrNil(), link: k.linkOrNil()}, err
}

func (k *kid) dirOrNil() *Dir {
	if k == nil {
		return nil
	}
	return k.dir
}

func (k *kid) fileOrNil() *File {
	if k == nil {
		return nil
	}
	return k.file
}

func (k *kid) refOrNil() *ref {
	if k == nil {
		return nil
	}
	return k.ref
}

func (k *kid) linkOrNil() *Link {
	if k == nil {
		return nil
	}
	return k.link
}

func (w *Worktree) applyMv(r record) error {
	from, name, k, err := w.taken(r.P, r.E, r.D)
	if err != nil {
		return err
	}
	to, newName, err := w.place(r.Q)
	if err != nil {
		return err
	}
	if k.dir != nil && to.within(k.dir) || from == to && name == newName {
		return misfit(r)
	}
	if was := to.kids[newName]; was != nil && was.dir != nil && from.within(was.dir) {
		return misfit(r)
	}
	w.drop(to.kids[newName])
	from.vacate(name, r.N)
	to.put(newName, k)
	return nil
}

func (w *Worktree) applySwap(r record) error {
	d1, n1, k1, err := w.taken(r.P, r.E, r.D)
	if err != nil {
		return err
	}
	d2, n2, k2, err := w.taken(r.Q, r.F, r.G)
	if err != nil {
		return err
	}
	if k1.dir != nil && d2.within(k1.dir) || k2.dir != nil && d1.within(k2.dir) || d1 == d2 && n1 == n2 {
		return misfit(r)
	}
	k1.covers, k2.covers = true, true // for all that can be seen here
	d1.put(n1, k2)
	d2.put(n2, k1)
	return nil
}

func (w *Worktree) ref(m *moved) *ref {
	w.sources[m.ID] = source{commit: m.Commit, path: m.Path}
	return &ref{entry: m.entry(), commit: m.Commit, attr: Attr{Mtime: w.date(), Mode: fileMode}}
}
