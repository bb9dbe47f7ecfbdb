package fs

import (
	"os"
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// backings are the backing files that the kernel knows, by inode number. The
// raw file system asks here for the id of a handle that is to be passthrough.
type backings struct {
	server kernel
	ids    sync.Map // inode number → int32

	mu     sync.Mutex
	failed error // why the last registration failed; nil after one that did not
}

// kernel is the part of *fuse.Server that registers backing files.
type kernel interface {
	RegisterBackingFd(*fuse.BackingMap) (int32, syscall.Errno)
	UnregisterBackingFd(id int32) syscall.Errno
}

// id is the backing id of an inode with passthrough handles.
func (b *backings) id(ino uint64) (int32, bool) {
	v, ok := b.ids.Load(ino)
	if !ok {
		return 0, false
	}
	return v.(int32), true
}

// register makes f known. The kernel keeps its own reference, so f may be
// closed; it opens the file anew with the flags of each handle.
func (b *backings) register(f *os.File) (int32, error) {
	id, errno := b.server.RegisterBackingFd(&fuse.BackingMap{Fd: int32(f.Fd())})
	var err error
	if errno != 0 {
		err = errno
	}
	b.mu.Lock()
	b.failed = err
	b.mu.Unlock()
	return id, err
}

// state says in words whether passthrough works: "yes", or why not.
func (b *backings) state() string {
	if b.server == nil {
		return "the kernel does not offer it (it needs Linux 6.9)"
	}
	b.mu.Lock()
	err := b.failed
	b.mu.Unlock()
	switch err {
	case nil:
		return "yes"
	case syscall.EPERM:
		return "it needs CAP_SYS_ADMIN"
	case syscall.ELOOP:
		return "the files lie on a stacked file system that is too deep"
	}
	return err.Error()
}

// An ioMode counts the open handles of an inode by kind. The kernel answers an
// open with EIO if handles of both kinds are open, or passthrough handles with
// different backing files, so:
//
//   - while a passthrough handle is open, each new one is too, with the same id;
//   - while a cached handle is open, each new one is cached.
//
// The kernel drops its own count before it sends RELEASE. Ours is therefore
// never smaller, which is the safe side: a cached open too many is only slower,
// and an id is still registered.
type ioMode struct {
	mu          sync.Mutex
	cached      int
	passthrough int
	id          int32
}

// enter counts a handle in, and reports which kind it is. file opens what to
// pass through to; it is nil if the handle has to be cached unless others are
// not. A failed registration concerns this handle only.
func (io *ioMode) enter(b *backings, ino uint64, file func() (f *os.File, done func())) (passthrough bool) {
	io.mu.Lock()
	defer io.mu.Unlock()
	if io.passthrough > 0 {
		io.passthrough++
		return true
	}
	if io.cached == 0 && file != nil && b.server != nil && io.start(b, ino, file) {
		return true
	}
	io.cached++
	return false
}

// start makes the first passthrough handle of the inode. io.mu is held.
func (io *ioMode) start(b *backings, ino uint64, file func() (*os.File, func())) bool {
	f, done := file()
	if f == nil {
		return false
	}
	defer done()
	id, err := b.register(f)
	if err != nil {
		return false
	}
	io.id, io.passthrough = id, 1
	b.ids.Store(ino, id)
	return true
}

// leave counts a handle out; the last passthrough one takes the id with it.
func (io *ioMode) leave(b *backings, ino uint64, passthrough bool) {
	io.mu.Lock()
	defer io.mu.Unlock()
	if !passthrough {
		io.cached--
		return
	}
	if io.passthrough--; io.passthrough == 0 {
		b.ids.Delete(ino)
		b.server.UnregisterBackingFd(io.id)
		io.id = 0
	}
}

// offers reports whether the next handle may be passthrough.
func (io *ioMode) offers() bool {
	io.mu.Lock()
	defer io.mu.Unlock()
	return io.cached == 0
}
