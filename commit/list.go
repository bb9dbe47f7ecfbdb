package commit

import (
	"context"
	"slices"
	"strings"

	"github.com/hubfs/hubfs/remote"
)

// A listing is what the base has in a directory, as it was at one moment; see
// slot.
type listing struct {
	d       *Dir
	base    *remote.Snapshot
	based   bool
	origin  string
	entries []remote.Entry
}

func (d *Dir) contents(ctx context.Context) (listing, error) {
	w := d.w
	w.mu.RLock()
	l := listing{d: d, base: w.base, based: d.based, origin: d.origin}
	dead := d.dead
	w.mu.RUnlock()
	if dead || !l.based || l.base == nil {
		return l, nil
	}
	entries, err := l.base.List(ctx, l.origin)
	if err != nil && !absent(err) {
		return l, err
	}
	l.entries = entries
	return l, nil
}

func (l *listing) valid() bool {
	d := l.d
	return d.w.base == l.base && d.based == l.based && d.origin == l.origin
}

// slots are all names of the directory that mean something, settled. Under
// Worktree.mu, valid.
func (l *listing) slots() []slot {
	d := l.d
	out := make([]slot, 0, len(l.entries)+len(d.kids))
	seen := make(map[string]bool, len(l.entries))
	for _, e := range l.entries {
		name := e.Name()
		seen[name] = true
		out = l.add(out, slot{name: name, kid: d.kids[name], entry: e, has: true})
	}
	for name, k := range d.kids {
		if !seen[name] {
			out = l.add(out, slot{name: name, kid: k})
		}
	}
	return out
}

func (l *listing) add(out []slot, s slot) []slot {
	s.d, s.base, s.based, s.origin = l.d, l.base, l.based, l.origin
	s.settle()
	if s.exists() {
		out = append(out, s)
	}
	return out
}

// List gives everything in the directory, sorted by name. It needs the base's
// listing, and fails without it rather than leave things out.
func (d *Dir) List(ctx context.Context) ([]Named, error) {
	w := d.w
	for {
		l, err := d.contents(ctx)
		if err != nil {
			return nil, err
		}
		w.mu.Lock()
		if d.dead {
			w.mu.Unlock()
			return nil, nil // as on a disk: a removed directory is empty
		}
		if !l.valid() {
			w.mu.Unlock()
			continue
		}
		slots := l.slots()
		names := make([]Named, 0, len(slots))
		for i := range slots {
			if n, err := slots[i].node(); err == nil {
				names = append(names, Named{Name: slots[i].name, Node: n})
			}
		}
		w.mu.Unlock()
		slices.SortFunc(names, func(a, b Named) int { return strings.Compare(a.Name, b.Name) })
		return names, nil
	}
}
