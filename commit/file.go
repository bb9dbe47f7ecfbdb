package commit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/hubfs/hubfs/remote"
)

// A File is a staged file: files/<seq>, whatever it is named in the worktree.
//
// Who opens one for writing keeps the descriptor that Open gave until the last
// use of the handle, also where the kernel writes through a registered
// descriptor of its own: that is what keeps a commit away from the file
// between the open and the kernel's own open.
type File struct {
	w   *Worktree
	st  *state
	seq uint64

	mu       sync.Mutex
	mode     fs.FileMode // permission bits the user sees; on disk it is always 0600
	holds    int         // commits that have or may yet have it; > 0 = frozen
	unlinked bool        // no name leads here any more, or none has yet
	nameless bool        // none ever did: Link may give it one
	place    filePlace
	blob     remote.Blob          // when retired
	final    fs.FileInfo          // what Stat says once the file is no longer in files/
	sum      *sum                 // of the content, until it may have changed
	durable  bool                 // its name in files/ was synced
	at       int64                // moment of the journal when it was named; 0 = by an earlier process
	awaited  time.Time            // until then somebody is about to open it for writing
	awaiting map[uint32]time.Time // the same for certain threads
	retired  *retired             // set when the name has become the base's
	synced   bool                 // somebody was told that the content is durable
	failed   error                // see Lost; until the file is emptied
	copied   *copied              // set before it has a name
}

// retired is where the attributes of a committed file are kept.
type retired struct {
	dir  *Dir
	name string
}

// filePlace is where the content of a File is.
type filePlace int

const (
	inStaging filePlace = iota
	inCache             // retired: the blob cache has it, if anything has
	nowhere             // unlinked and unused
)

// Seq is the file's number, unique in its worktree.
func (f *File) Seq() uint64 { return f.seq }

// Worktree is the one the file was staged in.
func (f *File) Worktree() *Worktree { return f.w }

func (f *File) name() string { return seqName(f.seq) }

func seqName(seq uint64) string { return filesName + "/" + strconv.FormatUint(seq, 10) }

const filesName = "files"

// Open gives a descriptor of its own, to be closed by the caller. flags are
// those of open(2); creation flags are ignored. For writing it fails with
// ErrFrozen once a commit has the file. A file that was committed is read
// from the cache; ErrFrozen if it is not there.
func (f *File) Open(flags int) (*os.File, error) {
	writes := flags&(os.O_WRONLY|os.O_RDWR|os.O_TRUNC) != 0
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case writes && (f.holds > 0 || f.place != inStaging):
		return nil, ErrFrozen
	case f.place == inStaging:
		// Under mu, so that a commit that freezes the file after this sees the
		// descriptor.
		g, err := f.st.disk.open(f.name(), flags)
		if err == nil && writes {
			f.sum, f.awaited = nil, time.Time{} // the descriptor says it from now on
			if flags&os.O_TRUNC != 0 {
				f.failed = nil
			}
		}
		if errors.Is(err, fs.ErrNotExist) && f.final != nil {
			return f.cached() // being moved there just now
		}
		return g, err
	case f.place == inCache:
		return f.cached()
	}
	return nil, fmt.Errorf("file %d: %w", f.seq, fs.ErrNotExist)
}

func (f *File) cached() (*os.File, error) {
	if g, ok := f.w.s.o.Cache.Whole(f.blob.ID, f.final.Size()); ok {
		return g, nil
	}
	return nil, ErrFrozen
}

// Frozen reports whether a commit has the file, so that it can't be written.
func (f *File) Frozen() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.holds > 0 || f.place != inStaging
}

// Stat describes the file as the user sees it; Sys is a *syscall.Stat_t.
func (f *File) Stat() (fs.FileInfo, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stat()
}

func (f *File) stat() (fs.FileInfo, error) {
	if f.place != inStaging {
		if f.final == nil {
			return nil, fmt.Errorf("file %d: %w", f.seq, fs.ErrNotExist)
		}
		return fileInfo{f.final, f.mode, f.unlinked}, nil
	}
	st, err := f.st.disk.lstat(f.name())
	if errors.Is(err, fs.ErrNotExist) && f.final != nil {
		st, err = f.final, nil // being moved into the cache just now
	}
	if err != nil {
		return nil, err
	}
	return fileInfo{st, f.mode, f.unlinked}, nil
}

// fileInfo is a file of the disk with the user's mode.
type fileInfo struct {
	fs.FileInfo
	mode     fs.FileMode
	unlinked bool
}

func (i fileInfo) Mode() fs.FileMode { return i.mode.Perm() }

func (i fileInfo) Sys() any {
	st, ok := i.FileInfo.Sys().(*syscall.Stat_t)
	if !ok {
		return i.FileInfo.Sys()
	}
	own := *st
	own.Mode = syscall.S_IFREG | uint32(i.mode.Perm())
	if i.unlinked {
		own.Nlink = 0
	}
	return &own
}

// Truncate changes the size. ErrFrozen once a commit has the file.
func (f *File) Truncate(size int64) error {
	g, err := f.Open(os.O_WRONLY)
	if err != nil {
		return err
	}
	err = f.TruncateBy(g, size)
	if cerr := g.Close(); err == nil {
		err = cerr
	}
	return err
}

// TruncateBy changes the size by an open descriptor of the file for writing.
func (f *File) TruncateBy(g *os.File, size int64) error {
	err := f.st.disk.truncate(g, size)
	if err == nil && size == 0 {
		f.mu.Lock()
		f.failed = nil
		f.mu.Unlock()
	}
	return err
}
