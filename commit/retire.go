package commit

import (
	"io/fs"
	"strings"
	"time"

	"github.com/hubfs/hubfs/remote"
)

// retire makes the worktree what it is after a plan has become a commit: what
// the plan had is the base's now, what was changed since stays staged. The
// view stays as it was, but for what others had committed before. It needs no
// look at either base, so that replay does the same. Under Worktree.mu.
func (w *Worktree) retire(p *plan, base *remote.Snapshot) []Change {
	r := &retiring{w: w, p: p, base: base, paths: make(map[string]*item), files: make(map[*File]*item), full: make(map[string]bool), origins: make(map[string]string)}
	for _, it := range p.items {
		r.paths[it.path] = it
		if it.file != nil {
			r.files[it.file] = it
		}
		for dir := parentOf(it.path); dir != "" && !r.full[dir]; dir = parentOf(dir) {
			r.full[dir] = true
		}
	}
	for d, pos := range p.mark.pos {
		if d.based {
			r.origins[d.origin] = pos
		}
	}
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
	switch {
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
			if !late {
				delete(d.kids, name)
			}
		case k.file != nil:
			r.file(d, name, k, late)
		case k.ref != nil:
			if it := r.paths[join(pos, name)]; !late && planned && it != nil && it.file == nil {
				d.keep(name, it.blob, k.ref.attr)
				delete(d.kids, name)
			}
		default:
			if at := r.p.mark.pos[k.dir]; !late && k.through == nil {
				now := &kid{dir: k.dir, gen: k.gen}
				if r.full[at] {
					now.through = unchecked
				}
				d.kids[name] = now
			}
			r.walk(k.dir)
		}
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

func (r *retiring) file(d *Dir, name string, k *kid, late bool) {
	it := r.files[k.file]
	if it == nil {
		return
	}
	attr := it.attr()
	if late {
		// The committed file was renamed while the commit ran: its content is
		// the base's, its name is ours.
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

// attr is what the staged file had.
func (it *item) attr() Attr {
	a := Attr{Mode: it.file.mode}
	if it.file.final != nil {
		a.Mtime = it.file.final.ModTime()
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
			if k := d.kids[name]; more && k != nil && k.dir != nil {
				d, p = k.dir, rest
				continue
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

// land makes a plan that has become a commit the base, in the journal first,
// and moves what was staged into the cache. current is the plan that is being
// sent, whose files are given back by its owner.
func (w *Worktree) land(p *plan, base *remote.Snapshot, current *plan) {
	late := p.checkAgain()
	adopting := make(chan struct{})
	defer close(adopting)
	p.prepareAdoption()

	w.mu.Lock()
	r := record{Op: opBase}
	if base != nil {
		r = baseRecord(base)
	}
	rs := []record{}
	for i, q := range w.pending {
		if q == p {
			r.S = uint64(i + 1)
		}
	}
	if r.S == 0 { // nothing was sent
		rs = append(rs, p.intent())
		r.S = uint64(len(w.pending) + 1)
	}
	rs = append(rs, r)
	for _, it := range late {
		rs = append(rs, record{Op: opPut, P: it.path, S: it.file.seq, M: uint32(it.file.mode)})
	}
	// Without the record the next process finds the commit by its intent.
	noted := w.st.journal.append(rs...)
	others := w.pending
	w.pending, w.planning = nil, false
	w.adopting = adopting
	p.leaveOut(late)
	changes := w.retire(p, base)
	changes = append(changes, w.foreignChanges(p.foreign)...)
	if p.large() {
		changes = append(changes, Change{Dir: w.root, Name: attributes}) // the Hub may have added lines
	}
	w.mu.Unlock()

	if err := w.checkpoint(); err == nil || noted == nil && w.st.journal.sync() == nil {
		w.adopt(p)
	} else {
		w.s.o.Logger.Warn("the commit is made, but the journal could not be written", "repo", w.Repo().String(), "error", err)
	}
	for _, q := range others {
		if q != current {
			q.thaw()
		}
	}
	w.mu.Lock()
	w.adopting = nil
	w.mu.Unlock()
	w.tell(changes)
}

// landQuietly lets go of what was staged and is no change.
func (w *Worktree) landQuietly(p *plan) error {
	w.mu.RLock()
	base, isNew := w.base, w.isNew
	w.mu.RUnlock()
	if isNew {
		return nil // nothing to be put into it: it stays staged as it is
	}
	if p.parent != w.BaseCommit() {
		base = p.base // others had made the very same changes
	}
	if len(p.items) == 0 && len(p.deletes) == 0 && p.parent == w.BaseCommit() && !w.covered() {
		return nil
	}
	w.land(p, base, p)
	return nil
}

// covered reports whether names are covered that the base does not have, or
// directories show through from elsewhere.
func (w *Worktree) covered() bool {
	w.mu.RLock()
	defer w.mu.RUnlock()
	var walk func(d *Dir) bool
	walk = func(d *Dir) bool {
		for _, k := range d.kids {
			if k.gone() || k.covers || k.ref != nil || k.dir != nil && (k.dir.based && !k.dir.natural() || walk(k.dir)) {
				return true
			}
		}
		return false
	}
	return walk(w.root)
}

// leaveOut takes items out of a plan that stay staged.
func (p *plan) leaveOut(late []*item) {
	for _, it := range late {
		p.drop(func(x *item) bool { return x == it })
	}
}

// checkAgain finds files that were written although they were frozen, which
// can be only where the file system has no leases.
func (p *plan) checkAgain() (late []*item) {
	for _, it := range p.items {
		if it.file == nil || it.sum == nil || it.file.st.leases() {
			continue
		}
		again, err := it.file.rehash(len(it.sum.git) == 64)
		if err != nil || again.sha256 != it.sum.sha256 {
			late = append(late, it)
		}
	}
	return late
}

// prepareAdoption notes what the files are like while they are still here.
func (p *plan) prepareAdoption() {
	for _, it := range p.items {
		if it.file == nil {
			continue
		}
		it.file.mu.Lock()
		if it.file.place == inStaging {
			if st, err := it.file.st.disk.lstat(it.file.name()); err == nil {
				it.file.final, it.file.blob = st, it.blob
			}
		}
		it.file.mu.Unlock()
	}
}

// adopt moves committed files into the cache: what was just written is warm.
// A file that can't be taken is dropped; the Hub has it.
func (w *Worktree) adopt(p *plan) {
	for _, it := range p.items {
		f := it.file
		if f == nil {
			continue
		}
		err := w.s.o.Cache.Adopt(it.blob.ID, f.st.disk.path+"/"+f.name())
		f.mu.Lock()
		if f.place == inStaging {
			f.place, f.blob, f.sum = inCache, it.blob, nil
			if f.final == nil {
				f.final = goneInfo{}
			}
			if err != nil {
				f.st.disk.remove(f.name())
			}
		}
		f.mu.Unlock()
		if err != nil {
			w.s.o.Logger.Info("committed content is not kept in the cache", "path", it.path, "error", err)
		}
	}
}

// goneInfo describes a file whose description could not be had.
type goneInfo struct{}

func (goneInfo) Name() string       { return "" }
func (goneInfo) Size() int64        { return 0 }
func (goneInfo) Mode() fs.FileMode  { return fileMode }
func (goneInfo) ModTime() time.Time { return time.Time{} }
func (goneInfo) IsDir() bool        { return false }
func (goneInfo) Sys() any           { return nil }
