package hubtest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
	"time"
)

// Commit is one entry of a repo's history.
type Commit struct {
	ID          string    `json:"id"`
	Title       string    `json:"title"`
	Description string    `json:"description,omitempty"`
	Parent      string    `json:"parent,omitempty"`
	Author      string    `json:"author"`
	Date        time.Time `json:"date"`
	Tree        string    `json:"tree"`  // git tree id
	Depth       int       `json:"depth"` // commits up to and with this one
}

// commitID is what git would call c; long is a sha256 repository's.
func commitID(c Commit, long bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "tree %s\n", c.Tree)
	if c.Parent != "" {
		fmt.Fprintf(&b, "parent %s\n", c.Parent)
	}
	who := fmt.Sprintf("%s <%s@users.noreply.huggingface.co> %d +0000", c.Author, c.Author, c.Date.Unix())
	fmt.Fprintf(&b, "author %s\ncommitter %s\n\n%s\n", who, who, c.Title)
	if c.Description != "" {
		fmt.Fprintf(&b, "\n%s\n", c.Description)
	}
	if long {
		sum := sha256.Sum256(fmt.Appendf(nil, "commit %d\x00%s", b.Len(), b.String()))
		return hex.EncodeToString(sum[:])
	}
	return gitHash("commit", []byte(b.String()))
}

// commit reads one commit of the repo; a commit of another repo is none.
func (r *Repo) commit(id string) (Commit, error) {
	var c Commit
	err := r.hub.store.readJSON(path.Join(r.load().dir(), "commits", id), &c)
	return c, err
}

// isHex says that s is n lower-case hexadecimal digits for one of the ns.
func isHex(s string, ns ...int) bool {
	for _, n := range ns {
		if len(s) == n {
			return strings.Trim(s, "0123456789abcdef") == ""
		}
	}
	return false
}

// resolve finds the commit that rev names in s.
func (r *Repo) resolve(s *state, rev string) (Commit, error) {
	id, ok := s.Branches[rev]
	if !ok {
		id, ok = s.Tags[rev]
	}
	if name, is := strings.CutPrefix(rev, "refs/heads/"); !ok && is {
		id, ok = s.Branches[name]
	}
	if name, is := strings.CutPrefix(rev, "refs/tags/"); !ok && is {
		id, ok = s.Tags[name]
	}
	if name, is := strings.CutPrefix(rev, "refs/convert/"); !ok && is {
		id, ok = s.Converts[name]
	}
	if name, is := strings.CutPrefix(rev, "refs/pr/"); !ok && is {
		if n, err := strconv.Atoi(name); err == nil {
			if t := s.talk(n); t != nil && t.PR {
				id, ok = t.Commit, true
			}
		}
	}
	if !ok && isHex(rev, 40, 64) {
		id, ok = rev, true
	}
	if !ok {
		return Commit{}, noSuchRevision(rev)
	}
	c, err := r.commit(id)
	if errors.Is(err, os.ErrNotExist) {
		return Commit{}, noSuchRevision(rev)
	}
	return c, err
}

// A change is one line of a commit. Changes apply in order.
type change struct {
	path string
	del  bool
	dir  bool   // del: a folder
	from string // rename: its present path
	file *file  // new content, or nil: a rename that keeps the content
}

// a proposal is a commit that is not made yet.
type proposal struct {
	title, description string
	author             string
	parent             string // "" is whatever the head is
	changes            []change
}

// propose applies p to parent and keeps the resulting commit; no ref names
// it yet. The caller holds r.writing.
func (r *Repo) propose(parent *Commit, p proposal) (Commit, error) {
	tree := emptyTree
	c := Commit{Title: p.title, Description: p.description, Author: p.author, Depth: 1}
	if parent != nil {
		tree, c.Parent, c.Depth = parent.Tree, parent.ID, parent.Depth+1
	}
	e := r.hub.store.edit(tree)
	for _, ch := range p.changes {
		if err := r.apply(e, ch); err != nil {
			return Commit{}, err
		}
	}
	if err := r.track(e, p.changes); err != nil {
		return Commit{}, err
	}
	var err error
	if c.Tree, err = e.write(); err != nil {
		return Commit{}, err
	}
	return r.record(c)
}

// record keeps c with the present date and the id that follows from it.
func (r *Repo) record(c Commit) (Commit, error) {
	c.Date = r.hub.opt.Now().UTC().Truncate(time.Second)
	c.ID = commitID(c, r.hub.quirks.Load().LongCommits)
	return c, r.hub.store.writeJSON(path.Join(r.load().dir(), "commits", c.ID), c)
}

func (r *Repo) apply(e *editor, ch change) error {
	if ch.del {
		return e.remove(ch.path, ch.dir)
	}
	f := ch.file
	if ch.from != "" {
		old, err := e.get(ch.from)
		if err != nil {
			return err
		}
		if old == nil || old.Dir {
			return noSuchFile(ch.from)
		}
		if f == nil {
			f = &old.file
		}
		if err := e.remove(ch.from, false); err != nil {
			return err
		}
	}
	if f.LFS != "" && !r.owns(f.LFS) {
		return badRequest("Your push was rejected because an LFS pointer pointed to a file that does not exist. For instance, this can happen if you used git push --no-verify to push your changes. Offending file: - " + ch.path)
	}
	return e.put(ch.path, *f)
}
