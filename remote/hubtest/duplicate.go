package hubtest

import (
	"errors"
	"net/http"
	"os"
	"path"
	"path/filepath"
)

// duplicate is POST …/duplicate: a new repo with the same branches, tags and
// history.
func (c *call) duplicate(r *Repo, s *state) error {
	if c.who == nil {
		return errAnonymous
	}
	if !c.who.mayOpen(s) {
		return gated(c.who, s.ID)
	}
	var in struct{ Repository, Visibility string }
	if err := c.read(&in); err != nil {
		return err
	}
	private, err := visibility(in.Visibility)
	if err != nil {
		return err
	}
	copied := &state{Type: s.Type, ID: in.Repository, Private: private || in.Visibility == "" && s.Private, SDK: s.SDK}
	if err := validID(copied.ID); err != nil {
		return err
	}
	if err := c.who.mayCreate(copied.namespace()); err != nil {
		return err
	}
	url := c.page(copied)
	to, err := c.hub.create(copied, false)
	if errors.Is(err, errExists) {
		return conflict("You already created this "+s.Type+" repo: "+copied.ID, map[string]any{"url": url})
	}
	if err != nil {
		return err
	}
	if err := to.copyFrom(r); err != nil {
		return err
	}
	return c.json(http.StatusOK, map[string]any{"url": url, "filesCopyPending": false})
}

// copyFrom takes over the history and refs of another repo.
func (r *Repo) copyFrom(from *Repo) error {
	s := from.load()
	store := r.hub.store
	for _, part := range []string{"commits", "lfs"} {
		names, err := os.ReadDir(filepath.Join(store.dir, s.dir(), part))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		for _, n := range names {
			b, err := os.ReadFile(filepath.Join(store.dir, s.dir(), part, n.Name()))
			if err != nil {
				return err
			}
			if err := store.write(path.Join(r.load().dir(), part, n.Name()), b); err != nil {
				return err
			}
		}
	}
	return r.change(func(to *state) error {
		c := s.clone()
		to.Branches, to.Tags = c.Branches, c.Tags
		return nil
	})
}
