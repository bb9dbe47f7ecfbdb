package hubtest

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"
)

// found is what a resolve leads to.
type found struct {
	commit Commit
	path   string
	file   file
}

// find looks path up for a caller who may open the repo's content.
func (c *call) find(r *Repo, s *state, rev, path string) (found, error) {
	if !c.who.mayOpen(s) {
		return found{}, gated(c.who, s.ID)
	}
	commit, err := r.resolve(s, rev)
	if err != nil {
		return found{}, err
	}
	c.w.Header().Set("X-Repo-Commit", commit.ID)
	e, ok, err := c.hub.store.lookup(commit.Tree, path)
	if err != nil {
		return found{}, err
	}
	if !ok || e.Dir {
		return found{}, noSuchEntry(commit.ID)
	}
	return found{commit, path, e.file}, nil
}

// etag is a file's validator: sha256 of large content, git blob sha1 of
// regular content.
func (c *call) etag(f file) string {
	id := f.OID
	if f.LFS != "" {
		id = f.LFS
	}
	if c.hub.quirks.Load().UnquotedETags {
		return id
	}
	return `"` + id + `"`
}

// resolve is GET and HEAD of /ID/resolve/REV/PATH and /ID/raw/REV/PATH.
func (c *call) resolve(r *Repo, s *state, rev, path string, raw bool) error {
	f, err := c.find(r, s, rev, path)
	if err != nil {
		return err
	}
	if raw {
		return c.raw(f)
	}
	shape := byte(0)
	if pick := c.hub.quirks.Load().Resolve; pick != nil {
		shape = pick(r.ID(), path)
	}
	if shape == 0 {
		shape = usualShape(s, f.file)
	}
	switch shape {
	case 'A':
		return c.toCache(s, rev, f)
	case 'B':
		return c.toContent(f)
	}
	return c.content(f.file, path)
}

// usualShape is how the Hub serves a file: large ones from the content
// origin, others by a 307 that caches can keep, but private and empty ones
// at once.
func usualShape(s *state, f file) byte {
	switch {
	case f.LFS != "":
		return 'B'
	case s.Private || s.Gated != "" || f.Size == 0:
		return 'C'
	}
	return 'A'
}

// toCache answers in shape A.
func (c *call) toCache(s *state, rev string, f found) error {
	to := "/api/resolve-cache/" + s.key() + "/" + f.commit.ID + "/" + escapePath(f.path)
	original := "/" + webPrefix(s.Type) + s.ID + "/resolve/" + rev + "/" + f.path
	to += "?" + url.QueryEscape(original) + "=&etag=" + url.QueryEscape(`"`+f.file.OID+`"`)
	return c.redirect(http.StatusTemporaryRedirect, to, f, "ETag", "")
}

// toContent answers in shape B.
func (c *call) toContent(f found) error {
	kind, id := "git", f.file.OID
	if f.file.LFS != "" {
		kind, id = "lfs", f.file.LFS
	}
	name := path.Base(f.path)
	to := c.hub.sign(c.r, http.MethodGet, "/"+kind+"/"+id, url.Values{
		"response-content-disposition": {disposition(name)}, "x-id": {"GetObject"},
	})
	return c.redirect(http.StatusFound, to, f, "X-Linked-Etag", "X-Linked-Size")
}

func (c *call) redirect(status int, to string, f found, etag, size string) error {
	hd := c.w.Header()
	hd.Set("Location", to)
	if c.hub.quirks.Load().BareRedirect {
		hd.Del("X-Repo-Commit")
	} else {
		hd.Set("Accept-Ranges", "bytes")
		hd.Set(etag, c.etag(f.file))
		if size != "" {
			hd.Set(size, itoa(f.file.Size))
		}
	}
	body := http.StatusText(status) + ". Redirecting to " + to
	hd.Set("Content-Type", "text/plain; charset=utf-8")
	hd.Set("Content-Length", itoa(int64(len(body))))
	c.w.WriteHeader(status)
	if c.r.Method != http.MethodHead {
		io.WriteString(c.w, body)
	}
	return nil
}

// resolveCache is what a 307 in shape A leads to; its query does not matter.
func (c *call) resolveCache(r *Repo, s *state, rev, path string) error {
	if !isHex(rev, 40, 64) {
		return noSuchRevision(rev)
	}
	f, err := c.find(r, s, rev, path)
	if err != nil {
		return err
	}
	return c.content(f.file, path)
}

// raw serves what git holds: the pointer of a large file.
func (c *call) raw(f found) error {
	if f.file.LFS == "" {
		return c.content(f.file, f.path)
	}
	c.w.Header().Set("ETag", `"`+f.file.OID+`"`)
	c.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	http.ServeContent(c.w, c.r, "", time.Time{}, strings.NewReader(string(pointer(f.file.LFS, f.file.Size))))
	return nil
}

// content serves the bytes of f: whole, a range, or 304.
func (c *call) content(f file, name string) error {
	o, err := c.hub.store.open(f)
	if err != nil {
		return err
	}
	defer o.Close()
	hd := c.w.Header()
	hd.Set("ETag", c.etag(f))
	if hd.Get("Content-Disposition") == "" && c.r.URL.Query().Get("noContentDisposition") != "1" {
		hd.Set("Content-Disposition", disposition(path.Base(name)))
	}
	t := "application/octet-stream"
	if f.LFS == "" {
		t = "text/plain; charset=utf-8"
		if m := mime.TypeByExtension(path.Ext(name)); strings.HasPrefix(m, "application/json") {
			t = m
		}
	}
	hd.Set("Content-Type", t)
	if c.hub.quirks.Load().WholeBody {
		c.r.Header.Del("Range")
	}
	if c.r.Header.Get("If-Range") == "" && c.hub.quirks.Load().UnquotedETags {
		// ServeContent ignores a malformed ETag, and so do such servers.
		c.r.Header.Del("If-None-Match")
	}
	http.ServeContent(c.w, c.r, "", time.Time{}, o)
	return nil
}

func disposition(name string) string {
	return fmt.Sprintf("inline; filename*=UTF-8''%s; filename=%q;", url.PathEscape(name), headerText(name))
}

// escapePath escapes each part of a path, not its slashes.
func escapePath(p string) string {
	parts := strings.Split(p, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}
