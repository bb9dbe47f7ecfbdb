package commit

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/hubfs/hubfs/remote"
)

// replay makes the worktree what its journal says. It stops at the first line
// that is damaged or does not fit, cuts the journal there, and sets aside what
// the cut may have named: damage is reported, never made good silently.
func (w *Worktree) replay(st *state) error {
	w.replaying = true
	defer func() { w.replaying, w.planning = false, false }()
	j, err := w.read(st)
	if err != nil {
		return err
	}
	seqs, err := st.numbers()
	if errors.Is(err, fs.ErrNotExist) {
		err = st.disk.mkdir(filesName)
	}
	if err == nil {
		err = st.disk.openFiles()
	}
	if err != nil {
		return err
	}
	for _, seq := range seqs {
		st.next = max(st.next, seq+1)
	}
	for seq := range w.files {
		st.next = max(st.next, seq+1)
	}
	damage := j.damage(seqs)
	if damage != nil {
		w.warn(fmt.Sprintf("the journal was damaged at byte %d of %d (%v): later changes are set aside in %s", j.good, len(j.content), damage, st.disk.path))
		if err := st.setAside(j.content[j.good:], seqs, w.needed()); err != nil {
			return err
		}
	}
	good, n, sums := j.good, j.lines, j.sums
	if n == 0 {
		// Not even the first line, or no journal: a state whose removal was cut
		// off, if nothing else is here.
		b, fresh, err := encode(header(w.base))
		if err != nil {
			return err
		}
		if err := st.disk.replace(journalName, b); err != nil {
			return err
		}
		good, n, sums = len(b), 1, fresh
	}
	if st.journal, err = newJournal(st.disk, int64(good), n, sums); err != nil {
		return err
	}
	if lost := w.findLost(w.root, seqs, nil); len(lost) > 0 {
		// So that what follows in the journal means the same at the next replay.
		if err := st.journal.append(lost...); err != nil {
			return err
		}
	}
	// The process before may have ended before it had done this.
	if err := errors.Join(st.disk.syncDir("."), st.disk.syncParent()); err != nil {
		return err
	}
	return w.cleanUp(st, seqs, j.end == nil && damage == nil)
}

// A heard is what a journal said.
type heard struct {
	content []byte
	good    int // bytes up to its first bad line
	lines   int // in them
	sums    chain
	end     error // why it is not good to its end
}

// read makes true in memory what a journal says, up to its first line that is
// damaged or does not fit. It changes nothing on the disk.
func (w *Worktree) read(st *state) (h heard, err error) {
	w.st = st
	h.content, err = st.disk.root.ReadFile(journalName)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return h, err
	}
	h.good, h.sums, h.end = lines(h.content, func(r record) error {
		err := w.applyAny(r, h.lines == 0)
		if err == nil {
			h.lines++
		}
		return err
	})
	if errors.Is(h.end, errNewer) {
		return h, h.end
	}
	return h, nil
}

// damage is what no end of a process explains, nil if there is nothing; seqs are
// the staged files that are there.
func (h *heard) damage(seqs []uint64) error {
	torn := h.end == nil || errors.Is(h.end, errTorn)
	switch {
	case torn && h.lines == 0 && len(seqs) > 0:
		return errNoJournal
	case torn:
		return nil
	}
	return h.end
}

func (w *Worktree) warn(text string) {
	w.warnings = append(w.warnings, text)
	w.s.o.Logger.Warn(text, "repo", w.repo.String())
}

// errNoJournal says that nothing tells what the staged files are.
var errNoJournal = errors.New("there is no journal")

var errNewer = errors.New("the journal was written by a newer version of this program")

// applyAny is apply for all kinds of records.
func (w *Worktree) applyAny(r record, first bool) error {
	if first != (r.Op == opVersion) {
		return misfit(r)
	}
	switch r.Op {
	case opVersion:
		if r.V > journalVersion {
			return errNewer
		}
		return nil
	case opBase:
		return w.applyBase(r)
	case opPlan:
		w.setMark()
		w.planning = true
		return nil
	case opIntent:
		return w.applyIntent(r)
	case opSent:
		if r.S == 0 || r.S > uint64(len(w.pending)) {
			return misfit(r)
		}
		p := w.pending[r.S-1]
		w.pending, w.planning = nil, false
		w.retireAway(p)
		return nil
	case opClash:
		w.clash(r.P, r.C)
		return nil
	case opVoid:
		if n := int(r.S); n >= 0 && n <= len(w.pending) {
			w.pending = w.pending[:len(w.pending)-n]
			w.planning = false
			return nil
		}
		return misfit(r)
	}
	return w.apply(r)
}

func (w *Worktree) applyBase(r record) error {
	if !remote.IsCommit(r.C) && r.C != "" {
		return misfit(r)
	}
	snap := w.snapshotAt(r)
	if r.S == 0 {
		w.rise(snap)
		return nil
	}
	if r.S > uint64(len(w.pending)) {
		return misfit(r)
	}
	p := w.pending[r.S-1]
	w.pending, w.planning = nil, false
	w.retire(p, snap)
	return nil
}

func (w *Worktree) applyIntent(r record) error {
	if w.mark == nil {
		return misfit(r)
	}
	p := &plan{mark: w.mark, parent: r.C, deletes: r.Dels, links: r.Lns, kept: make(map[string]bool), target: target{branch: r.B, pull: r.PR}}
	for _, k := range r.Kept {
		p.kept[k] = true
	}
	if r.T != nil {
		p.target.sent = *r.T
	}
	for _, a := range r.Adds {
		it := &item{path: a.P, blob: remote.Blob{ID: a.ID}, size: a.Size, same: a.Same, link: a.L}
		if a.S != 0 {
			if it.file = w.files[a.S]; it.file == nil {
				return misfit(r)
			}
		}
		p.items = append(p.items, it)
	}
	w.pending = append(w.pending, p)
	return nil
}

// findLost takes away the names of staged files whose content is not there:
// a power cut can take it if nobody asked for it to be kept. It gives the records
// that say so.
func (w *Worktree) findLost(d *Dir, seqs []uint64, lost []record) []record {
	if !slices.IsSorted(seqs) {
		slices.Sort(seqs)
	}
	for name, k := range d.kids {
		switch {
		case k.dir != nil:
			lost = w.findLost(k.dir, seqs, lost)
		case k.file != nil:
			if _, ok := slices.BinarySearch(seqs, k.file.seq); !ok {
				w.warn(fmt.Sprintf("the staged content of %s was lost: it was not yet on the disk", join(d.path(), name)))
				lost = append(lost, record{Op: opDiscard, P: join(d.path(), name)})
				delete(d.kids, name)
				delete(w.files, k.file.seq)
			}
		}
	}
	return lost
}

// cleanUp forgets files that lost their names during replay and, after a
// clean one, removes content that no record is about: its names were dropped,
// or never got into the journal.
func (w *Worktree) cleanUp(st *state, seqs []uint64, clean bool) error {
	needed := w.needed()
	for _, p := range w.pending {
		for _, it := range p.items {
			if it.file != nil {
				it.file.hold()
			}
		}
	}
	w.dropped = nil
	for seq, f := range w.files {
		if needed[seq] != byName {
			f.unlinked = true
			delete(w.files, seq)
		}
	}
	if !clean {
		return nil
	}
	seqs = slices.DeleteFunc(seqs, func(seq uint64) bool { return needed[seq] != 0 })
	if len(seqs) == 0 {
		return nil
	}
	// See discard: the records that took their names may not be durable.
	if err := st.journal.sync(); err != nil {
		return err
	}
	for _, seq := range seqs {
		st.disk.remove(seqName(seq))
	}
	return nil
}

// What a staged file is needed for.
type need int

const (
	byPlan need = iota + 1 // only by a commit whose outcome is not known
	byName
)

// needed are the staged files that have a name, or that a pending commit has. A
// file that lost its name may have got it again in what was cut off.
func (w *Worktree) needed() map[uint64]need {
	needed := make(map[uint64]need)
	for _, p := range w.pending {
		for _, it := range p.items {
			if it.file != nil {
				needed[it.file.seq] = byPlan
			}
		}
	}
	var walk func(d *Dir)
	walk = func(d *Dir) {
		for _, k := range d.kids {
			switch {
			case k.file != nil:
				needed[k.file.seq] = byName
			case k.dir != nil:
				walk(k.dir)
			}
		}
	}
	walk(w.root)
	return needed
}

// setAside keeps what a damaged journal no longer says: its tail, and the
// files that only the tail may have named.
func (st *state) setAside(tail []byte, seqs []uint64, needed map[uint64]need) error {
	var dir string
	for n := 1; ; n++ {
		dir = fmt.Sprintf("%s%d", asidePrefix, n)
		err := st.disk.mkdirNew(dir)
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	if err := st.disk.replace(dir+"/"+journalName, tail); err != nil {
		return err
	}
	for _, seq := range seqs {
		if needed[seq] == 0 {
			if err := st.disk.rename(seqName(seq), fmt.Sprintf("%s/%d", dir, seq)); err != nil {
				return err
			}
		}
	}
	return st.disk.syncDir(dir)
}

// asidePrefix begins the names of directories that setAside makes.
const asidePrefix = "damaged-"
