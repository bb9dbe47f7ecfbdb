package commit

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/hubfs/hubfs/remote"
)

// Staged are the repos with staged work, opened or left by an earlier
// process, sorted. What another process has open is its own business.
func (s *Store) Staged() []remote.Repo {
	found := make(map[remote.Repo]bool)
	for _, w := range s.Opened() {
		if w.New() || w.Dirty() {
			found[w.Repo()] = true
		}
	}
	for repo, l := range s.leftovers() {
		if l.staged {
			found[repo] = true
		}
	}
	return sorted(found)
}

func sorted(found map[remote.Repo]bool) []remote.Repo {
	repos := make([]remote.Repo, 0, len(found))
	for repo := range found {
		repos = append(repos, repo)
	}
	slices.SortFunc(repos, func(a, b remote.Repo) int { return strings.Compare(a.String(), b.String()) })
	return repos
}

// NewRepos are the names of the repos below a namespace that are staged and
// not on the Hub yet, sorted.
func (s *Store) NewRepos(t remote.RepoType, namespace string) []string {
	found := make(map[remote.Repo]bool)
	for _, w := range s.Opened() {
		if w.New() {
			found[w.Repo()] = true
		}
	}
	for repo, l := range s.leftovers() {
		if l.isNew {
			found[repo] = true
		}
	}
	var names []string
	for _, repo := range sorted(found) {
		if ns, name, ok := strings.Cut(repo.ID, "/"); ok && ns == namespace && repo.Type == t {
			names = append(names, name)
		}
	}
	return names
}

type leftover struct{ staged, isNew bool }

// leftovers reads what is in the state directory and nobody has open.
func (s *Store) leftovers() map[remote.Repo]leftover {
	found := make(map[remote.Repo]leftover)
	if s.o.ReadOnly {
		return found
	}
	dirs, err := os.ReadDir(s.o.Dir)
	if err != nil {
		return found
	}
	for _, e := range dirs {
		dir := filepath.Join(s.o.Dir, e.Name())
		id, err := readIdentity(dir)
		if err != nil || id.Endpoint != s.o.Client.Endpoint() {
			continue
		}
		repo, sub, err := remote.ParseRepo(id.Repo)
		if err != nil || sub != "" || locked(dir) {
			continue
		}
		repo = normal(repo)
		if s.stateName(repo) != e.Name() && !s.finishRename(repo, e.Name()) {
			continue
		}
		dir = filepath.Join(s.o.Dir, s.stateName(repo))
		found[repo] = leftover{staged: staged(dir, id), isNew: id.New && !hasBase(dir)}
	}
	return found
}

// finishRenames ends all that were cut off, before anybody looks for a repo by
// its new name or opens it by its old one.
func (s *Store) finishRenames() {
	if s.o.ReadOnly {
		return
	}
	dirs, err := os.ReadDir(s.o.Dir)
	if err != nil {
		return // whoever opens a repo is told
	}
	for _, e := range dirs {
		id, err := readIdentity(filepath.Join(s.o.Dir, e.Name()))
		if err != nil || id.Endpoint != s.o.Client.Endpoint() || locked(filepath.Join(s.o.Dir, e.Name())) {
			continue
		}
		if repo, sub, err := remote.ParseRepo(id.Repo); err == nil && sub == "" && s.stateName(normal(repo)) != e.Name() {
			s.finishRename(normal(repo), e.Name())
		}
	}
}

// finishRename ends a RenameNew that was cut off: repo.json had the new name
// already.
func (s *Store) finishRename(repo remote.Repo, dir string) bool {
	to := filepath.Join(s.o.Dir, s.stateName(repo))
	if _, err := os.Lstat(to); err == nil {
		return false
	}
	return s.renameAt(filepath.Join(s.o.Dir, dir), to) == nil
}

// staged reports whether a state that is not open holds anything: a repo to
// be created, a journal with more in it than where it begins, or damage that
// replay has to look at.
func staged(dir string, id identity) bool {
	n, lines := 0, 0
	damaged := scan(dir, func(r record) bool {
		lines++
		if r.Op != opVersion && r.Op != opBase {
			n++
		}
		return n == 0
	})
	if lines == 0 {
		files, _ := os.ReadDir(filepath.Join(dir, filesName))
		damaged = damaged || len(files) > 0
	}
	return n > 0 || damaged || id.New && !hasBase(dir)
}

func hasBase(dir string) (yes bool) {
	scan(dir, func(r record) bool {
		yes = yes || r.Op == opBase
		return !yes
	})
	return yes
}

// scan reads a journal until use has had enough, or a whole line is no record.
func scan(dir string, use func(record) bool) (damaged bool) {
	f, err := os.Open(filepath.Join(dir, journalName))
	if err != nil {
		return false
	}
	defer f.Close()
	br := bufio.NewReader(f)
	var c chain
	for {
		line, err := br.ReadBytes('\n')
		if err != nil {
			return false
		}
		r, err := parseLine(line[:len(line)-1], &c)
		if err != nil {
			return true
		}
		if !use(r) {
			return false
		}
	}
}

// errNotNew is what removing or renaming a repo that is on the Hub gives.
func errNotNew(op string, repo remote.Repo) error {
	return fmt.Errorf("%s %s: the repo is on the Hub: %w", op, repo, syscall.EPERM)
}

// RemoveNew drops a staged repo that is not on the Hub yet: ENOTEMPTY if
// anything is staged in it, EPERM if it is on the Hub, EBUSY while a commit
// runs.
func (s *Store) RemoveNew(repo remote.Repo) error {
	repo = normal(repo)
	w, err := s.newTree(repo)
	if err != nil {
		return err
	}
	if w == nil {
		return errNotNew("remove", repo)
	}
	select { // a commit may take hours, and creates the repo
	case <-w.commit:
		defer func() { w.commit <- struct{}{} }()
	default:
		return fmt.Errorf("remove %s: a commit is running: %w", repo, syscall.EBUSY)
	}
	w.mu.Lock()
	switch {
	case w.closed:
		err = fmt.Errorf("remove %s: %w", repo, fs.ErrClosed)
	case !w.isNew || len(w.pending) > 0:
		err = errNotNew("remove", repo)
	case !w.root.hollow():
		err = fmt.Errorf("remove %s: %w", repo, syscall.ENOTEMPTY)
	}
	if err != nil {
		w.mu.Unlock()
		return err
	}
	w.closed, w.root.dead = true, true
	st := w.st
	w.mu.Unlock()
	s.mu.Lock()
	delete(s.trees, repo)
	s.mu.Unlock()
	st.sweep(-1)
	return st.erase()
}

// newTree is the worktree of a repo that is staged as new, nil if it is not.
func (s *Store) newTree(repo remote.Repo) (*Worktree, error) {
	s.mu.Lock()
	w := s.trees[repo]
	s.mu.Unlock()
	if w == nil {
		if !s.leftovers()[repo].isNew {
			return nil, nil
		}
		var err error
		if w, err = s.Worktree(s.ctx, repo); err != nil {
			return nil, err
		}
	}
	if !w.New() {
		return nil, nil
	}
	return w, nil
}

// RenameNew gives a staged repo that is not on the Hub yet another name. EPERM
// if it is on the Hub, EBUSY while a commit runs, EEXIST if the other name is
// staged already; whether it is on the Hub is for the caller to know. Its worktree stays the same.
func (s *Store) RenameNew(from, to remote.Repo) error {
	from, to = normal(from), normal(to)
	if to.Rev != "" || !remote.ValidID(to.ID) || to.Namespace() == "" {
		return fmt.Errorf("rename %s to %s: %w", from, to, fs.ErrInvalid)
	}
	w, err := s.newTree(from)
	if err != nil {
		return err
	}
	if w == nil {
		return errNotNew("rename", from)
	}
	select {
	case <-w.commit:
		defer func() { w.commit <- struct{}{} }()
	default:
		return fmt.Errorf("rename %s: a commit is running: %w", from, syscall.EBUSY)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	path := filepath.Join(s.o.Dir, s.stateName(to))
	if _, err := os.Lstat(path); s.trees[to] != nil || err == nil {
		return fmt.Errorf("rename %s to %s: %w", from, to, fs.ErrExist)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.isNew || w.closed || len(w.pending) > 0 {
		return errNotNew("rename", from)
	}
	if to.Type != from.Type {
		return fmt.Errorf("rename %s to %s: %w", from, to, syscall.EXDEV)
	}
	id := identity{Endpoint: s.o.Client.Endpoint(), Repo: to.String(), New: true, User: w.user}
	if err := w.st.identify(id); err != nil {
		return err
	}
	if err := s.renameAt(w.st.disk.path, path); err != nil {
		id.Repo = from.String()
		return errors.Join(err, w.st.identify(id))
	}
	w.st.disk.path = path
	w.repo = to
	// An fsync in it is not to wait for this one: nothing would make it.
	err = w.st.disk.syncParent()
	w.allowed, w.assumed, w.refused = false, false, nil // it may be another namespace
	delete(s.trees, from)
	s.trees[to] = w
	return err
}
