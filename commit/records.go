package commit

import (
	"maps"
	"slices"
	"time"
)

// records say what is staged, as a fresh journal would: replaying them gives
// the overlay as it is. Only while no commit is pending; under Worktree.mu.
func (w *Worktree) records() []record {
	rs := w.root.records(header(w.base), "")
	for _, p := range slices.Sorted(maps.Keys(w.clashes)) {
		if w.overlays(p) {
			rs = append(rs, record{Op: opClash, P: p, C: w.clashes[p]})
		}
	}
	return rs
}

func (d *Dir) records(rs []record, at string) []record {
	for name, k := range d.kids {
		p := join(at, name)
		switch {
		case k.file != nil:
			rs = append(rs, record{Op: opPut, P: p, S: k.file.seq, M: uint32(k.file.mode)})
		case k.ref != nil:
			rs = append(rs, record{Op: opRef, P: p, E: movedFrom(k.ref.entry, k.ref.commit)})
		case k.link != nil:
			rs = append(rs, k.link.record(p))
		case k.dir != nil:
			if k.covers {
				rs = append(rs, record{Op: opDel, P: p})
			}
			if k.through == nil {
				rs = append(rs, k.dir.record(p))
			}
			rs = k.dir.records(rs, p)
		case d.based:
			rs = append(rs, record{Op: opDel, P: p})
		}
	}
	return rs
}

// count is about how many records the names in d and below need.
func (d *Dir) count() int {
	n := len(d.kids)
	for _, k := range d.kids {
		if k.dir != nil {
			n += k.dir.count()
		}
	}
	return n
}

func (d *Dir) record(p string) record {
	r := record{Op: opDir, P: p, M: uint32(d.mode)}
	if d.based {
		r.O = d.origin
	}
	if !d.mtime.IsZero() {
		t := d.mtime.Round(time.Nanosecond)
		r.T = &t
	}
	return r
}
