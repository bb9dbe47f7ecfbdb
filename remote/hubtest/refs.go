package hubtest

import (
	"maps"
	"net/http"
	"slices"
)

// refs is GET …/refs.
func (c *call) refs(r *Repo, s *state) error {
	list := func(prefix string, refs map[string]string) []map[string]string {
		out := []map[string]string{}
		for _, name := range slices.Sorted(maps.Keys(refs)) {
			out = append(out, map[string]string{"name": name, "ref": prefix + name, "targetCommit": refs[name]})
		}
		return out
	}
	answer := map[string]any{
		"branches": list("refs/heads/", s.Branches),
		"tags":     list("refs/tags/", s.Tags),
		"converts": list("refs/convert/", s.Converts),
	}
	if c.flag("include_prs") {
		prs := []map[string]string{}
		for _, t := range s.Talks {
			if t.PR {
				n := itoa(int64(t.Num))
				prs = append(prs, map[string]string{"name": n, "ref": "refs/pr/" + n, "targetCommit": t.Commit})
			}
		}
		answer["pullRequests"] = prs
	}
	return c.json(http.StatusOK, answer)
}

// branch is POST and DELETE …/branch/NAME.
func (c *call) branch(r *Repo, s *state, name string) error {
	if err := c.who.mayWrite(s.namespace()); err != nil {
		return err
	}
	if c.r.Method == http.MethodDelete {
		return c.dropRef(r, name, false)
	}
	var in struct {
		StartingPoint string `json:"startingPoint"`
		EmptyBranch   bool   `json:"emptyBranch"`
		Overwrite     bool   `json:"overwrite"`
	}
	if err := c.readMaybe(&in); err != nil {
		return err
	}
	if err := validRef(name); err != nil {
		return err
	}
	if in.EmptyBranch {
		if err := r.emptyBranch(name, c.who.name, in.Overwrite); err != nil {
			return err
		}
		return c.json(http.StatusOK, map[string]any{})
	}
	if err := r.setRef(name, orMain(in.StartingPoint), false, in.Overwrite); err != nil {
		return err
	}
	return c.json(http.StatusOK, map[string]any{})
}

// tag is POST …/tag/REV (what to tag) and DELETE …/tag/NAME.
func (c *call) tag(r *Repo, s *state, arg string) error {
	if err := c.who.mayWrite(s.namespace()); err != nil {
		return err
	}
	if c.r.Method == http.MethodDelete {
		return c.dropRef(r, arg, true)
	}
	var in struct{ Tag, Message string }
	if err := c.read(&in); err != nil {
		return err
	}
	if err := validRef(in.Tag); err != nil {
		return err
	}
	if err := r.setRef(in.Tag, arg, true, false); err != nil {
		return err
	}
	return c.json(http.StatusOK, map[string]any{})
}

func (c *call) dropRef(r *Repo, name string, tag bool) error {
	err := r.change(func(s *state) error {
		refs := s.Branches
		if tag {
			refs = s.Tags
		}
		if refs[name] == "" {
			return noSuchRevision(name)
		}
		if !tag && name == "main" {
			return forbidden("Cannot delete the main branch")
		}
		delete(refs, name)
		return nil
	})
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, map[string]any{})
}

// emptyBranch makes a branch whose first commit has no parent and no file.
func (r *Repo) emptyBranch(name, author string, overwrite bool) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	if r.load().Branches[name] != "" && !overwrite {
		return conflict("Branch already exists: "+name, nil)
	}
	commit, err := r.propose(nil, proposal{title: "Initialize branch " + name, author: author})
	if err != nil {
		return err
	}
	return r.update(func(s *state) error { s.Branches[name] = commit.ID; return nil })
}

// squash is POST …/super-squash/BRANCH: one commit in place of the history.
func (c *call) squash(r *Repo, s *state, branch string) error {
	if err := c.who.mayWrite(s.namespace()); err != nil {
		return err
	}
	var in struct{ Message string }
	if err := c.readMaybe(&in); err != nil {
		return err
	}
	if in.Message == "" {
		in.Message = "Super-squash branch '" + branch + "' using huggingface_hub"
	}
	r.writing.Lock()
	defer r.writing.Unlock()
	if r.load().Branches[branch] == "" {
		return noSuchRevision(branch)
	}
	head, err := r.resolve(r.load(), branch)
	if err != nil {
		return err
	}
	one, err := r.proposeTree(head.Tree, proposal{title: in.Message, author: c.who.name})
	if err != nil {
		return err
	}
	if err := r.update(func(s *state) error { return s.move(branch, one.ID) }); err != nil {
		return err
	}
	return c.json(http.StatusOK, map[string]any{})
}

// readMaybe is read for a body that may be missing.
func (c *call) readMaybe(v any) error {
	if c.r.ContentLength == 0 {
		return nil
	}
	return c.read(v)
}
