package hubtest

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"
)

// list is GET /api/TYPES: the repos that the caller may see.
func (c *call) list(t string) error {
	q := c.r.URL.Query()
	type item struct {
		r    *Repo
		s    *state
		date time.Time
	}
	var items []item
	c.hub.mu.Lock()
	for k, r := range c.hub.repos {
		s := r.load()
		if k != s.key() || s.Type != t || !c.who.mayRead(s) || len(s.Branches) == 0 && s.Created.IsZero() {
			continue
		}
		if a := q.Get("author"); a != "" && a != s.namespace() {
			continue
		}
		if !containsAll(s.ID, q["search"]) {
			continue
		}
		items = append(items, item{r: r, s: s})
	}
	c.hub.mu.Unlock()
	for i := range items {
		items[i].date = items[i].r.date(items[i].s)
	}
	slices.SortFunc(items, func(a, b item) int {
		n := 0
		switch q.Get("sort") {
		case "lastModified":
			n = b.date.Compare(a.date)
		case "createdAt":
			n = b.s.Created.Compare(a.s.Created)
		}
		return cmp.Or(n, cmp.Compare(a.s.ID, b.s.ID))
	})
	after, err := c.cursor()
	if err != nil {
		return err
	}
	if after != "" {
		i := slices.IndexFunc(items, func(x item) bool { return x.s.ID == after })
		items = items[i+1:]
	}
	if n := c.pageSize(c.usualPage(1000), 1000); len(items) > n {
		items = items[:n]
		c.next(items[n-1].s.ID)
	}
	out := []map[string]any{}
	for _, x := range items {
		info := c.summary(x.s)
		info["lastModified"] = stamp(x.date)
		delete(info, "siblings")
		if head, err := x.r.resolve(x.s, "main"); err == nil {
			info["sha"] = head.ID
			if c.flag("full") {
				if info["siblings"], _, err = c.siblings(x.r, &head, false); err != nil {
					return err
				}
			}
		}
		out = append(out, info)
	}
	return c.json(http.StatusOK, out)
}

func containsAll(id string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(strings.ToLower(id), strings.ToLower(w)) {
			return false
		}
	}
	return true
}

// usualPage is the page size of a listing, unless Options ask for another.
func (c *call) usualPage(n int) int {
	if p := c.hub.opt.PageSize; p > 0 {
		return p
	}
	return n
}
