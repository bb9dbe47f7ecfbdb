package remote

import (
	"io"
	"time"
)

// Info is what the Hub says about a repo at a revision.
type Info struct {
	ID           string // canonical: after renames, and of one-word ids
	SHA          string // commit of the revision asked for; "" for a repo without commits
	Private      bool
	Gated        string // "", "auto" or "manual"
	Disabled     bool
	LastModified time.Time
}

// A Ref is a named commit.
type Ref struct {
	Name   string // "main"
	Ref    string // "refs/heads/main"
	Commit string
}

// Refs are the refs of a repo.
type Refs struct {
	Branches, Tags, Converts, PRs []Ref
}

// A User is who a token belongs to.
type User struct {
	Name      string
	Orgs      []Org
	TokenRole string // "read", "write", "fineGrained", …; "" if the Hub does not say
}

// An Org is an organization a user belongs to.
type Org struct {
	Name string
	Role string // "admin", "write", "contributor", "read"; "" if the Hub does not say
}

// CommitInfo is one commit of a history. The Hub gives no parents: the order
// of the list does.
type CommitInfo struct {
	ID      string
	Title   string
	Message string
	Date    time.Time
	Authors []string
}

// CreateOptions say how CreateRepo makes a repo.
type CreateOptions struct {
	Private *bool  // nil = the Hub's default for the namespace
	ExistOK bool   // an existing repo is no error
	SDK     string // of a Space, where it is required: "static", "gradio", "docker"; "" = "static"
}

// A PreuploadFile is asked about before a commit.
type PreuploadFile struct {
	Path   string
	Size   int64
	Sample []byte // the first bytes, at most 512 are sent
}

// PreuploadOptions say what a commit will be that files are asked about for.
type PreuploadOptions struct {
	CreatePR bool // it opens a pull request: the token need not be able to write
	// GitIgnore is the .gitignore that the same commit adds, nil if it adds
	// none; then the repo's own counts.
	GitIgnore []byte
}

// UploadOptions say how content is uploaded.
type UploadOptions struct {
	CreatePR bool // the commit opens a pull request: the token need not be able to write
	// Progress, if not nil, is told of bytes newly sent or found there already,
	// about a MiB at a time, from several goroutines. Bytes sent again do not
	// count, so the sum is the size of all files once the upload has succeeded.
	Progress func(n int64)
	// Done, if not nil, is told of each object that the Hub has now, or had. It
	// is called from several goroutines.
	Done func(oid string)
}

// A PreuploadMode is the Hub's answer for one PreuploadFile.
type PreuploadMode struct {
	LFS    bool   // to be uploaded as a large file, else inline in the commit
	Ignore bool   // the repo's .gitignore covers the path
	OID    string // what the path has at the revision now: Git blob id, or content SHA-256 if LFS; "" if nothing
}

// An LFSFile is content to be uploaded before a commit refers to it.
type LFSFile struct {
	OID  string // SHA-256 of the content, 64 hex digits
	Size int64
	Open func() (io.ReadSeekCloser, error) // called once for each attempt
}

// A CommitRequest is one commit.
type CommitRequest struct {
	Summary     string // title; required by the Hub
	Description string
	Parent      string // commit the branch must be at, or a pull request begins at; "" = whatever it is at
	Files       []InlineFile
	LFS         []LFSRef
	Deletes     []string // files
	DeleteDirs  []string // directories with all that is in them
	CreatePR    bool     // opens a pull request instead of moving the branch
}

// What the Hub takes in one commit. More is refused, after all of it was sent.
const (
	MaxCommitLFS     = 25_000        // LFS files
	MaxCommitPayload = 1_000_000_000 // bytes of content of all inline files
)

// An InlineFile travels in the commit itself.
type InlineFile struct {
	Path    string
	Content []byte
	Open    func() (io.ReadCloser, error) // used if not nil, instead of Content; called once for each attempt
}

// An LFSRef puts content uploaded before at a path.
type LFSRef struct {
	Path string
	OID  string // SHA-256, 64 hex digits
	Size int64
}

// A CommitResult is what a commit made.
type CommitResult struct {
	Commit      string // id
	URL         string // page of the commit
	PullRequest string // page of the pull request, if one was opened
	Number      int    // of the pull request; 0 if none was opened
}

// Ref is the revision of the pull request, "refs/pr/3"; "" if none was opened.
func (r CommitResult) Ref() string {
	if r.Number == 0 {
		return ""
	}
	return pullRef(r.Number)
}
