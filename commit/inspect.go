package commit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/hubfs/hubfs/remote"
)

// A State is what a state directory has of one repo and branch, as it can be
// told without opening it.
type State struct {
	Dir      string       `json:"dir"`
	Endpoint string       `json:"endpoint"`
	Repo     string       `json:"repo"`   // without revision
	Branch   string       `json:"branch"` // or other revision
	Base     string       `json:"base"`   // commit id; "" for a repo without one
	New      bool         `json:"new,omitempty"`
	User     string       `json:"user,omitempty"` // whose work it is; "" = not known
	Files    int          `json:"files"`          // with content of their own
	Bytes    int64        `json:"bytes"`          // of these
	Staged   []StagedPath `json:"staged"`         // sorted by path
	Busy     []string     `json:"busy,omitempty"` // open for writing
	Mount    string       `json:"mount,omitempty"`
	PID      int          `json:"pid,omitempty"`   // of the process that has it now, with Mount if it is a mount's
	Error    string       `json:"error,omitempty"` // why it, or a part of it, cannot be read
	Aside    []string     `json:"aside,omitempty"` // directories with what was damaged, and the files it may have named
}

// Inspect tells what is staged below a state directory, for whatever endpoint
// and whoever has it open. It takes no lock, makes no request and changes
// nothing; what is being staged meanwhile may be missing. Without a base's
// listing a changed file is an added one. A directory that is missing holds
// nothing.
func Inspect(ctx context.Context, dir string) ([]State, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	states := []State{}
	for _, e := range entries {
		if !isStateName(e.Name()) {
			continue
		}
		l, err := inspect(filepath.Join(dir, e.Name()))
		aside := asideOf(l.state.Dir)
		if errors.Is(err, fs.ErrNotExist) && l.w == nil {
			err = nil // given up just now, or before anything was in it
		}
		s := l.describe(ctx)
		s.Aside = aside
		l.close()
		if err != nil {
			s.Error = err.Error()
		}
		if s.Error == "" && !s.New && len(s.Staged) == 0 && len(aside) == 0 {
			continue
		}
		states = append(states, s)
	}
	return states, nil
}

// asideOf are the directories in a state that replay put damage into.
func asideOf(dir string) (aside []string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), asidePrefix) {
			aside = append(aside, filepath.Join(dir, e.Name()))
		}
	}
	return aside
}

// A looked is a state that is only looked at.
type looked struct {
	state  State
	w      *Worktree // nil if nothing could be read
	client *remote.Client
	disk   *disk
}

func (l *looked) close() {
	if l.disk != nil {
		l.disk.close()
	}
	if l.client != nil {
		l.client.Close()
	}
}

func (l *looked) describe(ctx context.Context) State {
	s := l.state
	if l.w == nil {
		return s
	}
	st := l.w.Status(ctx)
	s.Base, s.New, s.Staged, s.Busy, s.Error = st.Base, st.New, st.Staged, st.Busy, st.LastError
	for _, p := range s.Staged {
		if p.Op == "add" || p.Op == "change" {
			s.Files++
			s.Bytes += p.Size
		}
	}
	return s
}

// inspect makes a worktree of what a journal says now. fs.ErrNotExist without a
// worktree if there is none. The worktree may come with an error: then it has
// what could be read. The caller closes it in any case.
func inspect(dir string) (l *looked, err error) {
	l = &looked{state: State{Dir: dir, Staged: []StagedPath{}}}
	if l.disk, err = openDisk(dir, seam{}); err != nil {
		return l, err
	}
	st := &state{disk: l.disk, trash: make(map[uint64]*File)}
	id, err := st.identity()
	if err != nil {
		return l, err
	}
	l.state.Endpoint, l.state.Repo, l.state.User = id.Endpoint, id.Repo, id.User
	if locked(dir) {
		by := readHolder(dir)
		l.state.Mount, l.state.PID = by.Mount, by.Pid
	}
	// Without a token, and never asked anything: it names the bases.
	if l.client, err = remote.New(remote.Options{Endpoint: id.Endpoint, Offline: true}); err != nil {
		return l, err
	}
	repo, sub, err := l.client.ParseRepo(id.Repo)
	if err != nil || sub != "" {
		return l, fmt.Errorf("%s names no repo: %q", identityName, id.Repo)
	}
	l.state.Repo, l.state.Branch = repo.Path(), repo.Branch()
	store := &Store{o: Options{Dir: filepath.Dir(dir), Client: l.client, Logger: slog.New(slog.DiscardHandler)}}
	w := newWorktree(store, normal(repo))
	err = w.peruse(st)
	w.isNew = id.New && w.base == nil
	l.w = w
	return l, err
}

// peruse is replay without making good: nothing on the disk is touched.
func (w *Worktree) peruse(st *state) error {
	if err := st.disk.openFiles(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	w.replaying = true
	defer func() { w.replaying, w.planning = false, false }()
	j, err := w.read(st)
	w.dropped = nil
	if err != nil {
		return err
	}
	seqs, err := st.numbers()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	damage := j.damage(seqs)
	if errors.Is(damage, errNoJournal) {
		return damage
	}
	w.findLost(w.root, seqs, nil)
	w.lastErr = strings.Join(w.warnings, "; ")
	if damage != nil {
		return fmt.Errorf("the journal is damaged at byte %d of %d: %w", j.good, len(j.content), damage)
	}
	return nil
}
