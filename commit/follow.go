package commit

import (
	"fmt"
	"path"
	"strings"

	"github.com/hubfs/hubfs/remote"
)

// A seen is what a path of a worktree means at a mark: one of its fields is
// set, or none if there is nothing.
type seen struct {
	path  string
	kid   *kid          // of the overlay: a file, committed content moved here, or a link
	dir   *shot         // a directory of the overlay
	entry *remote.Entry // of the base: a file or directory
}

func (s *seen) none() bool  { return s.kid == nil && s.dir == nil && s.entry == nil }
func (s *seen) isDir() bool { return s.dir != nil || s.entry != nil && s.entry.Dir }
func (s *seen) link() *Link {
	if s.kid == nil {
		return nil
	}
	return s.kid.link
}

// see finds what a path without links on the way means.
func (x *differ) see(p string) (seen, error) {
	d := x.root
	if p == "" {
		return seen{dir: d}, nil
	}
	for rest := p; ; {
		name, more, deeper := strings.Cut(rest, "/")
		k := d.kids[name]
		switch {
		case k == nil && d.based:
			e, ok, err := x.stat(join(d.origin, rest))
			if err != nil || !ok {
				return seen{path: p}, err
			}
			return seen{path: p, entry: &e}, nil
		case k == nil || k.gone(), deeper && k.dir == nil:
			return seen{path: p}, nil
		case k.dir == nil:
			return seen{path: p, kid: k}, nil
		}
		d = d.subs[k.dir]
		if !deeper {
			return seen{path: p, dir: d}, nil
		}
		rest = more
	}
}

// maxHops is how many links a path may go through, as in Linux.
const maxHops = 40

// A leadsNowhere says why a link has nothing in the worktree to be a copy of.
type leadsNowhere struct{ reason string }

func (e *leadsNowhere) Error() string { return e.reason }

func nowhereFor(format string, a ...any) error { return &leadsNowhere{fmt.Sprintf(format, a...)} }

// follow finds what a link in the directory dir leads to, through other links.
func (x *differ) follow(dir string, l *Link, hops *int) (s seen, err error) {
	if *hops++; *hops > maxHops {
		return s, nowhereFor("the link leads in a circle")
	}
	rest := l.Target
	if strings.HasPrefix(rest, "/") {
		if dir, rest, err = x.inside(path.Clean(rest), l); err != nil {
			return s, err
		}
	}
	if s, err = x.see(dir); err != nil {
		return s, err
	}
	for rest != "" {
		name, more, _ := strings.Cut(rest, "/")
		rest = more
		switch {
		case name == "" || name == ".":
			continue
		case !s.isDir():
			return s, nowhereFor("%s, to which the link leads, is no directory", s.path)
		case name == ".." && s.path == "":
			// Out of the repo, and perhaps into it again.
			if x.place == "" {
				return s, nowhereFor("the link leads out of the repo")
			}
			if dir, rest, err = x.inside(path.Join(x.place, "..", rest), l); err != nil {
				return s, err
			}
			if s, err = x.see(dir); err != nil {
				return s, err
			}
			continue
		case name == "..":
			if s, err = x.see(parentOf(s.path)); err != nil {
				return s, err
			}
			continue
		}
		at := s.path
		if s, err = x.see(join(at, name)); err != nil {
			return s, err
		}
		if s.link() != nil {
			if s, err = x.follow(at, s.link(), hops); err != nil {
				return s, err
			}
		}
		if s.none() {
			return s, nowhereFor("there is no %s, to which the link leads", join(at, name))
		}
	}
	if strings.HasSuffix(l.Target, "/") && !s.isDir() {
		return s, nowhereFor("%s, to which the link leads, is no directory", s.path)
	}
	return s, nil
}

// inside takes a clean absolute path as one in the worktree.
func (x *differ) inside(abs string, l *Link) (dir, rest string, err error) {
	if x.place == "" || abs != x.place && !strings.HasPrefix(abs, x.place+"/") {
		return "", "", nowhereFor("the link leads out of the repo, to %s", l.Target)
	}
	return x.placeDir, strings.TrimPrefix(abs[len(x.place):], "/"), nil
}
