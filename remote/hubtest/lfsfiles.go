package hubtest

import (
	"net/http"
	"os"
	"path/filepath"
)

// lfsFiles is GET …/lfs-files: the large objects that the repo has.
func (c *call) lfsFiles(r *Repo, s *state) error {
	if err := c.who.mayWrite(s.namespace()); err != nil {
		return err
	}
	names, err := os.ReadDir(filepath.Join(c.hub.store.dir, s.dir(), "lfs"))
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	paths := map[string]string{}
	if head, err := r.resolve(s, "main"); err == nil {
		flat, err := c.hub.store.flatten(head.Tree)
		if err != nil {
			return err
		}
		for _, e := range flat {
			if e.LFS != "" {
				paths[e.LFS] = e.Path
			}
		}
	}
	after, err := c.cursor()
	if err != nil {
		return err
	}
	n := c.pageSize(c.usualPage(1000), 1000)
	out := []map[string]any{}
	for _, d := range names {
		oid := d.Name()
		if oid <= after {
			continue
		}
		if len(out) == n {
			c.next(out[n-1]["fileOid"].(string))
			break
		}
		size, err := c.hub.store.largeSize(oid)
		if err != nil {
			return err
		}
		out = append(out, map[string]any{
			"fileOid": oid, "oid": oid, "size": size, "filename": paths[oid], "ref": "main",
			"pushedAt": stamp(s.Created), "pusher": person(s.namespace()),
		})
	}
	return c.json(http.StatusOK, out)
}

// lfsDuplicate is POST …/lfs-files/duplicate on the source repo: the target
// may then commit these objects without an upload.
func (c *call) lfsDuplicate(r *Repo, s *state) error {
	var in struct {
		Target struct{ Type, Name string }
		Files  []struct{ XetHash, SHA256, Filename string }
	}
	if err := c.read(&in); err != nil {
		return err
	}
	if len(in.Files) > 500 {
		return tooLarge("Too many files")
	}
	t, err := orType(in.Target.Type)
	if err != nil {
		return err
	}
	to, ts, err := c.open(t, in.Target.Name)
	if err != nil {
		return err
	}
	if err := c.who.mayWrite(ts.namespace()); err != nil {
		return err
	}
	if !c.who.mayOpen(s) {
		return gated(c.who, s.ID)
	}
	failed := []map[string]any{}
	for _, f := range in.Files {
		if !isHex(f.SHA256, 64) || !r.owns(f.SHA256) {
			failed = append(failed, map[string]any{"sha256": f.SHA256, "error": "Object does not exist"})
			continue
		}
		if err := to.own(f.SHA256); err != nil {
			return err
		}
	}
	return c.json(http.StatusOK, map[string]any{"failed": failed})
}
