package commit

import (
	"errors"
	"sync"
	"time"

	"github.com/hubfs/hubfs/remote"
)

// A Worktree is one repo at one revision: its base snapshot overlaid with
// what is staged.
type Worktree struct {
	s      *Store
	root   *Dir
	commit chan struct{} // holds one token: who has it may commit, settle or close

	setUp chan struct{} // as commit: who has it may make the state, and wait for its lock

	mu        sync.RWMutex
	repo      remote.Repo
	base      *remote.Snapshot   // nil = a repo without a commit
	bases     []*remote.Snapshot // earlier ones, newest first: nodes of theirs may still be read
	isNew     bool               // not yet on the Hub
	started   time.Time
	st        *state           // nil until the first change
	files     map[uint64]*File // with a name
	live      int              // records that the journal needed when it was last looked at
	replaying bool
	gen       uint64 // of the changes made now; a plan takes all up to one
	mark      *mark  // the last plan in the journal
	pending   []*plan
	planning  bool              // a commit is between its mark and its end
	sources   map[string]source // by blob ID, of content moved by reference
	dropped   []*File           // without a name since this lock was taken
	onChange  []func([]Change)
	refused   error  // why nothing can be written, once known
	allowed   bool   // that it may be written is known
	assumed   bool   // allowed without having asked
	user      string // whose work is staged, as repo.json has it
	held      error  // another process has the state
	adopting  *adoption
	shownAt   string // where programs see the directory shownDir of the repo; "" = not known
	shownDir  string
	lastErr   string
	warnings  []string // found when the state was opened
	conflicts []string
	clashes   map[string]string // see clash; by path, the commit before theirs
	proposes  bool              // nothing may be written but by pull requests
	reasons   map[string]string // why the last commit left paths out
	closed    bool
}

// adoption is what a commit is just moving into the cache.
type adoption struct {
	blobs map[string]bool // by ID
	done  chan struct{}
}

// source says where committed content can be fetched.
type source struct {
	commit string
	path   string
}

func newWorktree(s *Store, repo remote.Repo) *Worktree {
	w := &Worktree{s: s, repo: repo, started: time.Now(), commit: make(chan struct{}, 1), setUp: make(chan struct{}, 1), files: make(map[uint64]*File), sources: make(map[string]source)}
	w.commit <- struct{}{}
	w.setUp <- struct{}{}
	w.root = &Dir{w: w, based: true, kids: make(map[string]*kid), mode: dirMode}
	return w
}

// Repo is the repo with its revision, "" for the default branch.
func (w *Worktree) Repo() remote.Repo {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.repo
}

// Root is the repo's root directory.
func (w *Worktree) Root() *Dir { return w.root }

// Date is that of the base commit, or when the worktree was opened if there is none.
func (w *Worktree) Date() time.Time {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.date()
}

func (w *Worktree) date() time.Time {
	if w.base == nil || w.base.Date().IsZero() {
		return w.started
	}
	return w.base.Date()
}

// BaseCommit is the commit that staged changes lie over; "" for a repo
// without one.
func (w *Worktree) BaseCommit() string {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.baseCommit()
}

func (w *Worktree) baseCommit() string {
	if w.base == nil {
		return ""
	}
	return w.base.Commit()
}

// New reports whether the repo is still to be created, by its first commit.
func (w *Worktree) New() bool {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.isNew
}

// OnChange registers a function to be told of names that came to mean
// something else by a commit, a rebase or Discard. It is called with no lock
// held, by whoever made the change, after it is in effect.
func (w *Worktree) OnChange(f func([]Change)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.onChange = append(w.onChange, f)
}

func (w *Worktree) tell(changes []Change) {
	if len(changes) == 0 {
		return
	}
	w.mu.RLock()
	fs := w.onChange[:len(w.onChange):len(w.onChange)]
	w.mu.RUnlock()
	for _, f := range fs {
		f(changes)
	}
}

// header are the first records of a journal.
func header(base *remote.Snapshot) []record {
	rs := []record{{Op: opVersion, V: journalVersion}}
	if base != nil {
		rs = append(rs, baseRecord(base))
	}
	return rs
}

func baseRecord(base *remote.Snapshot) record {
	t := base.Date()
	return record{Op: opBase, C: base.Commit(), T: &t}
}

// syncJournal makes everything done so far durable.
func (w *Worktree) syncJournal() error {
	w.mu.RLock()
	st := w.st
	w.mu.RUnlock()
	if st == nil {
		return nil
	}
	err := st.journal.sync()
	if err != nil && st.journal.failed() && w.checkpoint() == nil {
		return nil // a new file has all of it
	}
	return err
}

// append writes records to the journal, which is replaced first if nothing can
// be added to it any more. Under mu.
func (w *Worktree) append(rs ...record) error {
	if w.st.journal.failed() && len(w.pending) == 0 && !w.planning {
		if err := w.st.journal.rewrite(w.records()); err != nil {
			return err
		}
	}
	return w.st.journal.append(rs...)
}

// checkpoint replaces the journal by one that says just what is staged now.
// While the outcome of a commit is unknown it can't: what was staged before
// and after its plan must stay apart.
func (w *Worktree) checkpoint() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.pending) > 0 || w.planning {
		return errUnsettled
	}
	return w.st.journal.rewrite(w.records())
}

// close gives the worktree up; see Store.Close.
func (w *Worktree) close() error {
	<-w.commit // a commit that runs is waited for; later ones find closed set
	defer func() { w.commit <- struct{}{} }()
	<-w.setUp
	defer func() { w.setUp <- struct{}{} }()
	w.mu.Lock()
	broken := w.closed // by must: what is in memory is not to be trusted
	w.closed = true
	st := w.st
	if st == nil {
		w.mu.Unlock()
		return nil
	}
	if broken {
		w.mu.Unlock()
		return errors.Join(st.journal.sync(), st.release())
	}
	empty := !w.isNew && len(w.pending) == 0 && w.root.bare()
	records := w.records()
	compact := len(w.pending) == 0 && st.journal.length() > len(records)
	w.mu.Unlock()
	st.buriers.Wait()
	if empty {
		st.sweep(-1)
		return st.erase()
	}
	err := errors.ErrUnsupported
	if compact {
		err = st.journal.rewrite(records)
	}
	if err != nil { // a disk that has no room for another has this one
		err = st.journal.sync()
	}
	st.sweep(-1)
	if rerr := st.release(); err == nil {
		err = rerr
	}
	return err
}
