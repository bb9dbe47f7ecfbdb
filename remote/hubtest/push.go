package hubtest

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// push makes p the head of branch, atomically: whatever fails, the branch
// stays where it was.
func (r *Repo) push(branch string, p proposal) (Commit, error) {
	r.writing.Lock()
	defer r.writing.Unlock()
	s := r.load()
	if p.author == "" {
		p.author = s.namespace()
	}
	parent, err := r.parent(s, branch, p.parent)
	if err != nil {
		return Commit{}, err
	}
	c, err := r.propose(parent, p)
	if err != nil {
		return Commit{}, err
	}
	return c, r.update(func(s *state) error { return s.move(branch, c.ID) })
}

// parent is the head that a commit on branch is made on; nil for the first
// commit of an empty repo.
func (r *Repo) parent(s *state, branch, want string) (*Commit, error) {
	if branch == "main" && len(s.Branches) == 0 {
		if want != "" {
			return nil, errStale
		}
		return nil, nil
	}
	if s.Branches[branch] == "" && !strings.HasPrefix(branch, "refs/pr/") {
		if s.Tags[branch] != "" || isHex(branch, 40, 64) {
			return nil, badRequest("Cannot commit to " + branch + ": it is not a branch")
		}
		return nil, noSuchRevision(branch)
	}
	head, err := r.resolve(s, branch)
	if err != nil {
		return nil, err
	}
	if want != "" && !strings.HasPrefix(head.ID, strings.ToLower(want)) {
		return nil, errStale
	}
	return &head, nil
}

// move points a branch, or the head of a pull request, to a commit.
func (s *state) move(branch, id string) error {
	if !strings.HasPrefix(branch, "refs/pr/") {
		s.Branches[branch] = id
		return nil
	}
	for i := range s.Talks {
		if t := &s.Talks[i]; t.PR && "refs/pr/"+itoa(int64(t.Num)) == branch {
			t.Commit = id
			return nil
		}
	}
	return noSuchRevision(branch)
}

func (r *Repo) commitFiles(branch, title string, files map[string]string, deletes []string) (Commit, error) {
	p := proposal{title: title}
	for _, d := range deletes {
		name, folder := strings.CutSuffix(d, "/")
		p.changes = append(p.changes, change{path: name, del: true, dir: folder})
	}
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		f, err := r.keep(name, int64(len(files[name])), strings.NewReader(files[name]))
		if err != nil {
			return Commit{}, err
		}
		p.changes = append(p.changes, change{path: name, file: &f})
	}
	if b := r.load(); branch != "main" && b.Branches[branch] == "" && !strings.HasPrefix(branch, "refs/") {
		if err := r.setRef(branch, "main", false, true); err != nil {
			return Commit{}, err
		}
	}
	return r.push(branch, p)
}

// sampleSize is how much of a file decides whether it is text.
const sampleSize = 512

// keep stores content for path of main, LFS or regular as the Hub decides.
func (r *Repo) keep(path string, size int64, content io.Reader) (file, error) {
	if err := validPath(path); err != nil {
		return file{}, err
	}
	sample := make([]byte, min(size, sampleSize))
	if _, err := io.ReadFull(content, sample); err != nil {
		return file{}, err
	}
	attrs, err := r.attributes("main")
	if err != nil {
		return file{}, err
	}
	content = io.MultiReader(bytes.NewReader(sample), content)
	if !r.hub.large(attrs, path, size, sample) {
		b, err := io.ReadAll(content)
		if err != nil {
			return file{}, err
		}
		return r.hub.store.putRegular(b)
	}
	oid, n, err := r.hub.store.putLarge(content, "", size)
	if err != nil {
		return file{}, err
	}
	return largeFile(oid, n), r.own(oid)
}

// large is the Hub's decision: what .gitattributes says, else binary or more
// than a regular file may have. Empty files are never large.
func (h *Hub) large(attrs attributes, path string, size int64, sample []byte) bool {
	if size == 0 {
		return false
	}
	return attrs.lfs(path) || size > h.opt.MaxRegular || binary(sample)
}

// binary says that b, the beginning of a file, is not UTF-8 text.
func binary(b []byte) bool {
	if bytes.IndexByte(b, 0) >= 0 {
		return true
	}
	for len(b) > 0 {
		c, n := utf8.DecodeRune(b)
		if c == utf8.RuneError && n == 1 {
			// A rune cut off by the sample's end is no error.
			return utf8.FullRune(b)
		}
		b = b[n:]
	}
	return false
}
