package commit

import (
	"context"
	"fmt"
)

// guard holds commits that nobody asked for by name and somebody should.
func (c *committing) guard(ctx context.Context) error {
	if !c.o.Automatic || len(c.p.deletes) == 0 || c.p.base == nil {
		return nil
	}
	entries, err := c.p.base.Walk(ctx)
	if err != nil {
		return err
	}
	moved := make(map[string]bool)
	for _, it := range c.p.items {
		moved[it.blob.ID] = true
	}
	gone := make(map[string]bool, len(c.p.deletes))
	for _, p := range c.p.deletes {
		gone[p] = true
	}
	files, lost := 0, 0
	for _, e := range entries {
		if e.Dir {
			continue
		}
		files++
		if gone[e.Path] && !moved[e.Blob.ID] {
			lost++
		}
	}
	if 2*lost > files {
		return fmt.Errorf("it would delete %d of the %d files of the repo: %w", lost, files, ErrHeld)
	}
	return nil
}

// message is the title of a commit that was given none.
func (p *plan) message() string {
	added, changed, deleted, name := 0, 0, len(p.deletes), ""
	for _, it := range p.items {
		switch {
		case it.same:
			continue
		case it.had:
			changed++
		default:
			added++
		}
		name = it.path
	}
	if deleted > 0 && name == "" {
		name = p.deletes[0]
	}
	one := added+changed+deleted == 1
	switch {
	case one && added == 1:
		return "Add " + name
	case one && changed == 1:
		return "Update " + name
	case one:
		return "Delete " + name
	}
	text := ""
	for _, part := range []struct {
		n    int
		verb string
	}{{added, "add"}, {changed, "update"}, {deleted, "delete"}} {
		if part.n == 0 {
			continue
		}
		if text != "" {
			text += ", "
		}
		text += fmt.Sprintf("%s %d", part.verb, part.n)
	}
	return string(text[0]-'a'+'A') + text[1:] + " files"
}
