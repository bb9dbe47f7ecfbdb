package remote

import (
	"bytes"
	"encoding/json"
	"errors"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// A wireEntry is an item of a tree listing. LFS is absent for regular files;
// its size is that of the content, where some servers give the pointer's as
// the entry's own.
type wireEntry struct {
	Type string          `json:"type"`
	Path json.RawMessage `json:"path"`
	Size int64           `json:"size"`
	OID  string          `json:"oid"`
	LFS  *struct {
		OID  string `json:"oid"`
		Size *int64 `json:"size"`
	} `json:"lfs"`
	Xet string `json:"xetHash"`
}

var (
	sha256Hex = regexp.MustCompile(`^[0-9a-f]{64}$`)
	gitHex    = commitPattern // 40 or 64 digits, as commits have
)

// parseEntry turns an item into an Entry, or refuses what cannot be shown as a
// file or directory without danger: the wrong shape, a hostile path, a content
// id that is none (it becomes the name of a cache file), a negative size.
func parseEntry(item json.RawMessage) (Entry, bool) {
	var w wireEntry
	if json.Unmarshal(item, &w) != nil {
		return Entry{}, false
	}
	p, ok := parsePath(w.Path)
	if !ok {
		return Entry{}, false
	}
	switch w.Type {
	case "directory":
		return Entry{Path: p, Dir: true}, true
	case "file":
	default: // submodules are "unknown"
		return Entry{}, false
	}
	e := Entry{Path: p, Size: w.Size}
	if w.LFS != nil && w.LFS.OID != "" {
		oid := strings.ToLower(strings.TrimPrefix(w.LFS.OID, lfsPrefix))
		if !sha256Hex.MatchString(oid) {
			return Entry{}, false
		}
		e.Blob.ID = lfsPrefix + oid
		if w.LFS.Size != nil {
			e.Size = *w.LFS.Size
		}
	} else {
		oid := strings.ToLower(w.OID)
		if !gitHex.MatchString(oid) {
			return Entry{}, false
		}
		e.Blob.ID = gitPrefix + oid
	}
	if xet := strings.ToLower(w.Xet); sha256Hex.MatchString(xet) {
		e.Blob.Xet = xet
	}
	return e, e.Size >= 0
}

// parsePath decodes a path. encoding/json puts U+FFFD in the place of invalid
// UTF-8 and of lone surrogates, which would make a name that the server does
// not know; a path that gains one by decoding is refused.
func parsePath(raw json.RawMessage) (string, bool) {
	var p string
	if !utf8.Valid(raw) || json.Unmarshal(raw, &p) != nil || !ValidPath(p) {
		return "", false
	}
	if n := strings.Count(p, "\uFFFD"); n > 0 {
		written := bytes.Count(raw, []byte("\uFFFD")) + strings.Count(strings.ToLower(string(raw)), `\ufffd`)
		return p, n == written
	}
	return p, true
}

// A listing is what is known of a tree: the children of some directories, or
// of all of them. It never changes once it is built.
type listing struct {
	children map[string][]Entry // by directory, sorted by name
	whole    bool               // the directories not in children do not exist
	large    bool               // nothing but: the tree is too large to be kept whole
	hidden   int
}

func (l *listing) cost() int64 {
	n := int64(200)
	for dir, entries := range l.children {
		n += int64(len(dir)) + 64
		for _, e := range entries {
			n += int64(len(e.Path)+len(e.Blob.ID)+len(e.Blob.Xet)) + 80
		}
	}
	return n
}

const (
	maxKeptNodes = 100_000   // of a directory, or of a tree kept whole; the Hub allows 10,000 in a directory
	maxWalkNodes = 2_000_000 // of a tree that is walked once
)

// hollow finds a directory without entries. Git has none: the listing is not as
// deep as it was to be, and what it leaves out would look deleted.
func (l *listing) hollow() (dir string, ok bool) {
	if l.hidden > 0 {
		return "", false // they may be what was in it
	}
	for dir, entries := range l.children {
		if dir != "" && len(entries) == 0 {
			return dir, true
		}
	}
	return "", false
}

var errHollow = errors.New("the listing leaves out what is in the directory")

var errTooMany = errors.New("the listing has too many entries")

// A treeBuilder collects the items of a listing. What it cannot show it hides
// and counts: a name that is a file and a directory, or two different files,
// means neither, nor anything below it.
type treeBuilder struct {
	dir     string // the directory listed; with recursive, everything below it
	deep    bool
	limit   int
	entries map[string]Entry
	bad     map[string]bool
	hidden  int
}

func newTreeBuilder(dir string, deep bool, limit int) *treeBuilder {
	return &treeBuilder{dir: dir, deep: deep, limit: limit, entries: map[string]Entry{}, bad: map[string]bool{}}
}

// add takes one item.
func (b *treeBuilder) add(item json.RawMessage) error {
	e, ok := parseEntry(item)
	if ok && !b.deep && parent(e.Path) != b.dir {
		ok = false // a path from somewhere else, or with a slash in its name
	}
	if !ok {
		b.hidden++
		return nil
	}
	if old, dup := b.entries[e.Path]; dup {
		if old != e {
			b.bad[e.Path] = true
		}
		b.hidden++
		return nil
	}
	b.entries[e.Path] = e
	return b.full()
}

func (b *treeBuilder) full() error {
	if len(b.entries) > b.limit {
		return errTooMany
	}
	return nil
}

// build ends the collection.
func (b *treeBuilder) build() (*listing, error) {
	if b.deep {
		if err := b.synthesize(); err != nil {
			return nil, err
		}
	}
	l := &listing{whole: b.deep, hidden: b.hidden, children: map[string][]Entry{b.dir: nil}}
	sound := map[string]bool{"": true}
	for p, e := range b.entries {
		if !b.sound(p, sound) {
			l.hidden++
			continue
		}
		dir := parent(p)
		l.children[dir] = append(l.children[dir], e)
		if e.Dir && b.deep && l.children[p] == nil {
			l.children[p] = []Entry{}
		}
	}
	for _, entries := range l.children {
		slices.SortFunc(entries, byName)
	}
	return l, nil
}

// synthesize adds the directories that a server left out, and finds files that
// others want as a directory.
func (b *treeBuilder) synthesize() error {
	paths := make([]string, 0, len(b.entries))
	for p := range b.entries {
		paths = append(paths, p)
	}
	for _, p := range paths {
		for dir := parent(p); dir != ""; dir = parent(dir) {
			e, known := b.entries[dir]
			if known && !e.Dir {
				b.bad[dir] = true
			}
			if known {
				break // its own ancestors are looked at for itself
			}
			b.entries[dir] = Entry{Path: dir, Dir: true}
			if err := b.full(); err != nil {
				return err
			}
		}
	}
	return nil
}

// sound reports whether neither p nor a directory above it is bad. Directories
// seen are noted in known, so that the walk up is short.
func (b *treeBuilder) sound(p string, known map[string]bool) bool {
	if v, ok := known[p]; ok {
		return v
	}
	ok := !b.bad[p] && (!b.deep || b.sound(parent(p), known))
	known[p] = ok
	return ok
}

func byName(a, b Entry) int { return strings.Compare(path.Base(a.Path), path.Base(b.Path)) }

// parent is the directory of a path, "" for the root.
func parent(p string) string {
	if i := strings.LastIndexByte(p, '/'); i >= 0 {
		return p[:i]
	}
	return ""
}

// find looks a name up in a directory.
func find(entries []Entry, name string) (Entry, bool) {
	i, ok := slices.BinarySearchFunc(entries, name, func(e Entry, name string) int {
		return strings.Compare(path.Base(e.Path), name)
	})
	if !ok {
		return Entry{}, false
	}
	return entries[i], true
}
