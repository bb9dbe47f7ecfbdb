package hubtest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// discussions is everything below …/discussions.
func (c *call) discussions(r *Repo, s *state, tail []string) error {
	post := c.r.Method == http.MethodPost
	if post {
		if err := c.who.mayPropose(s); err != nil {
			return err
		}
	} else if s.Silent {
		return forbidden("Discussions are disabled for this repo")
	}
	if len(tail) == 0 {
		if post {
			return c.openTalk(r, s)
		}
		return c.listTalks(s)
	}
	num, err := strconv.Atoi(tail[0])
	t := s.talk(num)
	if err != nil || t == nil {
		return &apiError{Status: http.StatusNotFound, Message: "Discussion not found"}
	}
	switch {
	case len(tail) == 1 && !post:
		return c.showTalk(r, s, t)
	case len(tail) == 2 && post:
		return c.changeTalk(r, s, num, tail[1])
	}
	return errNoRoute
}

// openTalk opens a discussion, or a draft pull request on main.
func (c *call) openTalk(r *Repo, s *state) error {
	var in struct {
		Title, Description string
		PullRequest        bool
	}
	if err := c.read(&in); err != nil {
		return err
	}
	if len(in.Title) < 3 {
		return badRequest("\"title\" length must be at least 3 characters long")
	}
	var num int
	err := r.change(func(s *state) error {
		t := c.hub.newTalk(s, in.Title, in.Description, c.who.name, in.PullRequest)
		if in.PullRequest {
			head, err := r.resolve(s, "main")
			if err != nil {
				return err
			}
			t.Status, t.Base, t.Commit = "draft", head.ID, head.ID
		}
		num = t.Num
		s.Talks = append(s.Talks, t)
		return nil
	})
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, map[string]any{
		"num": num, "title": in.Title, "pullRequest": in.PullRequest,
		"url": c.page(s) + "/discussions/" + itoa(int64(num)),
	})
}

func (c *call) listTalks(s *state) error {
	q := c.r.URL.Query()
	page, err := strconv.Atoi(q.Get("p"))
	if q.Has("p") && (err != nil || page < 0) {
		return badRequest("\"p\" must be a number")
	}
	talks := slices.Clone(s.Talks)
	slices.Reverse(talks)
	slices.SortStableFunc(talks, func(a, b talk) int { // pinned ones first
		switch {
		case a.Pinned == b.Pinned:
			return 0
		case a.Pinned:
			return -1
		}
		return 1
	})
	var all []map[string]any
	for _, t := range talks {
		open := t.Status == "open" || t.Status == "draft"
		switch {
		case q.Get("type") == "pull_request" && !t.PR,
			q.Get("type") == "discussion" && t.PR,
			q.Get("status") == "open" && !open,
			q.Get("status") == "closed" && open,
			q.Get("author") != "" && q.Get("author") != t.Author:
			continue
		}
		all = append(all, c.brief(s, &t))
	}
	perPage := 50
	if p := c.hub.opt.PageSize; p > 0 {
		perPage = min(p, perPage)
	}
	start := min(page*perPage, len(all))
	return c.json(http.StatusOK, map[string]any{
		"count": len(all), "start": start,
		"discussions":          append([]map[string]any{}, all[start:min(start+perPage, len(all))]...),
		"numClosedDiscussions": 0,
	})
}

func person(name string) map[string]any {
	return map[string]any{"name": name, "type": "user", "fullname": name, "avatarUrl": ""}
}

func (c *call) brief(s *state, t *talk) map[string]any {
	return map[string]any{
		"num": t.Num, "title": t.Title, "author": person(t.Author), "createdAt": stamp(t.Created),
		"status": t.Status, "isPullRequest": t.PR, "pinned": t.Pinned, "numComments": len(t.Events),
		"repo": map[string]any{"name": s.ID, "type": s.Type},
	}
}

// showTalk answers with events; a pull request also with its changes.
func (c *call) showTalk(r *Repo, s *state, t *talk) error {
	out := c.brief(s, t)
	events := []map[string]any{}
	for _, e := range t.Events {
		events = append(events, c.event(e))
	}
	out["events"] = events
	if t.PR {
		changes, conflicts, err := r.compare(s, t)
		if err != nil {
			return err
		}
		if t.Merged != "" || conflicts == nil {
			conflicts = []string{}
		}
		out["filesWithConflicts"] = conflicts
		ch := map[string]any{"base": "refs/heads/main"}
		if t.Merged != "" {
			ch["mergeCommitId"] = t.Merged
		}
		out["changes"] = ch
		if c.flag("diff") {
			out["diff"] = diff(changes)
		}
	}
	return c.json(http.StatusOK, out)
}

// diff names the files that a pull request changes; the lines are not shown.
func diff(changes []change) string {
	var names []string
	for _, ch := range changes {
		names = append(names, "diff --git a/"+ch.path+" b/"+ch.path+"\n")
	}
	slices.Sort(names)
	return strings.Join(names, "")
}

func (c *call) event(e event) map[string]any {
	return map[string]any{
		"id": e.ID, "type": e.Type, "createdAt": stamp(e.Created), "author": person(e.Author), "data": e.Data,
	}
}

// changeTalk is POST …/discussions/N/{comment,title,status,pin,merge}.
func (c *call) changeTalk(r *Repo, s *state, num int, what string) error {
	var in struct {
		Comment, Title, Status string
		Pinned                 bool
	}
	if err := c.readMaybe(&in); err != nil {
		return err
	}
	write := c.who.mayWrite(s.namespace())
	if what != "comment" && write != nil && s.talk(num).Author != c.who.name {
		return write
	}
	if what == "merge" {
		if write != nil {
			return write
		}
		if err := r.merge(num, c.who.name, in.Comment); err != nil {
			return err
		}
		return c.json(http.StatusOK, map[string]any{})
	}
	if what == "pin" {
		if write != nil {
			return write
		}
		if err := r.change(func(s *state) error { s.talk(num).Pinned = in.Pinned; return nil }); err != nil {
			return err
		}
		return c.json(http.StatusOK, map[string]any{"pinned": in.Pinned})
	}
	var made event
	err := r.change(func(s *state) error {
		t := s.talk(num)
		switch what {
		case "comment":
			made = t.add(c.hub, "comment", c.who.name, comment(in.Comment))
		case "title":
			made = t.add(c.hub, "title-change", c.who.name, map[string]any{"from": t.Title, "to": in.Title})
			t.Title = in.Title
		case "status":
			if in.Status != "open" && in.Status != "closed" && in.Status != "draft" {
				return badRequest("Invalid status: " + in.Status)
			}
			if t.Status == "merged" {
				return forbidden("A merged pull request cannot change its status")
			}
			made = t.add(c.hub, "status-change", c.who.name, map[string]any{"status": in.Status})
			t.Status = in.Status
		default:
			return errNoRoute
		}
		return nil
	})
	if err != nil {
		return err
	}
	key := map[string]string{"comment": "newMessage", "title": "newTitle", "status": "newStatus"}[what]
	return c.json(http.StatusOK, map[string]any{key: c.event(made)})
}
