package remote

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// wholePages is how many pages of a recursive tree are read to know all of it
// (the Hub's hold 1,000 entries). A longer tree is read directory by directory.
const wholePages = 5

// A Snapshot is the tree of a repo at one commit: it never changes. It makes no
// request before it is first asked for something, one per page of the recursive
// tree then, and if that ends within a few pages none ever after. The tree of a
// larger repo is asked for directory by directory, when one is needed; what is
// known of it lies in a cache of the Client with a bounded size.
//
// Names that could do harm as the name of a file are hidden and counted (Hidden).
//
// A Snapshot is also an fs.FS and fs.ReadDirFS, for programs that know nothing
// of the Hub; see FS.
type Snapshot struct {
	c      *Client
	repo   Repo
	commit string
	date   time.Time

	mu sync.Mutex
	// kept is the listing used last. The cache of listings may drop or refuse
	// anything, so it alone could not promise that a small tree is asked for
	// only once.
	kept   *listing
	large  bool           // the tree is not to be had whole
	hidden map[string]int // by directory listed
	walked *int           // hidden entries of the whole tree, once it was seen
}

var (
	_ fs.FS        = (*Snapshot)(nil)
	_ fs.ReadDirFS = (*Snapshot)(nil)
)

// Snapshot pins a repo's revision to the commit it has now: one request. The
// snapshot's repo has the canonical id.
func (c *Client) Snapshot(ctx context.Context, repo Repo) (*Snapshot, error) {
	info, err := c.Info(ctx, repo)
	if err != nil {
		return nil, err
	}
	repo.ID = info.ID
	return c.SnapshotAt(repo, info.SHA, info.LastModified), nil
}

// SnapshotAt is the snapshot of a known commit, without a request. date is what
// its files are dated. The commit "" is a repo without commits: an empty tree.
func (c *Client) SnapshotAt(repo Repo, commit string, date time.Time) *Snapshot {
	return &Snapshot{c: c, repo: repo, commit: commit, date: date, hidden: map[string]int{}}
}

// Repo is the repo, at the revision that was asked for.
func (s *Snapshot) Repo() Repo { return s.repo }

// Commit is the commit's id, "" for a repo without commits.
func (s *Snapshot) Commit() string { return s.commit }

// Date is the time all files are dated: that of the commit.
func (s *Snapshot) Date() time.Time { return s.date }

// Hidden is the number of entries seen so far that are not shown.
func (s *Snapshot) Hidden() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.walked != nil {
		return *s.walked
	}
	n := 0
	for _, h := range s.hidden {
		n += h
	}
	return n
}

// Stat looks a path up; "" is the root. The error is fs.ErrNotExist, or
// syscall.ENOTDIR below a file.
func (s *Snapshot) Stat(ctx context.Context, p string) (Entry, error) {
	if p == "" {
		return Entry{Dir: true}, nil
	}
	if !ValidPath(p) {
		return Entry{}, &fs.PathError{Op: "stat", Path: p, Err: fs.ErrNotExist}
	}
	entries, err := s.List(ctx, parent(p))
	if err != nil {
		return Entry{}, err
	}
	e, ok := find(entries, path.Base(p))
	if !ok {
		return Entry{}, &fs.PathError{Op: "stat", Path: p, Err: fs.ErrNotExist}
	}
	return e, nil
}

// List is the content of a directory, sorted by name; "" is the root. The
// result must not be changed. The error is fs.ErrNotExist, or syscall.ENOTDIR
// for a file.
func (s *Snapshot) List(ctx context.Context, dir string) ([]Entry, error) {
	if dir != "" && !ValidPath(dir) {
		return nil, &fs.PathError{Op: "list", Path: dir, Err: fs.ErrNotExist}
	}
	if s.commit == "" {
		if dir == "" {
			return nil, nil
		}
		return nil, &fs.PathError{Op: "list", Path: dir, Err: fs.ErrNotExist}
	}
	l, err := s.listing(ctx, dir)
	if err != nil {
		return nil, err
	}
	if entries, ok := l.children[dir]; ok {
		return entries, nil
	}
	err = fs.ErrNotExist
	for p := dir; p != ""; p = parent(p) {
		if e, ok := find(l.children[parent(p)], path.Base(p)); ok && !e.Dir {
			err = syscall.ENOTDIR
		}
	}
	return nil, &fs.PathError{Op: "list", Path: dir, Err: err}
}

// Walk returns every entry, directories included, sorted by path. For a large
// tree it reads all pages, and keeps none of it.
func (s *Snapshot) Walk(ctx context.Context) ([]Entry, error) {
	if s.commit == "" {
		return nil, nil
	}
	l, err := s.whole(ctx)
	if err != nil {
		return nil, err
	}
	if l.large {
		if l, err = s.c.tree(ctx, s, "", true, maxPages); err != nil {
			return nil, err
		}
		s.note(l, "")
	}
	var all []Entry
	for _, entries := range l.children {
		all = append(all, entries...)
	}
	slices.SortFunc(all, func(a, b Entry) int { return strings.Compare(a.Path, b.Path) })
	return all, nil
}

// listing finds what is known about dir, asking the Hub if nothing is.
func (s *Snapshot) listing(ctx context.Context, dir string) (*listing, error) {
	s.mu.Lock()
	kept, large := s.kept, s.large
	s.mu.Unlock()
	if kept != nil {
		if _, ok := kept.children[dir]; ok || kept.whole {
			return kept, nil
		}
	}
	if !large {
		l, err := s.whole(ctx)
		if err != nil || !l.large {
			return l, err
		}
	}
	l, err := s.cached(ctx, "dir "+dir, func(ctx context.Context) (*listing, error) {
		return s.c.tree(ctx, s, dir, false, maxPages)
	})
	if err != nil {
		return nil, err
	}
	s.note(l, dir)
	return l, nil
}

// whole is the whole tree, or a listing that says it is too large.
func (s *Snapshot) whole(ctx context.Context) (*listing, error) {
	s.mu.Lock()
	kept, large := s.kept, s.large
	s.mu.Unlock()
	if kept != nil && kept.whole {
		return kept, nil
	}
	if large {
		return &listing{large: true}, nil
	}
	l, err := s.cached(ctx, "tree", func(ctx context.Context) (*listing, error) {
		return s.c.tree(ctx, s, "", true, wholePages)
	})
	if err != nil {
		return nil, err
	}
	s.note(l, "")
	return l, nil
}

// note keeps a listing and its count of hidden entries.
func (s *Snapshot) note(l *listing, dir string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.large {
		s.large = true
		return
	}
	if !l.whole || !s.large { // not the result of Walk on a large tree
		s.kept = l
	}
	if l.whole {
		s.walked = &l.hidden
	}
	s.hidden[dir] = l.hidden
}

// cached is a listing from the client's cache, else from one flight for all who
// want it. Between the look and the flight somebody may have finished, so the
// flight looks again.
func (s *Snapshot) cached(ctx context.Context, what string, fetch func(context.Context) (*listing, error)) (*listing, error) {
	key := s.repo.Path() + " " + s.commit + " " + what
	if l, ok := s.c.listings.Get(key); ok {
		return l, nil
	}
	return shared(ctx, s.c, "list "+key, func(ctx context.Context) (*listing, error) {
		if l, ok := s.c.listings.Get(key); ok {
			return l, nil
		}
		l, err := fetch(ctx)
		if err != nil {
			return nil, err
		}
		s.c.listings.Set(key, l, l.cost())
		s.c.listings.Wait()
		return l, nil
	})
}

// tree asks for a directory, or for everything below it. A deep tree that does
// not end within the pages, or is too large, is one that is large; anything
// else that does not end is an error.
func (c *Client) tree(ctx context.Context, s *Snapshot, dir string, deep bool, pages int) (*listing, error) {
	u := s.repo.apiRev("tree", s.commit)
	if dir != "" {
		u += "/" + escapePath(dir)
	}
	limit, probe := maxKeptNodes, deep && pages == wholePages
	if deep && !probe {
		limit = maxWalkNodes
	}
	b, page, cut := newTreeBuilder(dir, deep, limit), 0, false
	err := c.pages(ctx, fmt.Sprintf("%s?recursive=%t&expand=false", u, deep), b.add, func(last bool) bool {
		page++
		cut = !last && page >= pages
		return !cut
	})
	if probe && err == nil && !cut && b.unmarked() {
		err = c.mark(ctx, s, b)
	}
	var l *listing
	switch {
	case cut && !probe:
		err = errTooMany
	case err == nil && !cut:
		l, err = b.build()
	}
	if deep && err == nil && !cut {
		if empty, ok := l.hollow(); ok {
			err = fmt.Errorf("%w %s", errHollow, quote(escape(empty, 200)))
		}
	}
	if probe && (cut || errors.Is(err, errTooMany) || errors.Is(err, errHollow)) {
		return &listing{large: true}, nil // each directory is asked for by itself
	}
	var e *Error
	if errors.As(err, &e) && e.Status == http.StatusNotFound && (e.Code == "EntryNotFound" || e.Code == "" && dir != "") {
		// An empty root, or a directory that is not there: a list without it.
		l, err = &listing{whole: deep, children: map[string][]Entry{}}, nil
		if dir == "" {
			l.children[""] = nil
		}
	}
	if err != nil {
		return nil, err
	}
	if !deep && dir != "" && len(l.children[dir]) == 0 && l.hidden == 0 {
		delete(l.children, dir) // Git has no empty directories; some servers answer [] for what is not there
	}
	return l, nil
}
