package hubtest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// A Repo is one repository, seen from inside the Hub: no permission is asked
// here. Methods that cannot fail in a correct program panic when the disk
// fails or when they are given a name that the Hub refuses.
type Repo struct {
	hub     *Hub
	writing sync.Mutex
	gone    bool // deleted; guarded by writing
	state   atomic.Pointer[state]
	extra   atomic.Pointer[[]TreeEntry]
	rules   atomic.Pointer[parsed]
}

// File is one file of a repo at one commit.
type File struct {
	Size int64
	OID  string // sha256 of LFS content, git blob sha1 of regular content
	LFS  bool
}

func (r *Repo) load() *state { return r.state.Load() }

// update replaces the state by what change makes of a copy. The caller holds
// r.writing.
func (r *Repo) update(change func(*state) error) error {
	if r.gone {
		return errRepoNotFound
	}
	s := r.load().clone()
	if err := change(s); err != nil {
		return err
	}
	if err := r.hub.store.writeJSON(path.Join(s.dir(), "repo.json"), s); err != nil {
		return err
	}
	r.state.Store(s)
	return nil
}

func (r *Repo) change(f func(*state) error) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	return r.update(f)
}

func must(err error) {
	if err != nil {
		panic(fmt.Sprintf("hubtest: %v", err))
	}
}

func must1[T any](v T, err error) T {
	must(err)
	return v
}

// Repo finds a repo ("acme/m", "datasets/acme/d", "spaces/acme/s"), or makes
// it with the initial commit that the Hub makes.
func (h *Hub) Repo(id string) *Repo { return must1(h.Open(id)) }

// Open is Repo for ids that may be bad.
func (h *Hub) Open(id string) (*Repo, error) {
	t, name := splitKey(id)
	if r := h.find(t, name); r != nil {
		return r, nil
	}
	sdk := ""
	if t == "space" {
		sdk = "static"
	}
	r, err := h.create(&state{Type: t, ID: name, SDK: sdk}, true)
	if errors.Is(err, errExists) {
		return h.find(t, name), nil
	}
	return r, err
}

// EmptyRepo makes a repo without any commit or branch, as some Hub-compatible
// servers have them.
func (h *Hub) EmptyRepo(id string) *Repo {
	t, name := splitKey(id)
	return must1(h.create(&state{Type: t, ID: name}, false))
}

// Has tells whether the repo exists, under this id or by a redirect from it.
func (h *Hub) Has(id string) bool { return h.find(splitKey(id)) != nil }

// find follows the redirects of renamed repos; nil if there is none.
func (h *Hub) find(t, id string) *Repo {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.repos[h.target(key(t, id))]
}

// target is where redirects from k end. The caller holds h.mu.
func (h *Hub) target(k string) string {
	for range 20 {
		if h.repos[k] != nil || h.moved[k] == "" {
			break
		}
		k = h.moved[k]
	}
	return k
}

// ID is the repo's id with the prefix of its type, as Hub.Repo takes it.
func (r *Repo) ID() string { return webPrefix(r.load().Type) + r.load().ID }

// Put makes one commit on main that sets path to content, LFS or regular as
// the Hub would decide, and returns its id.
func (r *Repo) Put(path, content string) string {
	return r.Commit("main", "Upload "+path, map[string]string{path: content})
}

// Commit makes one commit on branch by the repo's owner. A delete that ends
// in a slash takes a folder.
func (r *Repo) Commit(branch, title string, files map[string]string, deletes ...string) string {
	return must1(r.commitFiles(branch, title, files, deletes)).ID
}

// PutReader is Put for size bytes of content that never lie in memory.
func (r *Repo) PutReader(path string, size int64, content io.Reader) string {
	f := must1(r.keep(path, size, io.LimitReader(content, size)))
	return must1(r.push("main", proposal{title: "Upload " + path, changes: []change{{path: path, file: &f}}})).ID
}

// PutSparse is PutReader for size zero bytes, which take no room on disk.
func (r *Repo) PutSparse(path string, size int64) string {
	f := must1(r.keepSparse(size))
	return must1(r.push("main", proposal{title: "Upload " + path, changes: []change{{path: path, file: &f}}})).ID
}

// Head is the commit id of a branch, tag, refs/pr/N or commit; "" if there is
// none. rev "" is main.
func (r *Repo) Head(rev string) string {
	c, err := r.resolve(r.load(), orMain(rev))
	if err != nil {
		return ""
	}
	return c.ID
}

func orMain(rev string) string {
	if rev == "" {
		return "main"
	}
	return rev
}

// Files are the files at rev by path; nil if there is no such revision.
func (r *Repo) Files(rev string) map[string]File {
	c, err := r.resolve(r.load(), orMain(rev))
	if err != nil {
		return nil
	}
	files := map[string]File{}
	for _, e := range must1(r.hub.store.flatten(c.Tree)) {
		if !e.Dir {
			files[e.Path] = e.public()
		}
	}
	return files
}

func (f file) public() File {
	if f.LFS != "" {
		return File{Size: f.Size, OID: f.LFS, LFS: true}
	}
	return File{Size: f.Size, OID: f.OID}
}

// Read is the content of one file at rev; nil if there is none.
func (r *Repo) Read(rev, path string) []byte {
	c, err := r.resolve(r.load(), orMain(rev))
	if err != nil {
		return nil
	}
	e, ok, err := r.hub.store.lookup(c.Tree, path)
	must(err)
	if !ok || e.Dir {
		return nil
	}
	f := must1(r.hub.store.open(e.file))
	defer f.Close()
	return must1(io.ReadAll(f))
}

// Log is the history of rev, newest first.
func (r *Repo) Log(rev string) []Commit {
	c, err := r.resolve(r.load(), orMain(rev))
	if err != nil {
		return nil
	}
	log := []Commit{c}
	for c.Parent != "" {
		c = must1(r.commit(c.Parent))
		log = append(log, c)
	}
	return log
}

// SetPrivate hides the repo from all but its namespace, or shows it.
func (r *Repo) SetPrivate(private bool) {
	must(r.change(func(s *state) error { s.Private = private; return nil }))
}

// SetGated asks for acceptance before content is served.
func (r *Repo) SetGated(gated bool) {
	must(r.change(func(s *state) error {
		s.Gated = ""
		if gated {
			s.Gated = "auto"
		}
		return nil
	}))
}

// Grant lets user into the gated repo.
func (r *Repo) Grant(user string) {
	must(r.change(func(s *state) error {
		if s.Granted == nil {
			s.Granted = map[string]bool{}
		}
		s.Granted[user] = true
		return nil
	}))
}

// SetDisabled takes the repo down, or puts it up again.
func (r *Repo) SetDisabled(disabled bool) {
	must(r.change(func(s *state) error { s.Disabled = disabled; return nil }))
}

// SetDiscussions allows discussions and pull requests, or not.
func (r *Repo) SetDiscussions(on bool) {
	must(r.change(func(s *state) error { s.Silent = !on; return nil }))
}

// Branch makes name point to rev ("" is main), new or not.
func (r *Repo) Branch(name, rev string) { must(r.setRef(name, rev, false, true)) }

// Tag makes the tag name point to rev ("" is main), new or not.
func (r *Repo) Tag(name, rev string) { must(r.setRef(name, rev, true, true)) }

// Convert makes refs/convert/name point to rev, as the Hub's own converters
// do.
func (r *Repo) Convert(name, rev string) {
	must(r.change(func(s *state) error {
		c, err := r.resolve(s, orMain(rev))
		if err != nil {
			return err
		}
		if s.Converts == nil {
			s.Converts = map[string]string{}
		}
		s.Converts[name] = c.ID
		return nil
	}))
}

func (r *Repo) setRef(name, rev string, tag, overwrite bool) error {
	return r.change(func(s *state) error {
		c, err := r.resolve(s, orMain(rev))
		if err != nil {
			return err
		}
		refs, kind := s.Branches, "Branch"
		if tag {
			refs, kind = s.Tags, "Tag"
		}
		if refs[name] != "" && !overwrite {
			return conflict(kind+" already exists: "+name, nil)
		}
		refs[name] = c.ID
		return nil
	})
}

// owns tells whether the repo has the large object, whoever else has it.
func (r *Repo) owns(oid string) bool {
	_, err := os.Stat(filepath.Join(r.hub.store.dir, r.load().dir(), "lfs", oid))
	return err == nil
}

// own gives the repo the stored large object oid.
func (r *Repo) own(oid string) error {
	if r.owns(oid) {
		return nil
	}
	return r.hub.store.write(path.Join(r.load().dir(), "lfs", oid), nil)
}

// date is when the repo last changed.
func (r *Repo) date(s *state) time.Time {
	if c, err := r.resolve(s, "main"); err == nil {
		return c.Date
	}
	return s.Created
}
