package hubtest

import "net/http"

// commits is GET …/commits/REV: the history, newest first.
func (c *call) commits(r *Repo, s *state, rev string) error {
	head, err := r.resolve(s, rev)
	if err != nil {
		return err
	}
	c.w.Header().Set("X-Total-Count", itoa(int64(head.Depth)))
	after, err := c.cursor()
	if err != nil {
		return err
	}
	at := head
	if after != "" {
		last, err := r.commit(after)
		if err != nil || last.Parent == "" {
			return badRequest("Invalid cursor")
		}
		if at, err = r.commit(last.Parent); err != nil {
			return err
		}
	}
	expand := c.r.URL.Query()
	formatted := len(expand["expand[]"])+len(expand["expand"]) > 0
	usual := 50
	if p := c.hub.opt.PageSize; p > 0 {
		usual = min(p, usual)
	}
	n := c.pageSize(usual, 1000)
	out := []map[string]any{}
	for {
		item := map[string]any{
			"id": at.ID, "title": at.Title, "message": at.Description, "date": stamp(at.Date),
			"authors": []map[string]any{{"user": at.Author, "avatar": ""}},
		}
		if formatted {
			item["formatted"] = map[string]any{"title": at.Title, "message": at.Description}
		}
		out = append(out, item)
		if at.Parent == "" {
			break
		}
		if len(out) == n {
			c.next(at.ID)
			break
		}
		if at, err = r.commit(at.Parent); err != nil {
			return err
		}
	}
	return c.json(http.StatusOK, out)
}

// lastCommits finds, for each of paths, the commit that last changed it.
func (r *Repo) lastCommits(head Commit, paths []string) (map[string]Commit, error) {
	left := map[string]string{} // path → oid it has at the commit looked at
	for _, p := range paths {
		e, ok, err := r.hub.store.lookup(head.Tree, p)
		if err != nil {
			return nil, err
		}
		if ok {
			left[p] = e.OID
		}
	}
	found := map[string]Commit{}
	for at := head; len(left) > 0; {
		parent := Commit{Tree: emptyTree}
		if at.Parent != "" {
			var err error
			if parent, err = r.commit(at.Parent); err != nil {
				return nil, err
			}
		}
		for p, oid := range left {
			e, ok, err := r.hub.store.lookup(parent.Tree, p)
			if err != nil {
				return nil, err
			}
			if !ok || e.OID != oid {
				found[p] = at
				delete(left, p)
			}
		}
		if at.Parent == "" {
			break
		}
		at = parent
	}
	return found, nil
}
