package commit

import (
	"errors"
	"io/fs"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hubfs/hubfs/remote"
)

// land makes a plan that has become a commit the base, in the journal first,
// and moves what was staged into the cache. Of a plan that went elsewhere base
// is that place, and the worktree's own base stays. current is the plan that is
// being sent, whose files are given back by its owner.
func (w *Worktree) land(p *plan, base *remote.Snapshot, current *plan) {
	late := p.checkAgain()
	adopting := &adoption{blobs: make(map[string]bool), done: make(chan struct{})}
	for _, it := range p.items {
		if it.file != nil {
			adopting.blobs[it.blob.ID] = true
		}
	}
	p.prepareAdoption()

	w.mu.Lock()
	clashes := w.clashesNow(p)
	// Without the record the next process finds the commit by its intent.
	noted := w.st.journal.append(w.landing(p, base, clashes, late)...)
	others := w.pending
	w.pending, w.planning = nil, false
	w.adopting = adopting
	p.leaveOut(late)
	changes := w.leave(p, base)
	for _, c := range clashes {
		w.clash(c.P, c.C)
	}
	w.mu.Unlock()

	if err := w.checkpoint(); err == nil || noted == nil && w.st.journal.sync() == nil {
		w.adopt(p)
	} else {
		// The files stay for the next process, which finds the commit by its
		// intent. They have no name here any more: nobody may write them. And
		// nothing may follow the intent in the journal as if it were pending.
		for _, it := range p.items {
			if it.file != nil {
				it.file.hold()
			}
		}
		w.st.journal.fail(err)
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
	close(adopting.done)
	w.tell(changes)
}

// landing are the records of a plan that has become a commit: late is what of it
// stays staged. Under mu.
func (w *Worktree) landing(p *plan, base *remote.Snapshot, clashes []record, late []*item) (rs []record) {
	r := record{Op: opBase}
	if base != nil {
		r = baseRecord(base)
	}
	if p.target.away() {
		r.Op, r.T = opSent, nil
	}
	at := slices.Index(w.pending, p)
	if at < 0 { // nothing was sent
		rs = append(rs, p.intent())
		at = len(w.pending)
	}
	r.S = uint64(at + 1)
	rs = append(rs, r)
	rs = append(rs, clashes...)
	for _, it := range late {
		if it.link != "" {
			rs = append(rs, p.restored(it.link))
			continue
		}
		rs = append(rs, record{Op: opPut, P: it.path, S: it.file.seq, M: uint32(it.file.mode)})
	}
	return rs
}

// leave takes a plan out of the overlay, and gives the names that mean something
// else by it. Under mu.
func (w *Worktree) leave(p *plan, base *remote.Snapshot) []Change {
	if p.target.away() {
		left := w.retireAway(p)
		p.drop(func(it *item) bool { return left.staying[it.file] && it.link == "" })
		return left.changes
	}
	changes := append(w.retire(p, base), w.foreignChanges(p.theirs.paths())...)
	if p.large() {
		changes = append(changes, Change{Dir: w.root, Name: attributes}) // the Hub may have added lines
	}
	return changes
}

// landQuietly lets go of what was staged and is no change.
func (c *committing) landQuietly() error {
	w, p := c.w, c.p
	w.mu.RLock()
	base, isNew := w.base, w.isNew
	w.mu.RUnlock()
	if isNew {
		return nil // nothing to be put into it: it stays staged as it is
	}
	if c.to.branch != "" { // it is there already
		if len(p.items) > 0 || len(p.deletes) > 0 {
			p.target = c.to
			w.land(p, p.base, p)
		}
		return nil
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
		again, err := it.file.rehash(it.sum.long, false)
		if err != nil || again.sha256 != it.sum.sha256 {
			late = append(late, it)
		}
	}
	return late
}

// prepareAdoption notes what the files are like while they are still here.
func (p *plan) prepareAdoption() {
	for _, it := range p.items {
		if it.file == nil || it.link != "" {
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
	var g errgroup.Group
	g.SetLimit(parallelAdoptions) // each waits for the disk
	for _, it := range p.items {
		if it.file == nil || it.link != "" {
			continue
		}
		g.Go(func() error {
			w.adoptFile(it)
			return nil
		})
	}
	g.Wait()
}

const parallelAdoptions = 16

func (w *Worktree) adoptFile(it *item) {
	f := it.file
	s, err := it.sum, error(nil)
	if s == nil {
		// An earlier process hashed it, and a power cut may have taken the content.
		s, err = f.rehash(len(it.blob.ID) == len("git:")+64, !isLFS(it.blob))
	}
	switch {
	case err != nil:
	case !s.is(it.blob):
		err = errNotHashed
	default:
		err = w.s.o.Cache.Adopt(it.blob.ID, f.st.disk.path+"/"+f.name())
	}
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

// errNotHashed says of content that the name of the blob is not its hash: the
// Hub lists it by another, or a power cut took it.
var errNotHashed = errors.New("it does not hash to the blob's name")

// goneInfo describes a file whose description could not be had.
type goneInfo struct{}

func (goneInfo) Name() string       { return "" }
func (goneInfo) Size() int64        { return 0 }
func (goneInfo) Mode() fs.FileMode  { return fileMode }
func (goneInfo) ModTime() time.Time { return time.Time{} }
func (goneInfo) IsDir() bool        { return false }
func (goneInfo) Sys() any           { return nil }
