package fs

import (
	"cmp"
	"context"
	"encoding/json"
	"os"
	"slices"
	"time"

	"github.com/hubfs/hubfs/blockcache"
	"github.com/hubfs/hubfs/commit"
	"github.com/hubfs/hubfs/remote"
)

// A Status is what .hubfs/status says, as JSON.
type Status struct {
	Version    string `json:"version"`
	PID        int    `json:"pid"`
	Mountpoint string `json:"mountpoint"`
	Endpoint   string `json:"endpoint"`
	User       string `json:"user,omitempty"` // "" = anonymous
	Repo       string `json:"repo,omitempty"` // "" = the whole Hub
	Subdir     string `json:"subdir,omitempty"`
	ReadOnly   bool   `json:"read_only,omitempty"`
	LogFile    string `json:"log_file,omitempty"`

	CommitEvery string `json:"commit_every,omitempty"` // Options.CommitEvery, as time.ParseDuration reads it
	NoCommit    bool   `json:"no_commit,omitempty"`

	Cache       blockcache.Stats `json:"cache"`
	CacheDir    string           `json:"cache_dir"`
	Requests    int64            `json:"requests"`    // sent to the Hub since the mount
	Passthrough string           `json:"passthrough"` // "yes", or why not

	Worktrees []commit.Status `json:"worktrees"`        // those in use, and those with staged work
	Errors    []string        `json:"errors,omitempty"` // the last ones that programs got, oldest first
}

// An InfoRequest is the JSON line that .hubfs/info takes.
type InfoRequest struct {
	Path string `json:"path"` // relative to the mount; "" = its root
}

// An Info is what .hubfs/info says about one path, as JSON.
type Info struct {
	Path        string `json:"path"` // relative to the mount; "" = its root
	Kind        string `json:"kind"` // "root", "namespace", "repo", "dir", "link" or "file"; "" with Error
	Repo        string `json:"repo,omitempty"`
	Revision    string `json:"revision,omitempty"`
	Commit      string `json:"commit,omitempty"`
	Blob        string `json:"blob,omitempty"` // remote.Blob.ID
	Size        int64  `json:"size"`
	Staged      bool   `json:"staged,omitempty"`
	Busy        bool   `json:"busy,omitempty"`  // staged, and open for writing
	Cached      int64  `json:"cached"`          // bytes of it on this disk
	Whole       bool   `json:"whole,omitempty"` // all of it, and verified
	Passthrough string `json:"passthrough"`     // of files: "yes" if the next open is, or why not
	Error       string `json:"error,omitempty"` // why the path cannot be shown, in the Hub's own words where it has some
}

func (m *mount) statusText(ctx context.Context) []byte {
	b, err := json.MarshalIndent(m.status(ctx), "", "  ")
	if err != nil {
		return line(err.Error())
	}
	return append(b, '\n')
}

// status makes no request, unless nobody has asked yet whose token it is; that
// is not waited for long.
func (m *mount) status(ctx context.Context) Status {
	s := Status{
		Version: m.opts.Version, PID: os.Getpid(), Mountpoint: m.dir,
		Endpoint: m.client.Endpoint(), User: m.opts.User, Subdir: m.opts.Subdir,
		ReadOnly: m.opts.ReadOnly, LogFile: m.opts.LogFile,
		Cache: m.cache.Stats(), CacheDir: m.cache.Dir(), Requests: m.client.Requests(),
		Passthrough: m.backings.state(), Errors: m.errors.all(),
		Worktrees: []commit.Status{},
	}
	if m.opts.CommitEvery > 0 {
		s.CommitEvery = m.opts.CommitEvery.String()
	}
	s.NoCommit = m.opts.NoCommit
	if m.opts.Repo != nil {
		s.Repo = m.opts.Repo.String()
	}
	if s.User == "" && !m.client.Anonymous() {
		ctx, cancel := context.WithTimeout(ctx, leftoverWait)
		if user, err := m.client.WhoAmI(ctx); err == nil {
			s.User = user.Name
		}
		cancel()
	}
	opened := map[remote.Repo]bool{}
	for _, w := range m.worktrees() {
		opened[w.Repo()] = true
		s.Worktrees = append(s.Worktrees, w.Status(ctx))
	}
	for _, repo := range m.leftovers() {
		w, err := m.leftover(ctx, repo)
		switch {
		case err != nil:
			s.Worktrees = append(s.Worktrees, commit.Status{Repo: repo.Path(), Branch: repo.Branch(), LastError: err.Error()})
		case !opened[w.Repo()]:
			s.Worktrees = append(s.Worktrees, w.Status(ctx))
		}
	}
	slices.SortFunc(s.Worktrees, func(a, b commit.Status) int {
		return cmp.Or(cmp.Compare(a.Repo, b.Repo), cmp.Compare(a.Branch, b.Branch))
	})
	return s
}

// worktrees are those in use by this mount.
func (m *mount) worktrees() []*commit.Worktree { return m.store.Opened() }

// leftovers are repos with staged work that nobody has used since the mount.
// A mount of one repo has none: they are other mounts'.
func (m *mount) leftovers() []remote.Repo {
	if m.opts.Repo != nil {
		return nil
	}
	opened := map[remote.Repo]bool{}
	for _, w := range m.worktrees() {
		opened[bare(w.Repo())] = true
	}
	var out []remote.Repo
	for _, repo := range m.store.Staged() {
		if !opened[bare(repo)] {
			out = append(out, repo)
		}
	}
	return out
}

// bare makes the two spellings of the default branch one.
func bare(repo remote.Repo) remote.Repo {
	repo.Rev = repo.Branch()
	return repo
}

// leftover opens one, unless another mount has it.
func (m *mount) leftover(ctx context.Context, repo remote.Repo) (*commit.Worktree, error) {
	ctx, cancel := context.WithTimeout(ctx, leftoverWait)
	defer cancel()
	w, err := m.store.Worktree(ctx, repo)
	if err == nil {
		m.watch(w)
	}
	return w, err
}

const leftoverWait = 3 * time.Second
