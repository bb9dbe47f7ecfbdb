package commit

import (
	"errors"
	"io/fs"
	"log/slog"
	"time"

	"github.com/hubfs/hubfs/blockcache"
	"github.com/hubfs/hubfs/remote"
)

// Options say where a Store keeps its state and whom it works for.
type Options struct {
	Dir      string            // the state directory; made if missing
	Client   *remote.Client    // required
	Cache    *blockcache.Cache // required
	ReadOnly bool              // every change is refused
	// PullRequests lets changes be staged where the token may not write but may
	// open pull requests: their commits open them.
	PullRequests bool
	Private      bool                      // repos made by a commit are private unless that commit says otherwise
	MountPoint   string                    // told to processes that wait for our locks; may be ""
	Logger       *slog.Logger              // for what nobody can be told otherwise; nil = dropped
	Waiting      func(repo, holder string) // called once when another process holds a repo's lock; may be nil
}

var (
	// ErrFrozen says that a staged file can't be written any more: a commit
	// has it, or had it. Dir.Edit gives the file to write instead.
	ErrFrozen = errors.New("the file belongs to a commit")
	// ErrHeld says that an automatic commit was not made because somebody
	// should look first. An explicit commit does it.
	ErrHeld = errors.New("held until it is asked for")
)

// CommitOptions say how to commit. The zero value makes a commit with a
// generated message of everything that is not busy.
type CommitOptions struct {
	Message     string // title; "" = generated
	Description string
	Private     *bool         // of a repo that this commit creates; nil = Options.Private
	Automatic   bool          // nobody asked for this very commit: it may be held, and never creates an empty repo
	Wait        time.Duration // how long to wait for files that are open for writing
	Progress    func(Event)   // called from several goroutines, one at a time; may be nil

	// Force settles a conflict: where both sides changed a path, ours goes over
	// theirs. It also goes on where the base is gone from the Hub.
	Force bool
	// CreatePR opens a pull request on the branch instead of moving it. It
	// begins at the base, wherever the branch is: it conflicts with nothing.
	CreatePR bool
	// Branch commits to another branch of the repo, which is made from the base
	// if it is missing; "" = the worktree's own. Not with CreatePR.
	Branch string
	// Allow and Ignore choose by path what is committed, by the rules of
	// huggingface_hub: shell patterns whose "*" matches "/" too, and "dir/"
	// means all below dir. With a nil Allow all is allowed. What they leave out
	// stays staged. What is moved goes whole or not at all.
	Allow, Ignore []string
	// Split makes several commits of more than one can carry. Without it that is
	// a *TooLargeError.
	Split bool
	// ModelCard gives a new model repo without a README.md a minimal one.
	ModelCard bool
}

// A Result says what a commit did.
type Result struct {
	Commit    string   `json:"commit,omitempty"` // id of the commit made, or of the base if nothing was
	URL       string   `json:"url,omitempty"`
	Unchanged bool     `json:"unchanged,omitempty"` // there was nothing to commit
	Files     int      `json:"files"`               // paths added, changed and deleted
	Bytes     int64    `json:"bytes"`               // of the files added and changed
	Busy      []string `json:"busy,omitempty"`      // left out because they are open for writing
	Left      string   `json:"left,omitempty"`      // why an automatic commit left staged what is: this mount may not write it

	Branch      string   `json:"branch,omitempty"`       // where it went, if not to the worktree's own branch
	PullRequest string   `json:"pull_request,omitempty"` // page of the pull request that was opened
	Commits     int      `json:"commits,omitempty"`      // how many were made; Commit is the last one
	Skipped     int      `json:"skipped,omitempty"`      // paths that Allow and Ignore left staged
	Warnings    []string `json:"warnings,omitempty"`     // of the Hub, about README.md
}

// An Event is progress of a commit. Phases are "hash", "upload", "commit" and
// "done".
type Event struct {
	Phase      string `json:"phase"`
	Path       string `json:"path,omitempty"`
	Done       int64  `json:"done"`  // bytes
	Total      int64  `json:"total"` // bytes
	Files      int    `json:"files"`
	TotalFiles int    `json:"total_files"`
}

// A Status is what a worktree has to say about itself.
type Status struct {
	Repo      string       `json:"repo"`   // without revision
	Branch    string       `json:"branch"` // or other revision
	Base      string       `json:"base"`   // commit id; "" for a repo without one
	New       bool         `json:"new,omitempty"`
	ReadOnly  bool         `json:"read_only,omitempty"`
	Reason    string       `json:"reason,omitempty"` // why it is read-only
	Staged    []StagedPath `json:"staged,omitempty"` // sorted by path
	Busy      []string     `json:"busy,omitempty"`   // staged, but open for writing
	Conflicts []string     `json:"conflicts,omitempty"`
	LastError string       `json:"last_error,omitempty"`
	Gone      bool         `json:"gone,omitempty"`   // somebody removed the state directory: no later mount finds what is staged
	Hidden    int          `json:"hidden,omitempty"` // entries of the base not shown because of their names
}

// A StagedPath is one staged change. Op is "add", "change", "delete", "move"
// (of a committed file or directory; From says where it was), "link" (a symbolic
// link; Target is what it says) or "mkdir".
type StagedPath struct {
	Path   string `json:"path"`
	Op     string `json:"op"`
	Size   int64  `json:"size"`
	From   string `json:"from,omitempty"`
	Target string `json:"target,omitempty"`
	Reason string `json:"reason,omitempty"` // why a commit leaves it out, if it does
}

// A Change is a name that has come to mean something else.
type Change struct {
	Dir  *Dir
	Name string
}

// A Node is what a name means: exactly one of a directory, a staged file, a
// symbolic link, or a committed file, which is then described by Entry.
type Node struct {
	Dir   *Dir
	File  *File
	Link  *Link
	Entry remote.Entry // Path is where the content is in its commit, not where the file is shown
	Attr  Attr         // of committed files and of directories
}

// Attr are attributes that no commit keeps.
type Attr struct {
	Mtime time.Time
	Mode  fs.FileMode // permission bits
}

// Named is a Node under its name in a directory.
type Named struct {
	Name string
	Node
}
