package blockcache

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sync/singleflight"
	"golang.org/x/sys/unix"
)

// https://bford.info/cachedir/
const cacheTag = "Signature: 8a477f597d28d172789f06886806bc55\n" +
	"# This directory is a cache of hubfs. All of it may be deleted at any time.\n"

// A directory is the cache directory, reached by a descriptor so that nothing
// outside of it is ever touched, whatever links somebody puts in.
type directory struct {
	path string

	restoring singleflight.Group
	fresh     atomic.Bool // another one was taken, what is in it is not known

	mu   sync.RWMutex
	root *os.Root // replaced when the directory was deleted and made again
	self *os.File // the same directory, for openat2
	over bool     // closed
}

func openDirectory(path string) (*directory, error) {
	d := &directory{path: path}
	if err := d.restore(); err != nil {
		return nil, err
	}
	return d, nil
}

// restore makes the directory and all it must have, where that is missing. It
// goes over to another one that was put in its place.
func (d *directory) restore() error {
	_, err, _ := d.restoring.Do("", func() (any, error) { return nil, d.remake() })
	return err
}

// mended does do, and once more if the directory turns out to be gone and can
// be made again.
func (d *directory) mended(do func() error) error {
	err := do()
	if !gone(err) {
		return err
	}
	if err := d.restore(); err != nil {
		return err
	}
	return do()
}

// gone reports whether err may come of a directory that was deleted. ErrClosed
// does when another goroutine has just made it again.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESTALE) || errors.Is(err, fs.ErrClosed)
}

// moved reports whether the path is not the directory that is used.
func (d *directory) moved() bool {
	now, err := os.Stat(d.path)
	if err != nil {
		return gone(err)
	}
	old, err := d.stat()
	return err != nil || !os.SameFile(old, now)
}

func (d *directory) remake() error {
	if err := os.MkdirAll(d.path, 0o700); err != nil {
		return err
	}
	now, err := os.Stat(d.path)
	if err != nil {
		return err
	}
	if old, err := d.stat(); err != nil || !os.SameFile(old, now) {
		if err := d.reopen(); err != nil {
			return err
		}
	}
	for _, sub := range []string{"blobs", "partial"} {
		if err := d.own(sub); err != nil {
			return err
		}
	}
	f, err := d.at().OpenFile("CACHEDIR.TAG", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
		return err
	}
	_, err = f.WriteString(cacheTag)
	return errors.Join(err, f.Close())
}

// own makes the directory sub and sees to it that it is ours and private.
func (d *directory) own(sub string) error {
	root := d.at()
	if err := root.Mkdir(sub, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	fi, err := root.Lstat(sub)
	if err != nil {
		return err
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !fi.IsDir() || !ok || int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("%s/%s is not a directory of this user: %w", d.path, sub, fs.ErrPermission)
	}
	if fi.Mode().Perm()&0o077 != 0 {
		return root.Chmod(sub, 0o700)
	}
	return nil
}

func (d *directory) reopen() error {
	root, err := os.OpenRoot(d.path)
	if err != nil {
		return err
	}
	self, err := root.Open(".")
	if err != nil {
		root.Close()
		return err
	}
	d.mu.Lock()
	over := d.over
	if !over {
		root, d.root = d.root, root
		self, d.self = d.self, self
	}
	d.mu.Unlock()
	if over {
		return errors.Join(ErrClosed, root.Close(), self.Close())
	}
	if root != nil { // operations still under way on it keep it alive
		d.fresh.Store(true)
		root.Close()
		self.Close()
	}
	return nil
}

func (d *directory) at() *os.Root {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.root
}

func (d *directory) stat() (fs.FileInfo, error) {
	d.mu.RLock()
	self := d.self
	d.mu.RUnlock()
	if self == nil {
		return nil, fs.ErrNotExist
	}
	return self.Stat()
}

func (d *directory) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.over = true
	return errors.Join(d.self.Close(), d.root.Close())
}

// open opens a regular file, and follows no link on the way to it.
func (d *directory) open(name string, flag int) (*os.File, fs.FileInfo, error) {
	f, err := d.openNoFollow(name, flag|unix.O_NONBLOCK) // a FIFO must not hold us
	if err != nil {
		return nil, nil, err
	}
	fi, err := f.Stat()
	if err == nil && !fi.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: name, Err: unix.ELOOP}
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, fi, nil
}

func (d *directory) openNoFollow(name string, flag int) (*os.File, error) {
	d.mu.RLock()
	self, root := d.self, d.root
	d.mu.RUnlock()
	fd := -1
	err := onFD(self, func(at int) (err error) {
		fd, err = unix.Openat2(at, name, &unix.OpenHow{
			Flags:   uint64(flag | unix.O_CLOEXEC | unix.O_NOFOLLOW),
			Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS,
		})
		if err == unix.EAGAIN { // something was renamed on the way
			err = unix.EINTR
		}
		return err
	})
	switch err {
	case nil:
		return os.NewFile(uintptr(fd), d.path+"/"+name), nil
	case unix.ENOSYS, unix.EPERM: // no openat2 here, or a sandbox that does not know it
		if fi, err := root.Lstat(name); err == nil && fi.Mode()&fs.ModeSymlink != 0 {
			return nil, &fs.PathError{Op: "open", Path: name, Err: unix.ELOOP}
		}
		return root.OpenFile(name, flag, 0)
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: err}
}

// remove removes a file; one that is not there is no error.
func (d *directory) remove(name string) error {
	if err := d.at().Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// tempMark ends the blob's name in the name of a file of one process.
const tempMark = "~"

// createTemp makes a locked file of this process beside the partial ones.
func (d *directory) createTemp(key digest) (*os.File, string, error) {
	for {
		var r [8]byte
		rand.Read(r[:])
		name := key.partial() + tempMark + hex.EncodeToString(r[:])
		f, err := d.at().OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return nil, "", err
		}
		if lock(f) && d.names(name, f) {
			return f, name, nil
		}
		f.Close() // swept as a leftover before it was locked
	}
}

// newTemp is createTemp in the directory that is at the path, made again if it
// is gone.
func (d *directory) newTemp(key digest) (f *os.File, name string, err error) {
	err = d.mended(func() (err error) {
		f, name, err = d.createTemp(key)
		return err
	})
	return f, name, err
}

// names reports whether name is f still.
func (d *directory) names(name string, f *os.File) bool {
	a, err := d.at().Lstat(name)
	if err != nil {
		return false
	}
	b, err := f.Stat()
	return err == nil && os.SameFile(a, b)
}

// publish makes the file called from, which is f, a whole blob, and returns it
// opened for reading: by its name it may be evicted the next moment.
func (d *directory) publish(from string, f *os.File, key digest) (*os.File, error) {
	if err := syncData(f); err != nil {
		return nil, err
	}
	whole, fi, err := d.open(from, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	now, err := f.Stat()
	if err == nil && !os.SameFile(fi, now) {
		err = &fs.PathError{Op: "rename", Path: from, Err: fs.ErrNotExist}
	}
	if err == nil {
		err = d.install(from, f, key)
	}
	if err != nil {
		whole.Close()
		return nil, err
	}
	f.Chmod(0o400) // against accidents only
	return whole, nil
}

// install moves the file called from, which is f, to where the whole blob is
// looked for.
func (d *directory) install(from string, f *os.File, key digest) error {
	root, to := d.at(), key.whole()
	err := root.Rename(from, to)
	if errors.Is(err, fs.ErrNotExist) {
		if err := root.Mkdir(to[:len("blobs/ab")], 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		err = root.Rename(from, to)
	}
	if err != nil {
		return err
	}
	// Nobody but us uses a file that we have locked. Should somebody have put
	// another one under its name by hand, that must not stay. Another process may
	// have put the same blob there since, and none at all may be there: others
	// may have evicted it already.
	a, err := root.Lstat(to)
	if err != nil {
		return nil
	}
	if b, err := f.Stat(); (err != nil || !os.SameFile(a, b)) && !d.holds(to, key) {
		d.remove(to)
	}
	return nil
}

// holds reports whether the file called name has the content of key.
func (d *directory) holds(name string, key digest) bool {
	f, fi, err := d.open(name, os.O_RDONLY)
	if err != nil {
		return false
	}
	defer f.Close()
	h := key.hasher(fi.Size())
	_, err = io.Copy(h, f)
	return err == nil && key.is(h)
}
