package commit

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/hubfs/hubfs/remote"
)

// A Store owns the state directory and the worktrees of one process.
type Store struct {
	o      Options
	ctx    context.Context // ends with Close: for work that outlives its first caller
	cancel context.CancelFunc
	flight singleflight.Group
	work   sync.WaitGroup
	seam                                                    // tests
	pause  func(ctx context.Context, d time.Duration) error // tests: waits between two looks
	now    func() time.Time                                 // tests

	maxLarge  int   // of one commit; less in tests
	maxInline int64 // likewise

	mu     sync.Mutex
	trees  map[remote.Repo]*Worktree
	edits  map[editKey]*editing
	closed bool
}

// Open takes the state directory, making it if need be. It uses no network
// and opens no worktree: Staged says what earlier processes left.
func Open(ctx context.Context, o Options) (*Store, error) { return openWith(ctx, o, seam{}) }

func openWith(ctx context.Context, o Options, t seam) (*Store, error) {
	if o.Client == nil || o.Cache == nil || o.Dir == "" {
		return nil, errors.New("commit: client, cache and state directory are required")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	o.Dir = dir
	s := &Store{seam: t, o: o, pause: sleep, now: time.Now, maxLarge: maxLarge, maxInline: maxInline, trees: make(map[remote.Repo]*Worktree), edits: make(map[editKey]*editing)}
	if err := s.private(dir); err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	s.finishRenames()
	return s, nil
}

// private makes dir if need be and refuses one that is not ours alone: what
// is in it is committed in our name.
func (s *seam) private(dir string) error {
	if err := s.mkdirAll(dir); err != nil {
		return err
	}
	st, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !st.IsDir() {
		return &fs.PathError{Op: "open", Path: dir, Err: syscall.ENOTDIR}
	}
	if sys, ok := st.Sys().(*syscall.Stat_t); ok && int(sys.Uid) != os.Geteuid() {
		return &fs.PathError{Op: "open", Path: dir, Err: errors.New("belongs to another user")}
	}
	if st.Mode().Perm()&0o022 == 0 {
		return nil // what is in it is closed to others
	}
	// Closing a directory that has other uses too would break those: think of
	// root and /tmp.
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if name := e.Name(); !isStateName(name) && name != "log" { // the program's log files
			return &fs.PathError{Op: "open", Path: dir, Err: fmt.Errorf("others can write to it, and it holds %q: choose a directory of its own, or chmod it to 0700", name)}
		}
	}
	return os.Chmod(dir, 0o700)
}

// isStateName reports whether a name is one that stateName gives.
func isStateName(name string) bool {
	b, err := hex.DecodeString(name)
	return err == nil && len(b) == 16
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Dir is the state directory.
func (s *Store) Dir() string { return s.o.Dir }

// normal is the key of a repo: a branch has one name, the default one "".
func normal(repo remote.Repo) remote.Repo {
	if repo.Type == "" {
		repo.Type = remote.Model
	}
	repo.Rev = strings.TrimPrefix(repo.Rev, "refs/heads/")
	if repo.Rev == remote.DefaultBranch {
		repo.Rev = ""
	}
	return repo
}

// Worktree opens a repo at a revision, or gives the one that is open. Staged
// work of an earlier process comes with the base it was staged on and needs no
// network; otherwise the base is what the revision means now. fs.ErrNotExist
// if the repo is neither on the Hub nor staged. A lock that a process without
// a mount holds is waited for, with Options.Waiting called; the lock of a
// mounted process makes the worktree read-only.
func (s *Store) Worktree(ctx context.Context, repo remote.Repo) (*Worktree, error) {
	repo = normal(repo)
	return s.shared(ctx, repo, func() (*Worktree, error) { return s.open(s.ctx, repo, nil) })
}

// shared runs open once for all who ask for the repo at the same time. It
// goes on when its first caller gives up: others may wait for it too.
func (s *Store) shared(ctx context.Context, repo remote.Repo, open func() (*Worktree, error)) (*Worktree, error) {
	s.mu.Lock()
	w, closed := s.trees[repo], s.closed
	s.mu.Unlock()
	if closed {
		return nil, fmt.Errorf("staging of %s: %w", repo, fs.ErrClosed)
	}
	if w != nil {
		return w, nil
	}
	ch := s.flight.DoChan(repo.String(), func() (any, error) {
		// Between the miss and the flight somebody may have finished.
		s.mu.Lock()
		w, closed := s.trees[repo], s.closed
		if w == nil && !closed {
			s.work.Add(1)
			defer s.work.Done()
		}
		s.mu.Unlock()
		if closed {
			return nil, fs.ErrClosed
		}
		if w != nil {
			return w, nil
		}
		w, err := open()
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.trees[repo] = w
		return w, nil
	})
	select {
	case r := <-ch:
		if r.Err != nil {
			return nil, fmt.Errorf("%s: %w", repo, r.Err)
		}
		return r.Val.(*Worktree), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Opened are the open worktrees, without order.
func (s *Store) Opened() []*Worktree {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := make(map[*Worktree]bool)
	var ws []*Worktree
	for _, w := range s.trees {
		if !seen[w] { // an old name of a repo leads to the same worktree
			seen[w] = true
			ws = append(ws, w)
		}
	}
	return ws
}

// Close gives up all worktrees. Commits that run are waited for. What is
// staged stays on disk; the state of a repo with nothing staged is removed.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.work.Wait()
	var errs []error
	for _, w := range s.Opened() {
		errs = append(errs, w.close())
	}
	return errors.Join(errs...)
}
