package commit

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// Status says what is staged and what keeps it from being committed. It makes
// no request for what it does not need to: without the base's listing a
// changed file is an added one.
func (w *Worktree) Status(ctx context.Context) Status {
	w.mu.RLock()
	s := Status{Repo: w.repo.Path(), Branch: w.repo.Branch(), Base: w.baseCommit(), New: w.isNew, LastError: w.lastErr}
	s.Conflicts = slices.Clone(w.conflicts)
	if s.LastError == "" {
		s.LastError = strings.Join(w.warnings, "; ")
	}
	for _, err := range []error{w.refused, w.held} {
		if err != nil && (w.st == nil || err == w.refused) {
			s.ReadOnly, s.Reason = true, strings.TrimPrefix(err.Error(), "read-only: ")
		}
	}
	if w.s.o.ReadOnly {
		s.ReadOnly = true
	}
	if w.base != nil {
		s.Hidden = w.base.Hidden()
	}
	v := &inventory{x: differ{ctx: ctx, base: w.base, items: make(map[string]*item), deletes: make(map[string]bool), found: make(map[string]*kid)}, reasons: w.reasons}
	root := w.root.shoot("")
	dir := ""
	if w.st != nil {
		dir = w.st.disk.path
	}
	w.mu.RUnlock()
	if dir != "" {
		_, err := os.Lstat(filepath.Join(dir, identityName))
		s.Gone = errors.Is(err, fs.ErrNotExist)
	}

	v.walk(root)
	v.look()
	v.links(root)
	s.Staged, s.Busy = v.staged, v.busy
	slices.SortFunc(s.Staged, func(a, b StagedPath) int { return strings.Compare(a.Path, b.Path) })
	slices.Sort(s.Busy)
	return s
}

type inventory struct {
	x       differ
	reasons map[string]string
	staged  []StagedPath
	files   []stagedFile // of them, those to be looked at
	busy    []string
}

// A stagedFile is a file at its index in the inventory.
type stagedFile struct {
	at   int
	file *File
}

const parallelLooks = 8

// look finds the sizes of files, and which are busy. Each takes a few system
// calls, and there may be 100,000.
func (v *inventory) look() {
	var (
		g    errgroup.Group
		next atomic.Int64
		busy = make([]bool, len(v.files))
	)
	for range min(parallelLooks, len(v.files)/100+1) {
		g.Go(func() error {
			for i := next.Add(1) - 1; i < int64(len(v.files)); i = next.Add(1) - 1 {
				f := v.files[i]
				v.staged[f.at].Size, busy[i] = f.file.look()
			}
			return nil
		})
	}
	_ = g.Wait()
	for i, f := range v.files {
		if busy[i] {
			v.busy = append(v.busy, v.staged[f.at].Path)
		}
	}
}

func (v *inventory) walk(d *shot) {
	for name, k := range d.kids {
		p := join(d.path, name)
		sp := StagedPath{Path: p, Reason: leftOut(p)}
		if sp.Reason == "" {
			sp.Reason = v.reasons[p]
		}
		switch {
		case k.file != nil:
			if v.untouched(d, p, k.file) {
				continue
			}
			sp.Op = v.op(d, name)
			v.files = append(v.files, stagedFile{len(v.staged), k.file})
		case k.ref != nil:
			if e, ok, err := v.x.stat(p); err == nil && ok && e.Blob.ID == k.ref.entry.Blob.ID {
				continue // it was committed, though its directory was not
			}
			sp.Op, sp.Size, sp.From = "move", k.ref.entry.Size, k.ref.entry.Path
		case k.link != nil:
			v.x.found[p] = k
			continue
		case k.dir != nil:
			sub := d.subs[k.dir]
			v.walk(sub)
			if k.covers && v.has(d, name) && !sub.natural() {
				v.staged = append(v.staged, StagedPath{Path: p, Op: "delete", Reason: v.reasons[p]})
			}
			switch {
			case sub.based && !sub.natural():
				sp.Op, sp.From = "move", sub.origin
			case !sub.based && len(sub.kids) == 0:
				sp.Op, sp.Reason = "mkdir", "Git has no empty directories"
			default:
				continue
			}
		default:
			if !v.has(d, name) {
				continue
			}
			sp.Op = "delete"
		}
		v.staged = append(v.staged, sp)
	}
}

// links adds the links, with the reason of those that lead nowhere. Without the
// base's listing it is not known.
func (v *inventory) links(root *shot) {
	v.x.root, v.x.place, v.x.placeDir = root, root.place, root.placeDir
	err := v.x.becomeCopies()
	why := make(map[string]string)
	for _, l := range v.x.left {
		why[l.Path] = l.Reason
	}
	for p, k := range v.x.found {
		sp := StagedPath{Path: p, Op: "link", Target: k.link.Target, Size: int64(len(k.link.Target)), Reason: why[p]}
		if sp.Reason == "" && err == nil {
			sp.Reason = v.reasons[p]
		}
		v.staged = append(v.staged, sp)
	}
}

// untouched reports whether a file was only opened for writing: it is no change.
func (v *inventory) untouched(d *shot, p string, f *File) bool {
	if f.copied == nil || !d.natural() {
		return false
	}
	e, ok, err := v.x.stat(p)
	if err != nil || !ok || !f.untouched(e.Blob.ID) {
		return false
	}
	_, busy := f.look()
	return !busy
}

func (v *inventory) op(d *shot, name string) string {
	if d.based {
		if e, ok, err := v.x.stat(join(d.origin, name)); ok && err == nil && !e.Dir {
			return "change"
		}
	}
	return "add"
}

// has reports whether a covered name is one the base has, as far as is known.
func (v *inventory) has(d *shot, name string) bool {
	if !d.based {
		return false
	}
	_, ok, err := v.x.stat(join(d.origin, name))
	return ok || err != nil
}
