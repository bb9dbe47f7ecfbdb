package commit

import (
	"maps"
	"slices"
	"strings"

	"github.com/hubfs/hubfs/remote"
)

// A plan is what one commit does to the tree: each item's path gets its
// content, the deleted paths are there no more.
type plan struct {
	mark    *mark
	parent  string   // commit it lies on top of, "" = none
	items   []*item  // sorted by path
	deletes []string // files, sorted
	links   []linked // links that it makes copies of

	kept   map[string]bool // names that stay as they are, see choice.kept
	target target

	// The rest is not in the journal.
	base    *remote.Snapshot  // the tree of parent
	left    []StagedPath      // staged, but no part of any commit
	skipped []StagedPath      // left out of this one because of what was asked for
	why     map[string]string // of kept, as far as they were left out by choice
	choice  *choice
	more    bool            // others wait for the next of several commits
	theirs  *theirs         // what others changed between the base and parent
	forced  map[string]bool // where ours goes over theirs
	busy    []string
	lost    bool // a file was removed before it could be frozen
}

// An item is one path with the content it shall have.
type item struct {
	path string
	file *File        // the staged file, or nil for committed content moved here
	from remote.Entry // then: where that was
	blob remote.Blob
	size int64
	sum  *sum

	old  remote.Entry // what parent has at the path
	had  bool
	same bool // parent has this content there already: nothing to be sent
	lfs  bool
	link string // it is, or is part of, the copy that the link at this path becomes
	mode remote.PreuploadMode
}

func (p *plan) sort() {
	slices.SortFunc(p.items, func(a, b *item) int { return strings.Compare(a.path, b.path) })
	slices.Sort(p.deletes)
	slices.Sort(p.busy)
}

// changes counts the paths a commit would change.
func (p *plan) changes() int {
	n := len(p.deletes)
	for _, it := range p.items {
		if !it.same {
			n++
		}
	}
	return n
}

// bytes are those of the paths added and changed.
func (p *plan) bytes() (n int64) {
	for _, it := range p.items {
		if !it.same {
			n += it.size
		}
	}
	return n
}

// drop takes items out, and gives their files back. The copy that a link becomes
// goes as a whole.
func (p *plan) drop(out func(*item) bool) {
	links := make(map[string]bool)
	for _, it := range p.items {
		if it.link != "" && out(it) {
			links[it.link] = true
		}
	}
	defer p.dropLinks(links)
	p.items = slices.DeleteFunc(p.items, func(it *item) bool {
		if it.link != "" && !links[it.link] || it.link == "" && !out(it) {
			return false
		}
		if it.file != nil {
			it.file.thaw()
		}
		return true
	})
}

// thaw gives all files back.
func (p *plan) thaw() {
	for _, it := range p.items {
		if it.file != nil {
			it.file.thaw()
		}
	}
}

// intent is the plan as the journal has it.
func (p *plan) intent() record {
	r := record{Op: opIntent, C: p.parent, Dels: p.deletes, Lns: p.links, Kept: slices.Sorted(maps.Keys(p.kept)), B: p.target.branch, PR: p.target.pull}
	if p.target.pull != nil {
		r.T = &p.target.sent
	}
	for _, it := range p.items {
		a := added{P: it.path, ID: it.blob.ID, Size: it.size, Same: it.same, L: it.link}
		if it.file != nil {
			a.S = it.file.seq
		}
		r.Adds = append(r.Adds, a)
	}
	return r
}

// large reports whether the commit has large files that were not there before.
func (p *plan) large() bool {
	for _, it := range p.items {
		if _, ok := it.blob.LFS(); ok && it.file != nil && !it.same {
			return true
		}
	}
	return false
}
