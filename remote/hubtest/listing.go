package hubtest

import (
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"
)

// TreeEntry is one entry of a tree as it is sent.
type TreeEntry struct {
	Type       string      `json:"type"` // file, directory
	OID        string      `json:"oid"`
	Size       int64       `json:"size"`
	Path       string      `json:"path"`
	LFS        *TreeLFS    `json:"lfs,omitempty"`
	XetHash    string      `json:"xetHash,omitempty"`
	LastCommit *TreeCommit `json:"lastCommit,omitempty"`
}

// TreeLFS is a large file's content.
type TreeLFS struct {
	OID         string `json:"oid"` // sha256
	Size        int64  `json:"size"`
	PointerSize int64  `json:"pointerSize"`
}

// TreeCommit is the commit that last changed an entry.
type TreeCommit struct {
	ID    string    `json:"id"`
	Title string    `json:"title"`
	Date  time.Time `json:"date"`
}

// Inject adds entries to what tree lists at every revision, whatever their
// names: a Hub's answer is not to be trusted, and no commit can hold "..".
// They are not kept over a restart.
func (r *Repo) Inject(entries ...TreeEntry) { r.extra.Store(&entries) }

func (c *call) entry(e flatEntry) TreeEntry {
	out := TreeEntry{Type: "file", OID: e.OID, Size: e.Size, Path: e.Path}
	if e.Dir {
		out.Type = "directory"
	}
	if e.LFS != "" && !c.hub.quirks.Load().TreeNoLFS {
		out.LFS = &TreeLFS{OID: e.LFS, Size: e.Size, PointerSize: e.PointerSize}
	}
	return out
}

// tree is GET …/tree/REV[/DIR].
func (c *call) tree(r *Repo, s *state, rev, dir string) error {
	commit, err := r.resolve(s, rev)
	if err != nil {
		return err
	}
	c.w.Header().Set("X-Repo-Commit", commit.ID)
	at, ok, err := c.hub.store.lookup(commit.Tree, dir)
	if err != nil {
		return err
	}
	if !ok || !at.Dir {
		return noSuchEntry(commit.ID)
	}
	recursive := c.flag("recursive")
	flat, err := c.hub.store.children(at.OID, dir)
	if recursive {
		flat, err = c.hub.store.flatten(at.OID)
	}
	if err != nil {
		return err
	}
	prefix := ""
	if recursive && dir != "" {
		prefix = dir + "/"
	}
	expand := c.flag("expand")
	usual, most := c.usualPage(1000), 10_000
	if expand {
		usual, most = min(usual, 50), 100
	}
	flat, more, err := c.window(flat, prefix, c.pageSize(usual, most))
	if err != nil {
		return err
	}
	out := make([]TreeEntry, 0, len(flat))
	for _, e := range flat {
		if e.Dir && recursive && c.hub.quirks.Load().TreeFilesOnly {
			continue
		}
		e.Path = prefix + e.Path
		out = append(out, c.entry(e))
	}
	if !more {
		out = append(out, r.injected(dir, recursive)...)
	}
	if expand {
		if err := r.expand(commit, out); err != nil {
			return err
		}
	}
	return c.json(http.StatusOK, out)
}

// window cuts the page out of flat that the request asks for.
func (c *call) window(flat []flatEntry, prefix string, n int) (page []flatEntry, more bool, err error) {
	after, err := c.cursor()
	if err != nil {
		return nil, false, err
	}
	if after != "" {
		var from struct {
			Name string `json:"file_name"`
		}
		if json.Unmarshal([]byte(after), &from) != nil {
			return nil, false, badRequest("Invalid cursor")
		}
		i := slices.IndexFunc(flat, func(e flatEntry) bool { return prefix+e.Path == from.Name })
		if i < 0 {
			return nil, false, badRequest("Invalid cursor: no such entry")
		}
		flat = flat[i+1:]
	}
	if len(flat) <= n {
		return flat, false, nil
	}
	b, err := json.Marshal(map[string]string{"file_name": prefix + flat[n-1].Path})
	if err != nil {
		return nil, false, err
	}
	c.next(string(b))
	return flat[:n], true, nil
}

func (r *Repo) injected(dir string, recursive bool) []TreeEntry {
	extra := r.extra.Load()
	if extra == nil {
		return nil
	}
	var out []TreeEntry
	for _, e := range *extra {
		parent := path.Dir(e.Path)
		if parent == "." || parent == "/" {
			parent = ""
		}
		if parent == dir || recursive && (dir == "" || strings.HasPrefix(e.Path, dir+"/")) {
			out = append(out, e)
		}
	}
	return out
}

func (r *Repo) expand(head Commit, out []TreeEntry) error {
	paths := make([]string, len(out))
	for i := range out {
		paths[i] = out[i].Path
	}
	last, err := r.lastCommits(head, paths)
	if err != nil {
		return err
	}
	for i := range out {
		if k, ok := last[out[i].Path]; ok {
			out[i].LastCommit = &TreeCommit{ID: k.ID, Title: k.Title, Date: k.Date}
		}
	}
	return nil
}

// pathsInfo is POST …/paths-info/REV, of a form (Python) or JSON.
func (c *call) pathsInfo(r *Repo, s *state, rev string) error {
	var in struct {
		Paths  []string `json:"paths"`
		Expand bool     `json:"expand"`
	}
	media, _, _ := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if media == "application/json" {
		if err := c.read(&in); err != nil {
			return err
		}
	} else {
		form, err := c.form()
		if err != nil {
			return err
		}
		in.Paths = slices.Concat(form["paths"], form["paths[]"])
		in.Expand = strings.EqualFold(form.Get("expand"), "true") || form.Get("expand") == "1"
	}
	if len(in.Paths) > 1000 {
		return tooLarge("too many parameters")
	}
	commit, err := r.resolve(s, rev)
	if err != nil {
		return err
	}
	c.w.Header().Set("X-Repo-Commit", commit.ID)
	out := []TreeEntry{}
	for _, p := range in.Paths {
		p = strings.Trim(p, "/")
		e, ok, err := c.hub.store.lookup(commit.Tree, p)
		if err != nil {
			return err
		}
		if ok && p != "" {
			out = append(out, c.entry(flatEntry{p, e}))
		}
	}
	if in.Expand {
		if err := r.expand(commit, out); err != nil {
			return err
		}
	}
	return c.json(http.StatusOK, out)
}

// form reads an application/x-www-form-urlencoded body.
func (c *call) form() (url.Values, error) {
	c.r.Body = http.MaxBytesReader(c.w, c.r.Body, maxJSON)
	if err := c.r.ParseForm(); err != nil {
		return nil, badRequest("Invalid form: " + err.Error())
	}
	return c.r.PostForm, nil
}

// treeSize is GET …/treesize/REV/DIR.
func (c *call) treeSize(r *Repo, s *state, rev, dir string) error {
	commit, err := r.resolve(s, rev)
	if err != nil {
		return err
	}
	at, ok, err := c.hub.store.lookup(commit.Tree, dir)
	if err != nil {
		return err
	}
	if !ok || !at.Dir {
		return noSuchEntry(commit.ID)
	}
	flat, err := c.hub.store.flatten(at.OID)
	if err != nil {
		return err
	}
	var size int64
	for _, e := range flat {
		size += e.Size
	}
	return c.json(http.StatusOK, map[string]any{"path": "/" + dir, "size": size})
}
