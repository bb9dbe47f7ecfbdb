package commit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/hubfs/hubfs/remote"
)

// A slot is a name in a directory with all that decides what it means, as it
// was at one moment. The base may have to be asked for over the network, so
// it is looked at without a lock; an operation then takes Worktree.mu, goes
// on if the slot is still valid, and looks again if not.
type slot struct {
	d      *Dir
	name   string
	base   *remote.Snapshot
	based  bool
	origin string
	kid    *kid
	entry  remote.Entry // what the base has, if it has something
	has    bool         // the base has the name, or it could not be asked
}

// peek looks at a name. The base is asked only if the answer depends on it,
// or with always.
func (d *Dir) peek(ctx context.Context, name string, always bool) (slot, error) {
	w := d.w
	w.mu.RLock()
	s := slot{d: d, name: name, base: w.base, based: d.based, origin: d.origin, kid: d.kids[name]}
	dead := d.dead
	w.mu.RUnlock()
	if dead {
		return s, notExist(name)
	}
	known := s.kid != nil && (s.kid.through == nil || s.kid.through == s.base)
	if !s.based || s.base == nil || known && !always {
		return s, nil
	}
	e, err := s.base.Stat(ctx, join(s.origin, name))
	switch {
	case err == nil:
		s.entry, s.has = e, true
	case absent(err):
	case s.kid != nil:
		// What is staged is ours to work with, whatever the network does.
		s.has = true
		s.entry.Dir = s.kid.dir != nil
	default:
		return s, err
	}
	return s, nil
}

// absent reports whether the base says that there is nothing. A base that is
// gone as a whole, repo or commit, says nothing of the kind.
func absent(err error) bool {
	var answer *remote.Error
	if errors.As(err, &answer) {
		return false
	}
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

func notExist(name string) error { return fmt.Errorf("%q: %w", name, fs.ErrNotExist) }

// valid reports, under Worktree.mu, whether everything is still as it was.
func (s *slot) valid() bool {
	d := s.d
	return !d.dead && d.w.base == s.base && d.based == s.based && d.origin == s.origin && d.kids[s.name] == s.kid
}

// settle gives a directory of the base its object, and takes away one that
// the base has no more. Under Worktree.mu, valid.
func (s *slot) settle() {
	d, k := s.d, s.kid
	shown := s.has && s.entry.Dir
	switch {
	case k == nil && shown:
		s.kid = d.through(s.name)
	case k == nil || k.through == nil || k.through == s.base:
		return
	case shown:
		s.kid = k.because(s.base)
		d.kids[s.name] = s.kid
	case !k.dir.borrowed():
		s.kid = k.because(nil)
		d.kids[s.name] = s.kid
	default:
		d.w.kill(k.dir)
		delete(d.kids, s.name)
		s.kid = nil
	}
}

// through makes the object of a directory that the base has in d.
func (d *Dir) through(name string) *kid {
	k := &kid{
		dir: &Dir{
			w: d.w, parent: d, name: name, based: true, origin: join(d.origin, name),
			kids: make(map[string]*kid), mode: dirMode,
		},
		through: d.w.base,
	}
	d.kids[name] = k
	return k
}

// exists reports whether the name means something. Settled slots only.
func (s *slot) exists() bool {
	if s.kid != nil {
		return !s.kid.gone()
	}
	return s.has
}

// dir is the directory the name means, nil if it means none.
func (s *slot) dir() *Dir {
	if s.kid == nil {
		return nil
	}
	return s.kid.dir
}

// committed is the committed content the name means, and where it came from.
func (s *slot) committed() *moved {
	switch {
	case s.kid != nil && s.kid.ref != nil:
		return movedFrom(s.kid.ref.entry, s.kid.ref.commit)
	case s.kid == nil && s.has:
		return movedFrom(s.entry, s.base.Commit())
	}
	return nil
}

func movedFrom(e remote.Entry, commit string) *moved {
	return &moved{Path: e.Path, Commit: commit, ID: e.Blob.ID, Xet: e.Blob.Xet, Size: e.Size}
}

// node is what the name means. Settled slots only, under Worktree.mu.
func (s *slot) node() (Node, error) {
	switch {
	case !s.exists():
		return Node{}, notExist(s.name)
	case s.kid == nil:
		return Node{Entry: s.entry, Attr: s.d.keptAttr(s.name, s.entry)}, nil
	case s.kid.dir != nil:
		return Node{Dir: s.kid.dir, Attr: s.kid.dir.attr()}, nil
	case s.kid.file != nil:
		return Node{File: s.kid.file}, nil
	case s.kid.link != nil:
		return Node{Link: s.kid.link}, nil
	}
	return Node{Entry: s.kid.ref.entry, Attr: s.kid.ref.attr}, nil
}

// keptAttr is what a committed file of the base has: what it had when it was
// staged, or the date of the base.
func (d *Dir) keptAttr(name string, e remote.Entry) Attr {
	if k, ok := d.kept[name]; ok && k.blob == e.Blob.ID {
		return k.attr
	}
	return Attr{Mtime: d.w.date(), Mode: fileMode}
}

// Lookup says what a name means: fs.ErrNotExist if nothing.
func (d *Dir) Lookup(ctx context.Context, name string) (Node, error) {
	s, err := d.look(ctx, name)
	if err != nil {
		return Node{}, err
	}
	d.w.mu.RLock()
	defer d.w.mu.RUnlock()
	return s.node()
}

// look is peek with the directory object made if one is needed.
func (d *Dir) look(ctx context.Context, name string) (slot, error) {
	w := d.w
	for {
		s, err := d.peek(ctx, name, false)
		if err != nil {
			return s, err
		}
		// Most lookups change nothing.
		w.mu.RLock()
		ok := s.valid() && (s.kid == nil && !(s.has && s.entry.Dir) || s.kid != nil && (s.kid.through == nil || s.kid.through == s.base))
		w.mu.RUnlock()
		if ok {
			return s, nil
		}
		w.mu.Lock()
		if s.valid() {
			s.settle()
			w.mu.Unlock()
			return s, nil
		}
		w.mu.Unlock()
		if err := ctx.Err(); err != nil {
			return s, err
		}
	}
}
