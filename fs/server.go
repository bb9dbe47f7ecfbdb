package fs

import (
	"context"
	"errors"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// A Server is one mount while it is served.
type Server struct {
	m    *mount
	fuse *fuse.Server
	gone chan struct{} // closed when everything has ended
}

func (s *Server) serve() {
	defer close(s.gone)
	s.fuse.Serve()
	s.m.handles.closeAll()
	s.m.control.close()
	s.m.auto.close()
	s.m.notifier.close()
}

// Wait returns when the mount is gone and everything that served it has ended.
func (s *Server) Wait() { <-s.gone }

// Unmount takes the mount away and waits for its end. It fails with EBUSY
// while something is open in it.
func (s *Server) Unmount() error {
	select {
	case <-s.gone:
		return nil
	default:
	}
	err := unix.Unmount(s.m.dir, unix.UMOUNT_NOFOLLOW)
	if errors.Is(err, syscall.EPERM) {
		err = s.fuse.Unmount() // fusermount3
	}
	if err != nil && !errors.Is(err, syscall.EINVAL) { // EINVAL: not mounted any more
		return err
	}
	<-s.gone
	return nil
}

// dead reports whether the connection to the kernel has been aborted: then
// nobody waits for what is still going on. (go-fuse interrupts it all, which
// looks like a signal.)
func (m *mount) dead() bool {
	var st unix.Statfs_t
	return errors.Is(unix.Statfs(m.dir, &st), syscall.ENOTCONN)
}

// KeepStaged reports whether nothing is to be committed at the end: the unmount
// was asked for by a request with Keep, or the mount is one with NoCommit.
func (s *Server) KeepStaged() bool { return s.m.opts.NoCommit || s.m.keepStaged.Load() }

// Status is what .hubfs/status says.
func (s *Server) Status() Status { return s.m.status(context.Background()) }
