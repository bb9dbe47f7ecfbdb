package commit

import (
	"context"
	"io/fs"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hubfs/hubfs/remote"
)

// A Dir is one directory object of a worktree for life, wherever it is moved.
// All its fields are guarded by Worktree.mu.
type Dir struct {
	w      *Worktree
	parent *Dir // nil for the root
	name   string
	dead   bool // removed: nothing can be in it any more

	// A based directory shows what the base snapshot has in origin, but for
	// the names in kids. Until a commit, origin is where it came from.
	based  bool
	origin string

	// kids are the names that mean something of their own: staged changes,
	// and directory objects that were handed out.
	kids map[string]*kid

	mode  fs.FileMode
	mtime time.Time       // of directories made here; zero = that of the base
	kept  map[string]kept // what committed files had while they were staged
}

// A kid is what a name in a Dir means: a directory, a staged file, committed
// content moved here, a symbolic link, or with none of them set: nothing,
// whatever the base has. Kids are replaced, never changed, so that two looks can be compared.
type kid struct {
	dir  *Dir
	file *File
	ref  *ref
	link *Link
	gen  uint64 // Worktree.gen when it came

	// covers says of a directory that the base may have something else at its
	// place, which a commit deletes even if the directory is empty.
	covers bool

	// through is set for a directory that is here only because this snapshot
	// has it. If a later base has it no more, it goes.
	through *remote.Snapshot
}

// unchecked stands for any snapshot but the present one: the directory is
// looked for in the base when it is next asked for.
var unchecked = new(remote.Snapshot)

// because is the kid of the same directory, there because a snapshot has it, or
// with nil in its own right.
func (k *kid) because(snap *remote.Snapshot) *kid {
	return &kid{dir: k.dir, gen: k.gen, covers: k.covers, through: snap}
}

func (k *kid) gone() bool { return k.dir == nil && k.file == nil && k.ref == nil && k.link == nil }

// A ref is committed content away from its place.
type ref struct {
	entry  remote.Entry // Path is where it is in commit
	commit string
	attr   Attr
}

// kept are the attributes a committed file had while it was staged.
type kept struct {
	blob string
	attr Attr
}

const (
	dirMode  fs.FileMode = 0o755
	fileMode fs.FileMode = 0o644
)

// Worktree is the one the directory belongs to.
func (d *Dir) Worktree() *Worktree { return d.w }

// Path is where the directory is now, relative to the repo's root; "" for the
// root.
func (d *Dir) Path() string {
	d.w.mu.RLock()
	defer d.w.mu.RUnlock()
	return d.path()
}

func (d *Dir) path() string {
	if d.parent == nil {
		return ""
	}
	return join(d.parent.path(), d.name)
}

// Name is the directory's name in its parent; "" for the root.
func (d *Dir) Name() string {
	d.w.mu.RLock()
	defer d.w.mu.RUnlock()
	return d.name
}

// Parent is nil for the root.
func (d *Dir) Parent() *Dir {
	d.w.mu.RLock()
	defer d.w.mu.RUnlock()
	return d.parent
}

// Sync makes all operations on names so far durable, with the names of the
// staged files they are about.
func (d *Dir) Sync(ctx context.Context) error {
	w := d.w
	w.mu.RLock()
	st := w.st
	w.mu.RUnlock()
	if st == nil {
		return nil
	}
	var names errgroup.Group
	names.Go(st.dir.wait)
	err := w.syncJournal()
	if nerr := names.Wait(); err == nil {
		err = nerr
	}
	return err
}

func (d *Dir) attr() Attr {
	t := d.mtime
	if t.IsZero() {
		t = d.w.date()
	}
	return Attr{Mtime: t, Mode: d.mode}
}

// within reports whether d is o or below it.
func (d *Dir) within(o *Dir) bool {
	for ; d != nil; d = d.parent {
		if d == o {
			return true
		}
	}
	return false
}

// bare reports whether nothing at all is staged in d and below.
func (d *Dir) bare() bool {
	for _, k := range d.kids {
		if k.dir == nil || !k.dir.natural() || !k.dir.bare() {
			return false
		}
	}
	return true
}

// borrowed reports whether all that is in d is there because the base has it,
// wherever d is.
func (d *Dir) borrowed() bool {
	for name, k := range d.kids {
		if k.dir == nil || k.through == nil || !d.shows(name, k.dir.origin) || !k.dir.borrowed() {
			return false
		}
	}
	return true
}

// shows reports whether d shows by a name what the base has at a path, if nothing
// covers it. Else no directory of that name is there because the base has it: it
// is there in its own right, or the journal would not have it.
func (d *Dir) shows(name, path string) bool { return d.based && join(d.origin, name) == path }

// hollow reports whether no name of the overlay means anything.
func (d *Dir) hollow() bool {
	for _, k := range d.kids {
		if !k.gone() {
			return false
		}
	}
	return true
}

// natural reports whether the directory shows what the base has at its place.
func (d *Dir) natural() bool { return d.based && d.origin == d.path() }

// changed reports whether something is staged in d and below that a commit
// would have to look at: all but directories.
func (d *Dir) changed() bool {
	for _, k := range d.kids {
		switch {
		case k.dir == nil, k.covers:
			return true
		case k.dir.based && !k.dir.natural():
			return true
		case k.dir.changed():
			return true
		}
	}
	return false
}

func join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}
