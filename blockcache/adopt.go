package blockcache

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Adopt takes the file at path, whose content is known to be the blob key,
// into the cache: by rename, or on another file system by a copy if there is
// room. The file at path is gone after success, and untouched after an error.
// No writer may have it open. It takes as long as a sync of the file.
func (c *Cache) Adopt(key, path string) error {
	d, err := parseKey(key)
	if err != nil {
		return err
	}
	if err := c.adopt(d, path); err != nil {
		return fmt.Errorf("adopt blob %s: %w", key, err)
	}
	return nil
}

func (c *Cache) adopt(key digest, path string) error {
	if c.sched.isClosed() {
		return ErrClosed
	}
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return &fs.PathError{Op: "open", Path: path, Err: err}
	}
	f := os.NewFile(uintptr(fd), path)
	whole, err := c.adoptFile(key, path, f)
	if whole != f {
		f.Close()
	}
	if err != nil {
		return err
	}
	c.adopted(key, whole)
	return nil
}

// adoptFile is adopt for the file f at path. It returns the blob's file, which
// is f itself if that could be moved.
func (c *Cache) adoptFile(key digest, path string, f *os.File) (*os.File, error) {
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok || !fi.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrInvalid}
	}

	// Another name of the file could be written through; then it is copied.
	if st.Nlink == 1 {
		err := c.adoptByRename(key, path, f)
		if err == nil {
			c.room.add(st.Blocks * 512)
			return f, nil
		}
		if !errors.Is(err, syscall.EXDEV) {
			return nil, err
		}
	}
	whole, err := c.adoptByCopy(key, f, st.Blocks*512)
	if err != nil {
		return nil, err
	}
	if err := c.effect("remove", path, "", func() error { return os.Remove(path) }); err != nil {
		whole.Close()
		return nil, err
	}
	return whole, nil
}

func (c *Cache) adoptByRename(key digest, path string, f *os.File) error {
	if err := c.effect("sync", path, "", func() error { return syncData(f) }); err != nil {
		return err
	}
	to := key.whole()
	sub := to[:len("blobs/ab")]
	var dir *os.File
	err := c.dir.mended(func() (err error) {
		root := c.dir.at()
		if dir, err = root.Open(sub); err == nil {
			return nil
		}
		if err = c.effect("mkdir", "", sub, func() error { return root.MkdirAll(sub, 0o700) }); err == nil {
			dir, err = root.Open(sub)
		}
		return err
	})
	if err != nil {
		return err
	}
	defer dir.Close()

	_, done := c.claim(key)
	defer done()
	err = c.effect("rename", path, to, func() error {
		return unix.Renameat(unix.AT_FDCWD, path, int(dir.Fd()), key.name())
	})
	if err == nil && !c.dir.names(to, f) { // path was something else by then
		c.dir.remove(to)
		err = unix.ENOENT
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: path, New: to, Err: err}
	}
	f.Chmod(0o400)
	if fi, err := f.Stat(); err == nil {
		c.touch(to, fi)
	}
	return nil
}

// effect does what changes the files that Adopt is about.
func (c *Cache) effect(op, from, to string, do func() error) error {
	if c.around != nil {
		return c.around(op, from, to, do)
	}
	return do()
}

func (c *Cache) adoptByCopy(key digest, f *os.File, n int64) (whole *os.File, err error) {
	if !c.reserve(n) {
		return nil, fmt.Errorf("no room for a copy: %w", errors.Join(c.room.check(), syscall.ENOSPC))
	}
	defer func() { c.room.done(n, err == nil) }()
	return c.dir.copyIn(key, f)
}

// copyIn makes a whole blob of a copy of f.
func (d *directory) copyIn(key digest, f *os.File) (whole *os.File, err error) {
	tmp, name, err := d.newTemp(key)
	if err != nil {
		return nil, err
	}
	defer tmp.Close()
	if err = copyFile(tmp, f); err == nil {
		whole, err = d.publish(name, tmp, key)
	}
	if err != nil {
		d.remove(name)
	}
	return whole, err
}

// adopted makes the blob whole, whose file f is, if somebody has it open; else
// it removes what was fetched of it.
func (c *Cache) adopted(key digest, f *os.File) {
	fi, err := f.Stat()
	if err != nil {
		f.Close()
		return
	}
	id := blobID{key, fi.Size()}
	c.mu.Lock()
	b := c.blobs[id]
	if b != nil && !b.leaving {
		b.refs++
	} else {
		b = nil
	}
	c.mu.Unlock()
	if b != nil {
		<-b.opened
		b.promote(f)
		c.release(b)
		return
	}
	f.Close()
	free, done := c.claim(key)
	defer done()
	if free {
		c.removeUnlocked(key.partial())
	}
}

// copyFile makes the empty file dst equal to src: sharing its blocks where the
// file system can, else by the kernel's own copy.
func copyFile(dst, src *os.File) error {
	if err := unix.IoctlFileClone(int(dst.Fd()), int(src.Fd())); err == nil {
		return nil
	}
	fi, err := src.Stat()
	if err != nil {
		return err
	}
	if _, err := src.Seek(0, io.SeekStart); err != nil {
		return err
	}
	n, err := io.CopyN(dst, src, fi.Size())
	if err == nil && n != fi.Size() {
		err = io.ErrUnexpectedEOF
	}
	return err
}
