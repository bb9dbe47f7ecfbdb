package hubtest

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// file is the content at one path.
type file struct {
	OID         string `json:"oid"` // git blob sha1; of the pointer for a large file
	Size        int64  `json:"size"`
	LFS         string `json:"lfs,omitempty"` // sha256 of a large file's content
	PointerSize int64  `json:"pointerSize,omitempty"`
}

// treeEntry is one name in one directory.
type treeEntry struct {
	Name string `json:"name"`
	Dir  bool   `json:"dir,omitempty"`
	file        // OID is the tree's for a directory
}

// emptyTree is git's tree without entries.
const emptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

// sortKey orders entries as git does: a directory sorts as if its name ended
// in a slash.
func (e *treeEntry) sortKey() string {
	if e.Dir {
		return e.Name + "/"
	}
	return e.Name
}

// treeCache keeps decoded directories; they never change.
type treeCache struct {
	mu    sync.Mutex
	byID  map[string][]treeEntry
	total int
	flat  map[string][]flatEntry
}

// cacheLimit bounds the entries that each half of the cache holds; it is
// emptied when it is full.
const cacheLimit = 500_000

// tree reads one directory. The slice is shared and must not be changed.
func (s *store) tree(id string) ([]treeEntry, error) {
	if id == emptyTree {
		return nil, nil
	}
	c := &s.trees
	c.mu.Lock()
	entries, ok := c.byID[id]
	c.mu.Unlock()
	if ok {
		return entries, nil
	}
	b, err := os.ReadFile(s.path("tree", id))
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, &entries); err != nil {
		return nil, fmt.Errorf("tree %s: %w", id, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byID == nil || c.total+len(entries) > cacheLimit {
		c.byID, c.total = map[string][]treeEntry{}, 0
	}
	c.byID[id] = entries
	c.total += len(entries)
	return entries, nil
}

// putTree keeps one directory and returns its git tree id.
func (s *store) putTree(entries []treeEntry) (string, error) {
	slices.SortFunc(entries, func(a, b treeEntry) int { return cmp.Compare(a.sortKey(), b.sortKey()) })
	var git bytes.Buffer
	for _, e := range entries {
		mode := "100644"
		if e.Dir {
			mode = "40000"
		}
		raw, err := hex.DecodeString(e.OID)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&git, "%s %s\x00", mode, e.Name)
		git.Write(raw)
	}
	id := gitHash("tree", git.Bytes())
	if id == emptyTree || s.has("tree", id) {
		return id, nil
	}
	b, err := json.Marshal(entries)
	if err != nil {
		return "", err
	}
	rel, _ := filepath.Rel(s.dir, s.path("tree", id))
	return id, s.write(rel, b)
}

// lookup finds path below the tree id; "" is the tree itself.
func (s *store) lookup(id, path string) (treeEntry, bool, error) {
	at := treeEntry{Dir: true, file: file{OID: id}}
	if path == "" {
		return at, true, nil
	}
	for name := range strings.SplitSeq(path, "/") {
		if !at.Dir {
			return treeEntry{}, false, nil
		}
		entries, err := s.tree(at.OID)
		if err != nil {
			return treeEntry{}, false, err
		}
		i := slices.IndexFunc(entries, func(e treeEntry) bool { return e.Name == name })
		if i < 0 {
			return treeEntry{}, false, nil
		}
		at = entries[i]
	}
	return at, true, nil
}

// flatEntry is an entry with its whole path.
type flatEntry struct {
	Path string
	treeEntry
}

// flatten lists everything below the tree id, with paths relative to it:
// all directories, then all files ("trees first", as the Hub's git server
// sorts), each in git's order. The slice is shared.
func (s *store) flatten(id string) ([]flatEntry, error) {
	c := &s.trees
	c.mu.Lock()
	flat, ok := c.flat[id]
	c.mu.Unlock()
	if ok {
		return flat, nil
	}
	var dirs, files []flatEntry
	var walk func(id, prefix string) error
	walk = func(id, prefix string) error {
		entries, err := s.tree(id)
		if err != nil {
			return err
		}
		for _, e := range entries {
			f := flatEntry{prefix + e.Name, e}
			if !e.Dir {
				files = append(files, f)
				continue
			}
			dirs = append(dirs, f)
			if err := walk(e.OID, f.Path+"/"); err != nil {
				return err
			}
		}
		return nil
	}
	if err := walk(id, ""); err != nil {
		return nil, err
	}
	flat = append(dirs, files...)
	c.mu.Lock()
	defer c.mu.Unlock()
	held := len(flat)
	for _, f := range c.flat {
		held += len(f)
	}
	if c.flat == nil || held > cacheLimit {
		c.flat = map[string][]flatEntry{}
	}
	c.flat[id] = flat
	return flat, nil
}

// children lists one directory, directories first.
func (s *store) children(id, dir string) ([]flatEntry, error) {
	entries, err := s.tree(id)
	if err != nil {
		return nil, err
	}
	flat := make([]flatEntry, 0, len(entries))
	for _, wantDir := range []bool{true, false} {
		for _, e := range entries {
			if e.Dir == wantDir {
				flat = append(flat, flatEntry{joinPath(dir, e.Name), e})
			}
		}
	}
	return flat, nil
}

func joinPath(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}
