package commit

import (
	"maps"
	"slices"
)

// A choice says which of the paths that a commit could change it does change.
// Some go together: what is moved goes whole or not at all, and what takes the
// place of something goes only if that goes away.
type choice struct {
	x        *differ
	needs    map[string][]string // a path, or a group, to what it cannot go without
	neededBy map[string][]string
	groups   map[string]string // moved directory, by its path, to the group it is in
	out      map[string]string // what is left out, with the reason
}

// A group is a node that stands for paths that go together. No path begins so.
func group(kind, p string) string { return "\x00" + kind + p }

func isGroup(node string) bool { return node[0] == 0 }

func newChoice(x *differ) *choice {
	c := &choice{x: x, needs: make(map[string][]string), neededBy: make(map[string][]string), groups: make(map[string]string), out: make(map[string]string)}
	origins := make(map[string]string)
	c.moved(x.root, "", origins)
	sources := make(map[string][]string)
	for p, it := range x.items {
		inMoved := false
		for dir := p; dir != ""; dir = parentOf(dir) {
			if g, ok := c.groups[dir]; ok && it.file == nil {
				inMoved = true
				c.together(g, p)
			}
			// A directory that goes on showing what the base has there must go
			// on showing it.
			if g, ok := origins[dir]; ok {
				c.need(p, g)
			}
			if dir != p && x.deletes[dir] {
				c.need(p, dir) // a file that becomes a directory
			}
		}
		switch {
		case it.link != "":
			c.together(group("link ", it.link), p)
		case it.file == nil && (!it.same || inMoved):
			// Content that its new place has already need not be there for the old
			// one to go, but a moved directory that stays shows the old one.
			sources[it.from.Path] = append(sources[it.from.Path], p)
		}
	}
	for p := range x.deletes {
		for _, to := range sources[p] {
			c.need(p, to)
			c.need(to, p)
		}
		for dir := p; dir != ""; dir = parentOf(dir) {
			if g, ok := c.groups[dir]; ok {
				c.need(g, p) // or the base's would show there
			}
			if dir != p && x.items[dir] != nil {
				c.need(dir, p) // a directory that becomes a file
			}
		}
	}
	return c
}

// moved finds the directories that are shown away from their place. One that
// lies in another goes with it.
func (c *choice) moved(d *shot, in string, origins map[string]string) {
	if d.based && !d.natural() {
		if in == "" {
			in = group("moved ", d.path)
		}
		c.groups[d.path] = in
		if origins[d.origin] == "" {
			origins[d.origin] = in
		} else if origins[d.origin] != in {
			c.need(in, origins[d.origin])
			c.need(origins[d.origin], in)
		}
	}
	for _, sub := range d.subs {
		c.moved(sub, in, origins)
	}
}

func (c *choice) need(a, b string) {
	c.needs[a] = append(c.needs[a], b)
	c.neededBy[b] = append(c.neededBy[b], a)
}

func (c *choice) together(g, p string) {
	c.need(g, p)
	c.need(p, g)
}

// leave takes a path out, and with it all that cannot go without it.
func (c *choice) leave(p, reason string) {
	if _, ok := c.out[p]; ok {
		return
	}
	c.out[p] = reason
	todo := []string{p}
	if reason != "" {
		reason = "it goes together with " + p + ", and " + reason
	}
	for len(todo) > 0 {
		last := len(todo) - 1
		q := todo[last]
		todo = todo[:last]
		for _, r := range c.neededBy[q] {
			if _, ok := c.out[r]; !ok {
				c.out[r] = reason
				todo = append(todo, r)
			}
		}
	}
}

// with are the nodes that p cannot go without, p included.
func (c *choice) with(p string) []string {
	seen := map[string]bool{p: true}
	todo := []string{p}
	for i := 0; i < len(todo); i++ {
		for _, q := range c.needs[todo[i]] {
			if !seen[q] {
				seen[q] = true
				todo = append(todo, q)
			}
		}
	}
	return todo
}

// filter leaves out what patterns do not let through.
func (c *choice) filter(f *filter) {
	if f.all() {
		return
	}
	for _, paths := range [][]string{slices.Sorted(maps.Keys(c.x.items)), slices.Sorted(maps.Keys(c.x.deletes))} {
		for _, p := range paths {
			if reason := f.reason(p); reason != "" {
				c.leave(p, reason)
			}
		}
	}
}

// kept are the names that stay as they are although others of the plan go: of
// deletions that are only made in part, and of directories that must go on
// showing, or hiding, what the base has.
func (c *choice) kept() map[string]bool {
	kept := make(map[string]bool)
	if len(c.out) == 0 {
		return kept
	}
	above := make(map[string]bool) // paths with deletions at or below them that are left out
	for p := range c.out {
		if isGroup(p) || !c.x.deletes[p] {
			continue
		}
		for dir := p; dir != "" && !above[dir]; dir = parentOf(dir) {
			above[dir] = true
		}
	}
	var walk func(d *shot, staying bool)
	walk = func(d *shot, staying bool) {
		for name, k := range d.kids {
			p := join(d.path, name)
			switch {
			case k.gone():
				if staying || above[p] {
					kept[p] = true
				}
			case k.dir != nil:
				sub := d.subs[k.dir]
				stays := false
				switch {
				case sub.based && !sub.natural():
					_, stays = c.out[c.groups[p]]
				case !sub.based:
					stays = above[p]
				}
				if stays {
					kept[p] = true
				}
				walk(sub, stays && sub.based)
			}
		}
	}
	walk(c.x.root, false)
	return kept
}

// skip notes what the choice leaves out, and what must stay for it.
func (p *plan) skip() {
	c := p.choice
	p.kept = c.kept()
	p.skipped, p.why = nil, make(map[string]string)
	links := make(map[string]bool)
	for _, q := range slices.Sorted(maps.Keys(c.out)) {
		if isGroup(q) || c.out[q] == "" {
			continue
		}
		s := StagedPath{Path: q, Reason: c.out[q]}
		if it := c.x.items[q]; it != nil && it.link != "" {
			if links[it.link] {
				continue
			}
			links[it.link] = true
			s.Path = it.link
		}
		p.skipped = append(p.skipped, s)
	}
	at := make(map[string]string) // the reason of the first that is skipped there or below
	for _, s := range p.skipped {
		for q := s.Path; q != ""; q = parentOf(q) {
			if _, ok := at[q]; ok {
				break
			}
			at[q] = s.Reason
		}
	}
	for q := range p.kept {
		if reason := c.out[c.groups[q]]; reason != "" && c.groups[q] != "" {
			p.why[q] = reason
		} else if reason, ok := at[q]; ok {
			p.why[q] = reason
		}
	}
	p.links = slices.DeleteFunc(p.links, func(l linked) bool {
		_, out := c.out[group("link ", l.P)]
		return out
	})
}
