package hubtest

import (
	"strings"
)

// An editor changes a tree: directories are read when they are first
// touched, and only the touched ones are written.
type editor struct {
	store *store
	root  *editDir
}

type editDir struct {
	id      string // as stored; "" once changed
	entries map[string]*editEntry
}

type editEntry struct {
	treeEntry
	dir *editDir // read, if not nil
}

func (s *store) edit(tree string) *editor {
	return &editor{store: s, root: &editDir{id: tree}}
}

func (e *editor) read(d *editDir) error {
	if d.entries != nil {
		return nil
	}
	entries, err := e.store.tree(d.id)
	if err != nil {
		return err
	}
	d.entries = make(map[string]*editEntry, len(entries))
	for _, t := range entries {
		d.entries[t.Name] = &editEntry{treeEntry: t}
	}
	return nil
}

func (e *editor) sub(x *editEntry) *editDir {
	if x.dir == nil {
		x.dir = &editDir{id: x.OID}
	}
	return x.dir
}

// parents walks to the directory that holds path. With make it creates what
// is missing; without it the answer is nil.
func (e *editor) parents(path string, make bool) (trail []*editDir, name string, err error) {
	d := e.root
	trail = []*editDir{d}
	for {
		if err := e.read(d); err != nil {
			return nil, "", err
		}
		first, rest, more := strings.Cut(path, "/")
		if !more {
			return trail, first, nil
		}
		x := d.entries[first]
		switch {
		case x == nil && !make:
			return nil, "", nil
		case x == nil:
			x = &editEntry{
				treeEntry: treeEntry{Name: first, Dir: true},
				dir:       &editDir{entries: map[string]*editEntry{}},
			}
			d.entries[first] = x
		case !x.Dir && !make:
			return nil, "", nil
		case !x.Dir:
			return nil, "", badRequest("cannot add " + path + ": " + first + " is a file")
		}
		d, path = e.sub(x), rest
		trail = append(trail, d)
	}
}

func touch(trail []*editDir) {
	for _, d := range trail {
		d.id = ""
	}
}

// get finds the entry at path; nil if there is none.
func (e *editor) get(path string) (*editEntry, error) {
	trail, name, err := e.parents(path, false)
	if err != nil || trail == nil {
		return nil, err
	}
	return trail[len(trail)-1].entries[name], nil
}

// put makes path be f.
func (e *editor) put(path string, f file) error {
	trail, name, err := e.parents(path, true)
	if err != nil {
		return err
	}
	d := trail[len(trail)-1]
	if old := d.entries[name]; old != nil {
		if old.Dir {
			return badRequest("cannot add " + path + ": it is a folder")
		}
		if old.file == f {
			return nil
		}
	}
	d.entries[name] = &editEntry{treeEntry: treeEntry{Name: name, file: f}}
	touch(trail)
	return nil
}

// remove takes the file, or with dir the folder, at path away, and the
// folders that are empty then.
func (e *editor) remove(path string, dir bool) error {
	trail, name, err := e.parents(path, false)
	if err != nil {
		return err
	}
	if trail == nil {
		return noSuchFile(path)
	}
	last := trail[len(trail)-1]
	x := last.entries[name]
	if x == nil || x.Dir != dir {
		return noSuchFile(path)
	}
	delete(last.entries, name)
	touch(trail)
	names := strings.Split(path, "/")
	for i := len(trail) - 1; i > 0 && len(trail[i].entries) == 0; i-- {
		delete(trail[i-1].entries, names[i-1])
	}
	return nil
}

// write keeps the changed directories and returns the root's id.
func (e *editor) write() (string, error) { return e.writeDir(e.root) }

func (e *editor) writeDir(d *editDir) (string, error) {
	if d.id != "" {
		return d.id, nil
	}
	entries := make([]treeEntry, 0, len(d.entries))
	for _, x := range d.entries {
		t := x.treeEntry
		if x.dir != nil {
			id, err := e.writeDir(x.dir)
			if err != nil {
				return "", err
			}
			t.OID = id
		}
		entries = append(entries, t)
	}
	if len(entries) > maxPerDir {
		return "", badRequest("Your push was rejected because it contains too many files per directory. Each directory in your git repo can only contain up to 10000 files.")
	}
	id, err := e.store.putTree(entries)
	d.id = id
	return id, err
}

// maxPerDir is the Hub's limit of entries in one folder.
const maxPerDir = 10_000
