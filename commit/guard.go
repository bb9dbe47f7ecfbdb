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
