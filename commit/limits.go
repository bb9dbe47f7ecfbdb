package commit

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hubfs/hubfs/remote"
)

// A TooLargeError says that what is staged is more than one commit can carry.
// Nothing was uploaded. CommitOptions.Split makes several commits, unless one
// thing that cannot be divided, such as a directory that was moved, is too
// large by itself: that is then Path.
type TooLargeError struct {
	Large, MaxLarge   int   // large files, and how many of them go into one commit
	Inline, MaxInline int64 // bytes of all others, and how many of them do
	Path              string
}

func (e *TooLargeError) Error() string {
	text := fmt.Sprintf("%d large files and %d bytes of others are more than one commit can carry (%d files, %d bytes)", e.Large, e.Inline, e.MaxLarge, e.MaxInline)
	if e.Path != "" {
		return e.Path + " cannot be divided: " + text
	}
	return text + ": --split makes several commits"
}

// A load is what a commit carries.
type load struct {
	large  int
	inline int64
}

func (l *load) add(it *item) {
	if it == nil || it.same {
		return
	}
	if _, large := it.blob.LFS(); large {
		l.large++
	} else {
		l.inline += it.size
	}
}

func (s *Store) fits(l load) bool { return l.large <= s.maxLarge && l.inline <= s.maxInline }

func (s *Store) tooLarge(l load, path string) error {
	return &TooLargeError{Large: l.large, MaxLarge: s.maxLarge, Inline: l.inline, MaxInline: s.maxInline, Path: path}
}

const (
	maxLarge  = remote.MaxCommitLFS
	maxInline = remote.MaxCommitPayload
)

// limit counts what the commit would carry. If that is too much and it may be
// split, all that does not fit is left to the next one.
func (c *committing) limit() error {
	s := c.w.s
	items := make(map[string]*item, len(c.p.items))
	var all load
	for _, it := range c.p.items {
		items[it.path] = it
		all.add(it)
	}
	if s.fits(all) {
		return nil
	}
	if !c.o.Split {
		return s.tooLarge(all, "")
	}
	ch := c.p.choice
	in := make(map[string]bool)
	var sum load
	took := false
	var big *load
	path := ""
	for _, p := range slices.Sorted(maps.Keys(items)) {
		if _, out := ch.out[p]; out || in[p] {
			continue
		}
		more, alone := sum, load{}
		set := ch.with(p)
		for _, q := range set {
			alone.add(items[q])
			if !in[q] {
				more.add(items[q])
			}
		}
		if !s.fits(more) {
			if !s.fits(alone) && big == nil {
				big, path = &alone, p
			}
			ch.leave(p, "") // what cannot go without it does not fit either
			continue
		}
		sum = more
		for _, q := range set {
			in[q] = true
			took = took || items[q] != nil && !items[q].same
		}
	}
	if !took {
		return s.tooLarge(*big, path)
	}
	out := func(p string) bool { _, ok := ch.out[p]; return ok }
	links, left := c.p.links, c.p.left
	c.p.drop(func(it *item) bool { return out(it.path) })
	c.p.links, c.p.left = links, left // those left to the next commit are no news
	c.p.deletes = slices.DeleteFunc(c.p.deletes, out)
	c.p.skip()
	c.p.more = true
	return nil
}
