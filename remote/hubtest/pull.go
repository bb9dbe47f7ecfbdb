package hubtest

// proposeTree is propose for a whole tree without a parent. The caller holds
// r.writing.
func (r *Repo) proposeTree(tree string, p proposal) (Commit, error) {
	return r.record(Commit{Title: p.title, Description: p.description, Author: p.author, Depth: 1, Tree: tree})
}

// pushPR makes p the first commit of a new, open pull request on rev.
func (r *Repo) pushPR(rev string, p proposal) (made Commit, num int, err error) {
	r.writing.Lock()
	defer r.writing.Unlock()
	base, err := r.resolve(r.load(), rev)
	if err != nil {
		return Commit{}, 0, err
	}
	if p.parent != "" {
		// Here the parent is what the request builds on, not a condition.
		if base, err = r.resolve(r.load(), p.parent); err != nil {
			return Commit{}, 0, err
		}
	}
	if made, err = r.propose(&base, p); err != nil {
		return Commit{}, 0, err
	}
	err = r.update(func(s *state) error {
		t := r.hub.newTalk(s, p.title, p.description, p.author, true)
		t.Status, t.Base, t.Commit = "open", base.ID, made.ID
		t.add(r.hub, "commit", p.author, map[string]any{"subject": p.title, "oid": made.ID})
		num = t.Num
		s.Talks = append(s.Talks, t)
		return nil
	})
	return made, num, err
}

// newTalk makes the next discussion of s, with its first comment.
func (h *Hub) newTalk(s *state, title, description, author string, pr bool) talk {
	t := talk{
		Num: len(s.Talks) + 1, Title: title, Author: author, PR: pr, Status: "open",
		Created: h.opt.Now().UTC(),
	}
	t.add(h, "comment", author, comment(description))
	return t
}

func comment(text string) map[string]any {
	return map[string]any{"edited": false, "hidden": false, "latest": map[string]any{"raw": text, "html": text}}
}

func (t *talk) add(h *Hub, kind, author string, data map[string]any) event {
	e := event{
		ID:   gitHash("event", []byte(itoa(int64(t.Num))+"/"+itoa(int64(len(t.Events)))+t.Title))[:24],
		Type: kind, Author: author, Created: h.opt.Now().UTC(), Data: data,
	}
	t.Events = append(t.Events, e)
	return e
}

// merge applies what the pull request num changed to main.
func (r *Repo) merge(num int, author, message string) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	s := r.load()
	t := s.talk(num)
	if t == nil || !t.PR {
		return errNoRoute
	}
	if t.Status != "open" {
		return forbidden("This pull request is " + t.Status + " and cannot be merged")
	}
	changes, conflicts, err := r.compare(s, t)
	if err != nil {
		return err
	}
	if len(conflicts) > 0 {
		return conflict("This pull request has conflicts: "+conflicts[0], nil)
	}
	head, err := r.resolve(s, "main")
	if err != nil {
		return err
	}
	title := t.Title + " (#" + itoa(int64(num)) + ")"
	if message != "" {
		title = message
	}
	made, err := r.propose(&head, proposal{title: title, author: author, changes: changes})
	if err != nil {
		return err
	}
	return r.update(func(s *state) error {
		t := s.talk(num)
		t.Status, t.Merged = "merged", made.ID
		t.add(r.hub, "status-change", author, map[string]any{"status": "merged"})
		s.Branches["main"] = made.ID
		return nil
	})
}

// compare lists what a pull request changes against its base, and which of
// these paths main changed to something else.
func (r *Repo) compare(s *state, t *talk) (changes []change, conflicts []string, err error) {
	var trees [3]map[string]file
	for i, rev := range []string{t.Base, t.Commit, "main"} {
		c, err := r.resolve(s, rev)
		if err != nil {
			return nil, nil, err
		}
		flat, err := r.hub.store.flatten(c.Tree)
		if err != nil {
			return nil, nil, err
		}
		trees[i] = map[string]file{}
		for _, e := range flat {
			if !e.Dir {
				trees[i][e.Path] = e.file
			}
		}
	}
	base, theirs, ours := trees[0], trees[1], trees[2]
	note := func(path string, ch change) {
		was, now := base[path], ours[path]
		if now == theirs[path] {
			return
		}
		if was != now && path != ".gitattributes" {
			conflicts = append(conflicts, path)
		}
		changes = append(changes, ch)
	}
	for path, f := range base {
		if _, ok := theirs[path]; !ok {
			note(path, change{path: path, del: true})
		} else if theirs[path] != f {
			to := theirs[path]
			note(path, change{path: path, file: &to})
		}
	}
	for path, f := range theirs {
		if _, ok := base[path]; !ok {
			note(path, change{path: path, file: &f})
		}
	}
	return changes, conflicts, nil
}
