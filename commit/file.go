package commit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

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

// await keeps commits from the file until it is opened for writing, or for
// awaitTime if it is not: whoever made it is about to. False if a commit has
// it already.
func (f *File) await() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.holds > 0 || f.place != inStaging {
		return false
	}
	f.awaited = time.Now().Add(awaitTime)
	return true
}

// awaitTime is enough for the kernel to walk a path again.
const awaitTime = time.Second

// NotAwaited says of a file from Dir.Create or Dir.Edit that it is not opened for
// writing after all: a commit may have it at once.
func (f *File) NotAwaited() {
	f.mu.Lock()
	f.awaited = time.Time{}
	f.mu.Unlock()
}

// AwaitedBy keeps commits from the file for one thread, until it has Arrived:
// that others open it and close it again does not end that. False if a commit
// has the file already.
func (f *File) AwaitedBy(thread uint32) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.holds > 0 || f.place != inStaging {
		return false
	}
	if f.awaiting == nil {
		f.awaiting = make(map[uint32]time.Time)
	}
	f.awaiting[thread] = time.Now().Add(awaitTime)
	f.awaited = time.Time{}
	return true
}

// Arrived ends AwaitedBy.
func (f *File) Arrived(thread uint32) {
	f.mu.Lock()
	delete(f.awaiting, thread)
	f.mu.Unlock()
}

// isAwaited is under mu.
func (f *File) isAwaited() bool {
	now := time.Now()
	for thread, until := range f.awaiting {
		if now.Before(until) {
			return true
		}
		delete(f.awaiting, thread)
	}
	return now.Before(f.awaited)
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

// Chmod changes the permission bits. They are kept until the file is
// forgotten, and in no commit.
func (f *File) Chmod(mode fs.FileMode) error {
	w := f.w
	w.mu.Lock()
	defer w.mu.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	// Only of a file with a name: the journal may not know the others any more.
	if w.files[f.seq] == f && !w.closed {
		if err := w.append(record{Op: opMode, S: f.seq, M: uint32(mode.Perm())}); err != nil {
			return err
		}
	}
	f.mode = mode.Perm()
	f.keepAttr(func(a *Attr) { a.Mode = f.mode })
	return nil
}

// keepAttr changes what a committed file is shown with under its name. Under
// Worktree.mu and mu.
func (f *File) keepAttr(set func(*Attr)) {
	if f.retired == nil {
		return
	}
	d, name := f.retired.dir, f.retired.name
	if k, ok := d.kept[name]; ok && k.blob == f.blob.ID {
		set(&k.attr)
		d.kept[name] = k
	}
	if k := d.kids[name]; k != nil && k.ref != nil && k.ref.entry.Blob.ID == f.blob.ID {
		moved := *k // kids are replaced, never changed
		r := *k.ref
		set(&r.attr)
		moved.ref = &r
		d.kids[name] = &moved
	}
}

// Chtimes sets the times; a zero time leaves that one as it is. Of a file that
// was committed meanwhile the time of last change is kept beside it. ErrFrozen
// if it is gone.
func (f *File) Chtimes(atime, mtime time.Time) error {
	f.w.mu.Lock()
	defer f.w.mu.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.retired != nil && f.final != nil:
		if !mtime.IsZero() {
			f.final = timed{f.final, mtime}
			f.keepAttr(func(a *Attr) { a.Mtime = mtime })
		}
		return nil
	case f.place != inStaging:
		return ErrFrozen
	}
	err := f.st.disk.chtimes(f.name(), atime, mtime)
	if err == nil && f.final != nil { // a commit has looked at it already
		if st, err := f.st.disk.lstat(f.name()); err == nil {
			f.final = st
		}
	}
	return err
}

// timed is a file's description with another time of last change.
type timed struct {
	fs.FileInfo
	mtime time.Time
}

func (t timed) ModTime() time.Time { return t.mtime }

// Sync makes content and name durable: after it returned nil they survive a
// power cut.
func (f *File) Sync(ctx context.Context) error { return f.SyncBy(ctx, nil) }

// SyncBy is Sync by a descriptor of the file that was open while it was written,
// if there is one: the kernel tells each descriptor once of what it could not
// write meanwhile, and one opened after somebody was told it tells nothing.
func (f *File) SyncBy(ctx context.Context, by *os.File) error {
	f.mu.Lock()
	if f.place != inStaging {
		f.mu.Unlock()
		return nil // committed and verified, or without any name
	}
	g, err := by, error(nil)
	if g == nil {
		g, err = f.st.disk.open(f.name(), os.O_RDONLY)
	}
	durable, unlinked, failed := f.durable, f.unlinked, f.failed
	f.mu.Unlock()
	if err != nil {
		return err
	}
	if g != by {
		defer g.Close()
	}
	if failed != nil {
		return failed
	}
	if unlinked {
		return f.syncContent(g)
	}
	// Side by side: one commit of the disk's own journal may do for all three.
	// None needs another: what is there of them alone after a power cut was
	// promised to nobody.
	var all errgroup.Group
	all.Go(func() error { return f.syncContent(g) })
	if !durable {
		all.Go(f.syncName)
	}
	err = f.w.syncJournal()
	if aerr := all.Wait(); err == nil {
		err = aerr
	}
	return err
}

// syncName makes the file's name in files/ durable.
func (f *File) syncName() error {
	if err := f.st.dir.wait(); err != nil {
		return err
	}
	f.mu.Lock()
	f.durable = true
	f.mu.Unlock()
	return nil
}

// syncContent makes the bytes durable; g is a descriptor of the file.
func (f *File) syncContent(g *os.File) error {
	err := f.st.disk.sync(g)
	if err != nil {
		f.Lost(err)
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.synced = true
	return nil
}

// Lost says that something the kernel took for the file could not be written.
// It may have dropped that, and the next sync would succeed without it: so that
// and all later ones fail, until the file is emptied.
func (f *File) Lost(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failed = err
}

// outlast makes content and entry of a file durable that has no name yet.
func (f *File) outlast() error {
	g, err := f.st.disk.open(f.name(), os.O_RDONLY)
	if err != nil {
		return err
	}
	defer g.Close()
	if err := f.syncContent(g); err != nil {
		return err
	}
	return f.syncName()
}

// begin lets the disk begin to write the content, without waiting for it.
func (f *File) begin() {
	if g, err := f.st.disk.open(f.name(), os.O_RDONLY); err == nil {
		writeBack(g, 0)
		g.Close()
	}
}
