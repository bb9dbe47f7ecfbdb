package commit

import (
	"errors"
	"strings"
)

// A linked is a link that a commit makes a copy of what it leads to: after it
// the name means a file or directory of its own.
type linked struct {
	P string `json:"p"`
	T string `json:"t"` // its target
}

// maxCopied bounds the files that links to directories become in one commit:
// links in such directories multiply them.
const maxCopied = 100_000

// becomeCopies plans the copies of what the links that walk has found lead to.
// All of a link or nothing of it is in a plan.
func (x *differ) becomeCopies() error {
	for p, k := range x.found {
		if reason := leftOut(p); reason != "" {
			x.leave(p, k.link, reason)
			continue
		}
		c := copying{x: x, link: p, within: map[string]bool{parentOf(p): true}, items: make(map[string]*item)}
		for dir := parentOf(p); dir != ""; dir = parentOf(dir) {
			c.within[parentOf(dir)] = true
		}
		hops := 0
		s, err := x.follow(parentOf(p), k.link, &hops)
		if err == nil {
			err = c.copy(s, p)
		}
		if err == nil && len(c.items) == 0 {
			err = nowhereFor("the link leads to an empty directory")
		}
		var no *leadsNowhere
		if errors.As(err, &no) {
			x.leave(p, k.link, no.reason)
			continue
		}
		if err != nil {
			return err
		}
		for q, it := range c.items {
			x.items[q] = it
		}
		x.links = append(x.links, linked{P: p, T: k.link.Target})
		// What the base has at the place of the link, and the copy has not.
		if err := x.erase(p, func(q string) (bool, error) { return x.items[q] != nil, nil }); err != nil {
			return err
		}
	}
	return nil
}

func (x *differ) leave(p string, l *Link, reason string) {
	x.left = append(x.left, StagedPath{Path: p, Op: "link", Target: l.Target, Size: int64(len(l.Target)), Reason: reason})
}

// A copying is that of one link.
type copying struct {
	x      *differ
	link   string
	within map[string]bool // directories that the copy lies in, or that are being copied
	items  map[string]*item
}

func (c *copying) add(it *item) error {
	if leftOut(it.path) != "" {
		return nil // it is where it was, and never committed there either
	}
	if c.x.copied++; c.x.copied > maxCopied {
		return nowhereFor("links lead to more than %d files", maxCopied)
	}
	it.link = c.link
	c.items[it.path] = it
	return nil
}

// copy plans what s is as if it were at the path p.
func (c *copying) copy(s seen, p string) error {
	switch {
	case s.isDir():
		if c.within[s.path] {
			return nowhereFor("the link leads to a directory that it is in")
		}
		c.within[s.path] = true
		defer delete(c.within, s.path)
		if s.dir != nil {
			return c.copyDir(s.dir, p)
		}
		return c.copyBase(s.entry.Path, p, nil)
	case s.entry != nil:
		return c.add(movedItem(p, *s.entry))
	case s.kid.file != nil:
		return c.add(&item{path: p, file: s.kid.file})
	case s.kid.ref != nil:
		return c.add(movedItem(p, s.kid.ref.entry))
	}
	return nil
}

func (c *copying) copyDir(d *shot, p string) error {
	for name, k := range d.kids {
		at, to := join(d.path, name), join(p, name)
		var err error
		switch {
		case k.gone() || leftOut(to) != "":
		case k.link != nil:
			hops := 0
			var s seen
			if s, err = c.x.follow(d.path, k.link, &hops); err == nil {
				err = c.copy(s, to)
			}
			var no *leadsNowhere
			if errors.As(err, &no) && !strings.HasPrefix(no.reason, "in what the link leads to") {
				err = nowhereFor("in what the link leads to is %s: %s", at, no.reason)
			}
		case k.dir != nil:
			err = c.copy(seen{path: at, dir: d.subs[k.dir]}, to)
		default:
			err = c.copy(seen{path: at, kid: k}, to)
		}
		if err != nil {
			return err
		}
	}
	if d.based {
		return c.copyBase(d.origin, p, d.kids)
	}
	return nil
}

// copyBase copies a directory of the base, but for the names in kids.
func (c *copying) copyBase(origin, p string, kids map[string]*kid) error {
	entries, err := c.x.list(origin)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if kids[e.Name()] != nil {
			continue
		}
		to := join(p, e.Name())
		if e.Dir {
			err = c.copyBase(e.Path, to, nil)
		} else {
			err = c.add(movedItem(to, e))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// dropLinks takes whole links out of a plan, and what they would have deleted.
func (p *plan) dropLinks(gone map[string]bool) {
	if len(gone) == 0 {
		return
	}
	kept := p.links[:0:0]
	for _, l := range p.links {
		if !gone[l.P] {
			kept = append(kept, l)
			continue
		}
		p.left = append(p.left, StagedPath{Path: l.P, Op: "link", Target: l.T, Size: int64(len(l.T)), Reason: "not all that the link leads to can be in this commit"})
	}
	p.links = kept
	deletes := p.deletes[:0:0]
	for _, d := range p.deletes {
		dir := d
		for dir != "" && !gone[dir] {
			dir = parentOf(dir)
		}
		if dir == "" {
			deletes = append(deletes, d)
		}
	}
	p.deletes = deletes
}

// stagedAt is the path by which users know the item: of a copy that of the link.
func (it *item) stagedAt() string {
	if it.link != "" {
		return it.link
	}
	return it.path
}

// restored is the record that makes a link again which a plan took for a copy.
func (p *plan) restored(link string) record {
	for _, l := range p.links {
		if l.P == link {
			return (&Link{Target: l.T}).record(link)
		}
	}
	return record{Op: opDel, P: link}
}
