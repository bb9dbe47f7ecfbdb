package commit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

const lockName = "lock"

// A holder is what a lock file says about who has it.
type holder struct {
	Pid   int    `json:"pid"`
	Mount string `json:"mount,omitempty"`
}

func (h holder) String() string {
	if h.Mount == "" {
		return fmt.Sprintf("process %d", h.Pid)
	}
	return fmt.Sprintf("the mount at %s (process %d)", h.Mount, h.Pid)
}

// A heldError says that another process has the state and goes on using it.
type heldError struct{ by holder }

func (e *heldError) Error() string { return "in use by " + e.by.String() }

// lock takes the flock in dir, waiting while another process has it. A holder
// that still has its mount is not waited for but returned as *heldError. With
// create the directory is made; without, a missing one is fs.ErrNotExist.
// waiting is called once, before the first wait.
func (s *Store) lock(ctx context.Context, dir string, create bool, waiting func(holder)) (*os.File, error) {
	for looks := 1; ; looks++ {
		if create {
			if err := s.mkdirAt(dir); err != nil { // its parent is synced when there is something in it
				return nil, err
			}
		}
		f, err := tryLock(dir)
		if create && errors.Is(err, fs.ErrNotExist) {
			// The holder before has just removed the directory.
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			continue
		}
		if f != nil || err != nil {
			if err == nil {
				s.sign(f)
			}
			return f, err
		}
		by := readHolder(dir)
		switch held := mounted(by); {
		case held && looks >= sureLooks:
			return nil, &heldError{by}
		case held:
		case waiting != nil:
			waiting(by)
			waiting = nil
		}
		if err := s.pause(ctx, lockPoll); err != nil {
			return nil, err
		}
	}
}

// sureLooks is how often a lock must be found taken before what its file says
// of the holder counts: the file may be an earlier holder's, and the lock taken
// for a moment only by somebody who looks whether it is (locked).
const sureLooks = 3

// lockPoll is how often a lock that another process holds is tried again, and
// files that are busy are looked at again.
const lockPoll = 50 * time.Millisecond

// tryLock gives nil without an error if somebody else has the lock.
func tryLock(dir string) (*os.File, error) {
	name := filepath.Join(dir, lockName)
	for {
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
		if err != nil {
			return nil, err
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			f.Close()
			if errors.Is(err, unix.EWOULDBLOCK) {
				return nil, nil
			}
			return nil, &os.PathError{Op: "flock", Path: name, Err: err}
		}
		// The holder before may have removed the directory: then this is the
		// lock of nothing.
		mine, err := f.Stat()
		if err == nil {
			var now os.FileInfo
			if now, err = os.Lstat(name); err == nil && os.SameFile(mine, now) {
				return f, nil
			}
		}
		f.Close()
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	}
}

// sign writes who we are. It is for people, so errors don't matter.
func (s *Store) sign(f *os.File) {
	b, _ := json.Marshal(holder{Pid: os.Getpid(), Mount: s.o.MountPoint})
	f.Truncate(0)
	f.WriteAt(append(b, '\n'), 0)
}

func readHolder(dir string) (h holder) {
	f, err := os.Open(filepath.Join(dir, lockName))
	if err != nil {
		return h
	}
	defer f.Close()
	b, _ := io.ReadAll(io.LimitReader(f, 1<<16))
	json.Unmarshal(b, &h)
	return h
}

// mounted reports whether the holder's mount is still there: a process that
// has lost its mount is about to finish and worth waiting for.
func mounted(h holder) bool {
	if h.Mount == "" {
		return false
	}
	ms, err := mountinfo.GetMounts(func(i *mountinfo.Info) (skip, stop bool) {
		return i.Mountpoint != h.Mount || !strings.HasPrefix(i.FSType, "fuse"), false
	})
	return err == nil && len(ms) > 0
}

// locked reports whether a process, this one included, has the state in dir.
func locked(dir string) bool {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|unix.O_NOFOLLOW, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK)
}
