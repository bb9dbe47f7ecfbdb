package hubtest

import (
	"encoding/base64"
	"net/http"
	"strings"
)

// preupload is POST …/preupload/REV: how each file is to be sent, and what
// its path holds now.
func (c *call) preupload(r *Repo, s *state, rev string) error {
	if c.flag("create_pr") {
		if err := c.who.mayPropose(s); err != nil {
			return err
		}
	} else if err := c.mayPush(s, rev); err != nil {
		return err
	}
	var in struct {
		Files []struct {
			Path   string `json:"path"`
			Sample string `json:"sample"`
			Size   int64  `json:"size"`
		} `json:"files"`
		GitIgnore     *string `json:"gitIgnore"`
		GitAttributes *string `json:"gitAttributes"`
	}
	if err := c.read(&in); err != nil {
		return err
	}
	if len(in.Files) > maxBatch {
		return tooLarge("Too many files")
	}
	tree := emptyTree
	if len(s.Branches) > 0 {
		commit, err := r.resolve(s, rev)
		if err != nil {
			return err
		}
		tree = commit.Tree
		c.w.Header().Set("X-Repo-Commit", commit.ID)
	}
	attrs, ignore, err := r.sorting(rev, in.GitAttributes, in.GitIgnore)
	if err != nil {
		return err
	}
	out := make([]map[string]any, 0, len(in.Files))
	for _, f := range in.Files {
		sample, err := base64.StdEncoding.DecodeString(f.Sample)
		if err != nil {
			return badRequest("Invalid sample of " + f.Path)
		}
		if err := validPath(f.Path); err != nil {
			return err
		}
		mode := "regular"
		if c.hub.large(attrs, f.Path, f.Size, sample) {
			mode = "lfs"
		}
		one := map[string]any{"path": f.Path, "uploadMode": mode, "shouldIgnore": ignore.match(f.Path)}
		e, ok, err := c.hub.store.lookup(tree, f.Path)
		if err != nil {
			return err
		}
		if ok && !e.Dir {
			one["oid"] = e.public().OID
		}
		out = append(out, one)
	}
	return c.json(http.StatusOK, map[string]any{"files": out})
}

// sorting is what decides how files at rev are sent: attributes and ignored
// names, unless the client brings its own.
func (r *Repo) sorting(rev string, attrs, ignore *string) (as attributes, ig ignored, err error) {
	if attrs != nil {
		as = parseAttributes(*attrs)
	} else if as, err = r.attributes(rev); err != nil {
		return nil, nil, err
	}
	text := ""
	if ignore != nil {
		text = *ignore
	} else if text, err = r.text(rev, ".gitignore"); err != nil {
		return nil, nil, err
	}
	return as, parseIgnored(text), nil
}

// ignored are the rules of a .gitignore, in order.
type ignored []ignoreRule

type ignoreRule struct {
	match   func(string) bool
	dirOnly bool
	keep    bool // !pattern
}

func parseIgnored(text string) ignored {
	var ig ignored
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n ")
		if line == "" || line[0] == '#' {
			continue
		}
		rule := ignoreRule{}
		line, rule.keep = strings.CutPrefix(line, "!")
		line, rule.dirOnly = strings.CutSuffix(line, "/")
		if line == "" {
			continue
		}
		rule.match = pattern(line)
		ig = append(ig, rule)
	}
	return ig
}

// match tells whether path, or a folder above it, is ignored.
func (ig ignored) match(path string) bool {
	for i := 0; i < len(path); i++ {
		if path[i] == '/' && ig.one(path[:i], true) {
			return true
		}
	}
	return ig.one(path, false)
}

func (ig ignored) one(path string, dir bool) bool {
	for i := len(ig) - 1; i >= 0; i-- {
		if (dir || !ig[i].dirOnly) && ig[i].match(path) {
			return !ig[i].keep
		}
	}
	return false
}
