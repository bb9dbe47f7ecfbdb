package hubtest

import (
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

// state is all that can change about a repo; it is replaced, never modified.
type state struct {
	Type     string            `json:"type"` // model, dataset, space
	ID       string            `json:"id"`
	Private  bool              `json:"private"`
	Gated    string            `json:"gated,omitempty"` // auto, manual
	Disabled bool              `json:"disabled,omitempty"`
	Granted  map[string]bool   `json:"granted,omitempty"` // users let into a gated repo
	Silent   bool              `json:"discussionsDisabled,omitempty"`
	SDK      string            `json:"sdk,omitempty"`
	Created  time.Time         `json:"createdAt"`
	Branches map[string]string `json:"branches"` // name → commit
	Tags     map[string]string `json:"tags"`
	Converts map[string]string `json:"converts,omitempty"`
	Talks    []talk            `json:"discussions,omitempty"` // number 1 is the first
}

// talk is a discussion or a pull request.
type talk struct {
	Num     int       `json:"num"`
	Title   string    `json:"title"`
	Author  string    `json:"author"`
	Created time.Time `json:"createdAt"`
	Status  string    `json:"status"` // draft, open, closed, merged
	PR      bool      `json:"isPullRequest"`
	Pinned  bool      `json:"pinned,omitempty"`
	Commit  string    `json:"commit,omitempty"` // head of refs/pr/N
	Base    string    `json:"base,omitempty"`   // commit it was opened on
	Merged  string    `json:"merged,omitempty"`
	Events  []event   `json:"events"`
}

// event is one thing that happened in a talk.
type event struct {
	ID      string         `json:"id"`
	Type    string         `json:"type"`
	Created time.Time      `json:"createdAt"`
	Author  string         `json:"author"`
	Data    map[string]any `json:"data"`
}

// plural is the API's name of a repo type.
func plural(t string) string { return t + "s" }

// webPrefix stands before the id in resolve, LFS and page URLs.
func webPrefix(t string) string {
	if t == "model" {
		return ""
	}
	return plural(t) + "/"
}

// repoType is the inverse of plural; "" if it is none.
func repoType(p string) string {
	switch p {
	case "models", "datasets", "spaces":
		return p[:len(p)-1]
	}
	return ""
}

func key(t, id string) string { return plural(t) + "/" + id }

func (s *state) key() string       { return key(s.Type, s.ID) }
func (s *state) dir() string       { return path.Join("repos", s.key()) }
func (s *state) namespace() string { ns, _, _ := strings.Cut(s.ID, "/"); return ns }

func (s *state) clone() *state {
	c := *s
	c.Granted = maps.Clone(s.Granted)
	c.Branches = maps.Clone(s.Branches)
	c.Tags = maps.Clone(s.Tags)
	c.Converts = maps.Clone(s.Converts)
	c.Talks = slices.Clone(s.Talks)
	for i := range c.Talks {
		c.Talks[i].Events = slices.Clone(c.Talks[i].Events)
	}
	return &c
}

// talk finds a discussion by its number.
func (s *state) talk(num int) *talk {
	if num < 1 || num > len(s.Talks) {
		return nil
	}
	return &s.Talks[num-1]
}

// splitKey parses "acme/m", "models/acme/m", "datasets/acme/d".
func splitKey(id string) (t, name string) {
	if first, rest, ok := strings.Cut(id, "/"); ok && strings.Contains(rest, "/") {
		if t := repoType(first); t != "" {
			return t, rest
		}
	}
	return "model", id
}
