package commit

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/hubfs/hubfs/blockcache"
	"github.com/hubfs/hubfs/remote"
)

var errLater = errors.New("not built yet")

// A Store owns the state directory.
type Store struct{}

func Open(ctx context.Context, o Options) (*Store, error) { return nil, errLater }
func (s *Store) Worktree(ctx context.Context, repo remote.Repo) (*Worktree, error) {
	return nil, errLater
}
func (s *Store) Create(ctx context.Context, repo remote.Repo) (*Worktree, error) {
	return nil, errLater
}
func (s *Store) Staged() []remote.Repo                                 { return nil }
func (s *Store) NewRepos(t remote.RepoType, namespace string) []string { return nil }
func (s *Store) RemoveNew(repo remote.Repo) error                      { return errLater }
func (s *Store) RenameNew(old, new remote.Repo) error                  { return errLater }
func (s *Store) Opened() []*Worktree                                   { return nil }
func (s *Store) Close() error                                          { return errLater }

// A Worktree is a base snapshot overlaid with staged changes.
type Worktree struct{}

func (w *Worktree) Repo() remote.Repo                  { return remote.Repo{} }
func (w *Worktree) Root() *Dir                         { return nil }
func (w *Worktree) Date() time.Time                    { return time.Time{} }
func (w *Worktree) BaseCommit() string                 { return "" }
func (w *Worktree) New() bool                          { return false }
func (w *Worktree) Writable(ctx context.Context) error { return errLater }
func (w *Worktree) Dirty() bool                        { return false }
func (w *Worktree) Status(ctx context.Context) Status  { return Status{} }
func (w *Worktree) Discard(path string) error          { return errLater }
func (w *Worktree) OnChange(f func([]Change))          {}
func (w *Worktree) Commit(ctx context.Context, o CommitOptions) (Result, error) {
	return Result{}, errLater
}
func (w *Worktree) Blob(ctx context.Context, e remote.Entry) (*blockcache.Blob, error) {
	return nil, errLater
}

// A Dir is one directory object for life.
type Dir struct{}

func (d *Dir) Path() string                                          { return "" }
func (d *Dir) Parent() *Dir                                          { return nil }
func (d *Dir) Name() string                                          { return "" }
func (d *Dir) Worktree() *Worktree                                   { return nil }
func (d *Dir) Lookup(ctx context.Context, name string) (Node, error) { return Node{}, errLater }
func (d *Dir) List(ctx context.Context) ([]Named, error)             { return nil, errLater }
func (d *Dir) Create(ctx context.Context, name string, perm fs.FileMode, excl bool) (*File, error) {
	return nil, errLater
}
func (d *Dir) Edit(ctx context.Context, name string, truncate bool) (*File, error) {
	return nil, errLater
}
func (d *Dir) Mkdir(ctx context.Context, name string, perm fs.FileMode) (*Dir, error) {
	return nil, errLater
}
func (d *Dir) Unlink(ctx context.Context, name string) error { return errLater }
func (d *Dir) Rmdir(ctx context.Context, name string) error  { return errLater }
func (d *Dir) Rename(ctx context.Context, name string, to *Dir, newName string, flags uint) error {
	return errLater
}
func (d *Dir) Sync(ctx context.Context) error { return errLater }

// A File is a staged file.
//
// Who opens one for writing keeps the descriptor that Open gave until the last
// use of the handle, also where the kernel writes through a registered
// descriptor of its own: that is what keeps a commit away from the file
// between the open and the kernel's own open.
type File struct{}

func (f *File) Open(flags int) (*os.File, error)     { return nil, errLater }
func (f *File) Stat() (fs.FileInfo, error)           { return nil, errLater }
func (f *File) Truncate(size int64) error            { return errLater }
func (f *File) Chmod(mode fs.FileMode) error         { return errLater }
func (f *File) Chtimes(atime, mtime time.Time) error { return errLater }
func (f *File) Sync(ctx context.Context) error       { return errLater }
func (f *File) Frozen() bool                         { return false }
func (f *File) Seq() uint64                          { return 0 }
