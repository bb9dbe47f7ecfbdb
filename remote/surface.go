package remote

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"time"
)

var errLater = errors.New("not built yet")

func ParseRepo(s string) (repo Repo, subdir string, err error) { return Repo{}, "", errLater }

var typeWords = map[string]RepoType{"models": Model, "model": Model}
var specialRef = commitPattern

func FromEnv() (Options, error) { return Options{}, errLater }

// A Client talks to one Hub.
type Client struct{}

func New(o Options) (*Client, error) { return nil, errLater }
func (c *Client) Endpoint() string   { return "" }
func (c *Client) Anonymous() bool    { return true }
func (c *Client) Requests() int64    { return 0 }
func (c *Client) CloseIdle()         {}
func (c *Client) Close() error       { return nil }
func (c *Client) ParseRepo(s string) (repo Repo, subdir string, err error) {
	return Repo{}, "", errLater
}
func (c *Client) WhoAmI(ctx context.Context) (User, error) { return User{}, errLater }
func (c *Client) MayWrite(ctx context.Context, repo Repo) (ok bool, reason string, err error) {
	return false, "", errLater
}
func (c *Client) Info(ctx context.Context, repo Repo) (Info, error)          { return Info{}, errLater }
func (c *Client) Snapshot(ctx context.Context, repo Repo) (*Snapshot, error) { return nil, errLater }
func (c *Client) SnapshotAt(repo Repo, commit string, date time.Time) *Snapshot {
	return nil
}
func (c *Client) Refs(ctx context.Context, repo Repo) (Refs, error) { return Refs{}, errLater }
func (c *Client) Repos(ctx context.Context, t RepoType, author string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) { yield(Info{}, errLater) }
}
func (c *Client) CreateRepo(ctx context.Context, repo Repo, o CreateOptions) (url string, err error) {
	return "", errLater
}
func (c *Client) Commits(ctx context.Context, repo Repo) iter.Seq2[CommitInfo, error] {
	return func(yield func(CommitInfo, error) bool) { yield(CommitInfo{}, errLater) }
}
func (c *Client) Content(repo Repo, commit string, e Entry) *Content { return nil }
func (c *Client) Preupload(ctx context.Context, repo Repo, files []PreuploadFile) ([]PreuploadMode, error) {
	return nil, errLater
}
func (c *Client) UploadLFS(ctx context.Context, repo Repo, files []LFSFile, progress func(n int64)) error {
	return errLater
}
func (c *Client) Commit(ctx context.Context, repo Repo, req CommitRequest) (CommitResult, error) {
	return CommitResult{}, errLater
}

// Content reads one file at one commit.
type Content struct{}

func (c *Content) ReadRange(ctx context.Context, off, n int64) (io.ReadCloser, error) {
	return nil, errLater
}

// A Snapshot is the tree of a repo at one commit.
type Snapshot struct{}

func (s *Snapshot) Repo() Repo                                            { return Repo{} }
func (s *Snapshot) Commit() string                                        { return "" }
func (s *Snapshot) Date() time.Time                                       { return time.Time{} }
func (s *Snapshot) Hidden() int                                           { return 0 }
func (s *Snapshot) Stat(ctx context.Context, path string) (Entry, error)  { return Entry{}, errLater }
func (s *Snapshot) List(ctx context.Context, dir string) ([]Entry, error) { return nil, errLater }
func (s *Snapshot) Walk(ctx context.Context) ([]Entry, error)             { return nil, errLater }
func (s *Snapshot) FS(ctx context.Context) fs.FS                          { return s }
func (s *Snapshot) Open(name string) (fs.File, error)                     { return nil, errLater }
func (s *Snapshot) ReadDir(name string) ([]fs.DirEntry, error)            { return nil, errLater }
