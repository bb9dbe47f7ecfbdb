package commit

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// disk is one worktree's state directory. Every effect on it goes through
// these methods, so that tests can make any of them fail or be the last.
type disk struct {
	path string   // absolute; changes only when a repo not yet created is renamed
	root *os.Root // of path: nothing is followed out of it
	hook func(op, name string) error

	// files is of files/, so that a staged file is one step away. It is set
	// before anybody else has the disk.
	files *os.Root
}

// at is where a name is looked up.
func (d *disk) at(name string) (*os.Root, string) {
	if d.files != nil {
		if rest, ok := strings.CutPrefix(name, filesName+"/"); ok {
			return d.files, rest
		}
	}
	return d.root, name
}

func (d *disk) openFiles() (err error) {
	d.files, err = d.root.OpenRoot(filesName)
	return err
}

func (d *disk) lstat(name string) (fs.FileInfo, error) {
	root, name := d.at(name)
	return root.Lstat(name)
}

func (d *disk) chtimes(name string, atime, mtime time.Time) error {
	root, name := d.at(name)
	return root.Chtimes(name, atime, mtime)
}

func openDisk(path string, hook func(op, name string) error) (*disk, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return &disk{path: path, root: root, hook: hook}, nil
}

// before gives a test the chance to let an operation fail, or to end there.
func (d *disk) before(op, name string) error {
	if d.hook == nil {
		return nil
	}
	if err := d.hook(op, name); err != nil {
		return &fs.PathError{Op: op, Path: name, Err: err}
	}
	return nil
}

func (d *disk) mkdir(name string) error {
	if err := d.before("mkdir", name); err != nil {
		return err
	}
	if err := d.root.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// create makes a file that must not exist.
func (d *disk) create(name string) (*os.File, error) {
	if err := d.before("create", name); err != nil {
		return nil, err
	}
	root, name := d.at(name)
	return root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
}

func (d *disk) open(name string, flags int) (*os.File, error) {
	root, name := d.at(name)
	return root.OpenFile(name, flags&^(os.O_CREATE|os.O_EXCL)|syscall.O_NOFOLLOW, 0)
}

func (d *disk) write(f *os.File, b []byte) (int, error) {
	if err := d.before("write", filepath.Base(f.Name())); err != nil {
		return 0, err
	}
	return f.Write(b)
}

func (d *disk) truncate(f *os.File, size int64) error {
	if err := d.before("truncate", filepath.Base(f.Name())); err != nil {
		return err
	}
	return f.Truncate(size)
}

func (d *disk) sync(f *os.File) error {
	if err := d.before("sync", filepath.Base(f.Name())); err != nil {
		return err
	}
	return f.Sync()
}

func (d *disk) syncDir(name string) error {
	f, err := d.root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return d.sync(f)
}

func (d *disk) rename(from, to string) error {
	if err := d.before("rename", to); err != nil {
		return err
	}
	return d.root.Rename(from, to)
}

func (d *disk) remove(name string) error {
	if err := d.before("remove", name); err != nil {
		return err
	}
	root, name := d.at(name)
	return root.Remove(name)
}

// replace puts a file with this content in the place of name: all of it or
// nothing, also after a power cut.
func (d *disk) replace(name string, content []byte) error {
	tmp, err := d.temporary(name, content)
	if err != nil {
		return err
	}
	if err := d.rename(tmp, name); err != nil {
		d.root.Remove(tmp)
		return err
	}
	return d.syncDir(".")
}

// temporary writes a file beside name and gives what it is called.
func (d *disk) temporary(name string, content []byte) (tmp string, err error) {
	tmp = name + ".tmp"
	if err := d.root.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	f, err := d.create(tmp)
	if err != nil {
		return "", err
	}
	_, err = d.write(f, content)
	if err == nil {
		err = d.sync(f)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		d.root.Remove(tmp)
	}
	return tmp, err
}

func (d *disk) close() error {
	if d.files != nil {
		d.files.Close()
	}
	return d.root.Close()
}
