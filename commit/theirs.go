package commit

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/hubfs/hubfs/remote"
)

// theirs is what others have changed from one commit to another.
type theirs struct {
	base    string // commit
	head    *remote.Snapshot
	old     map[string]remote.Entry // files before; not all if blind
	now     map[string]remote.Entry
	changed map[string]bool

	// blind says that the earlier commit is gone from the Hub. Then only the
	// paths that the work is about are known, and those in their way.
	blind bool
}

// compareTrees compares two commits. A base that the Hub has no more makes the
// comparison blind.
func compareTrees(ctx context.Context, base, head *remote.Snapshot) (*theirs, error) {
	t := &theirs{head: head, changed: make(map[string]bool)}
	if base != nil {
		t.base = base.Commit()
	}
	var err error
	if t.now, err = tree(ctx, head); err != nil {
		return nil, err
	}
	if t.old, err = tree(ctx, base); err != nil {
		if !vanished(err) {
			return nil, err
		}
		t.old, t.blind = make(map[string]remote.Entry), true
		return t, nil
	}
	for p, e := range t.now {
		if was, ok := t.old[p]; !ok || was.Blob.ID != e.Blob.ID {
			t.changed[p] = true
		}
	}
	for p := range t.old {
		if _, ok := t.now[p]; !ok {
			t.changed[p] = true
		}
	}
	if _, ok := t.now[attributes]; ok && base == nil && len(t.now) == 1 {
		delete(t.changed, attributes) // the Hub's own first commit
	}
	return t, nil
}

// vanished reports whether a commit is gone from the Hub: the history was
// rewritten.
func vanished(err error) bool { return errors.Is(err, remote.ErrRevisionNotFound) }

// paths that others changed, directories that they emptied among them; nil for
// none at all.
func (t *theirs) paths() []string {
	if t == nil {
		return nil
	}
	paths := slices.Collect(maps.Keys(t.changed))
	if _, ok := t.now[attributes]; ok && t.base == "" {
		paths = append(paths, attributes)
	}
	return append(paths, t.emptied()...)
}

// emptied are the directories that others removed the last file of.
func (t *theirs) emptied() (dirs []string) {
	full := make(map[string]bool)
	for p := range t.now {
		for d := parentOf(p); d != "" && !full[d]; d = parentOf(d) {
			full[d] = true
		}
	}
	for p := range t.changed {
		for d := parentOf(p); d != "" && !full[d]; d = parentOf(d) {
			full[d] = true // once is enough
			dirs = append(dirs, d)
		}
	}
	return dirs
}

// peer makes a blind comparison see the paths of a plan and those staged beside
// it, as far as the base's listing is still known here. What is not known
// counts as changed.
func (t *theirs) peer(ctx context.Context, base *remote.Snapshot, p *plan, beside map[string]int) {
	if !t.blind {
		return
	}
	x := differ{ctx: ctx, base: base}
	ours := make(map[string]bool)
	look := func(p string) {
		ours[p] = true
		e, ok, err := x.stat(p)
		if ok && !e.Dir {
			t.old[p] = e
		}
		now, there := t.now[p]
		was, had := t.old[p]
		if err != nil || had != there || now.Blob.ID != was.Blob.ID {
			t.changed[p] = true
		}
	}
	if p != nil {
		for _, it := range p.items {
			look(it.path)
		}
		for _, d := range p.deletes {
			look(d)
		}
	}
	for q := range beside {
		look(q)
	}
	above := make(map[string]bool)
	for q := range ours {
		for dir := parentOf(q); dir != "" && !above[dir]; dir = parentOf(dir) {
			above[dir] = true
		}
	}
	for q := range t.now {
		if ours[q] {
			continue
		}
		in := above[q]
		for dir := parentOf(q); dir != "" && !in; dir = parentOf(dir) {
			in = ours[dir]
		}
		if !in {
			continue
		}
		if e, ok, err := x.stat(q); err == nil && ok && e.Blob.ID == t.now[q].Blob.ID {
			t.old[q] = e
		} else {
			t.changed[q] = true
		}
	}
}

// overPlan gives the paths that a plan changes too, to something else, or where
// one side has a file and the other a directory.
func (t *theirs) overPlan(p *plan) map[string]bool {
	both := make(map[string]bool)
	adds := make(map[string]bool)
	for _, it := range p.items {
		if it.same {
			continue
		}
		adds[it.path] = true
		e, there := t.now[it.path]
		if t.changed[it.path] && !(there && it.is(e.Blob)) {
			both[it.path] = true
		}
		t.filesAbove(it.path, both)
	}
	for _, d := range p.deletes {
		if _, there := t.now[d]; t.changed[d] && there {
			both[d] = true
		}
	}
	t.filesBelow(func(dir string) bool { return adds[dir] }, both)
	return both
}

// is reports whether the item's content is that of a blob.
func (it *item) is(b remote.Blob) bool {
	return it.sum != nil && it.sum.is(b) || it.sum == nil && b.ID == it.blob.ID
}

// overBeside gives the same for what is staged beside a plan, which may be nil.
func (t *theirs) overBeside(p *plan, beside map[string]int) map[string]bool {
	both := make(map[string]bool)
	planned := make(map[string]bool)
	if p != nil {
		for _, it := range p.items {
			planned[it.path] = true
		}
	}
	for q, what := range beside {
		_, there := t.now[q]
		switch {
		case planned[q], !t.changed[q], !there && what != besideFile:
		default:
			both[q] = true
		}
		if what == besideFile {
			t.filesAbove(q, both)
		}
	}
	t.filesBelow(func(dir string) bool {
		what, ok := beside[dir]
		return ok && what != besideDir && !planned[dir]
	}, both)
	return both
}

// filesAbove adds the directories on the way to a path that others made files.
func (t *theirs) filesAbove(p string, both map[string]bool) {
	for dir := parentOf(p); dir != ""; dir = parentOf(dir) {
		if _, file := t.now[dir]; file && t.changed[dir] {
			both[dir] = true
		}
	}
}

// filesBelow adds the paths of ours that would hide what others did below them.
func (t *theirs) filesBelow(ours func(dir string) bool, both map[string]bool) {
	for p := range t.changed {
		if _, there := t.now[p]; !there {
			continue
		}
		for dir := parentOf(p); dir != ""; dir = parentOf(dir) {
			if ours(dir) {
				both[dir] = true
			}
		}
	}
}

// under adds what others changed below directories.
func (t *theirs) under(dirs []string, both map[string]bool) {
	for _, dir := range dirs {
		for q := range t.changed {
			if below(q, dir) {
				both[q] = true
			}
		}
	}
}

// attributes is what the Hub puts into a new repo.
const attributes = ".gitattributes"

// tree is all files of a snapshot.
func tree(ctx context.Context, snap *remote.Snapshot) (map[string]remote.Entry, error) {
	files := make(map[string]remote.Entry)
	if snap == nil {
		return files, nil
	}
	entries, err := snap.Walk(ctx)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if !e.Dir {
			files[e.Path] = e
		}
	}
	return files, nil
}
