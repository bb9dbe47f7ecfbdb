package fs

import (
	"context"
	"errors"

	"github.com/hubfs/hubfs/blockcache"
	"github.com/hubfs/hubfs/commit"
	"github.com/hubfs/hubfs/remote"
)

// A Server is one mount while it is served.
type Server struct{}

// Mount mounts on the directory mnt. The mount is usable when it returns.
func Mount(mnt string, client *remote.Client, store *commit.Store, cache *blockcache.Cache, o Options) (*Server, error) {
	return nil, errors.ErrUnsupported
}

// Wait returns when the mount is gone and everything that served it has ended.
func (s *Server) Wait() {}

// Unmount takes the mount away; it fails with EBUSY while something is open.
func (s *Server) Unmount() error { return errors.ErrUnsupported }

// KeepStaged reports whether the unmount was asked for without commits.
func (s *Server) KeepStaged() bool { return false }

// Sync makes commits and tells events, one at a time, what happens. It
// returns the first error, after having tried everything that was asked for.
func (s *Server) Sync(ctx context.Context, req SyncRequest, events func(SyncEvent)) error {
	return errors.ErrUnsupported
}
