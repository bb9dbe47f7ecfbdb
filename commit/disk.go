package commit

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// disk is one worktree's state directory. Every effect on it goes through
// these methods, and by them through the seam.
type disk struct {
	seam
	path string   // absolute; changes only when a repo not yet created is renamed
	root *os.Root // of path: nothing is followed out of it

	// files is of files/, so that a staged file is one step away. It is set
	// before anybody else has the disk.
	files *os.Root
}

func openDisk(path string, s seam) (*disk, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return &disk{seam: s, path: path, root: root}, nil
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

// open opens what is there; it makes nothing.
func (d *disk) open(name string, flags int) (*os.File, error) {
	if flags&os.O_TRUNC != 0 {
		// By itself: it is an effect, and allowed with O_RDONLY too.
		f, err := d.open(name, os.O_WRONLY)
		if err != nil {
			return nil, err
		}
		err = d.truncate(f, 0)
		if cerr := f.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			return nil, err
		}
	}
	root, name := d.at(name)
	return root.OpenFile(name, flags&^(os.O_CREATE|os.O_EXCL|os.O_TRUNC)|syscall.O_NOFOLLOW, 0)
}

func (d *disk) abs(name string) string {
	if name == "." {
		return d.path
	}
	return d.path + "/" + name
}

func (d *disk) mkdir(name string) error {
	return d.do(effect{op: effMkdir, name: name, path: d.abs(name)}, func() error {
		if err := d.root.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		return nil
	})
}

// mkdirNew makes a directory that must not exist.
func (d *disk) mkdirNew(name string) error {
	return d.do(effect{op: effMkdir, name: name, path: d.abs(name)}, func() error { return d.root.Mkdir(name, 0o700) })
}

// create makes a file that must not exist.
func (d *disk) create(name string) (f *os.File, err error) {
	err = d.do(effect{op: effCreate, name: name, path: d.abs(name)}, func() (err error) {
		root, name := d.at(name)
		f, err = root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		return err
	})
	return f, err
}

// write adds b at the end of f. After an error n bytes of it may be there.
func (d *disk) write(f *os.File, b []byte) (n int, err error) {
	err = d.do(effect{op: effWrite, name: filepath.Base(f.Name()), file: f, off: -1, data: b}, func() (err error) {
		n, err = f.Write(b)
		return err
	})
	return n, err
}

func (d *disk) writeAt(f *os.File, b []byte, off int64) error {
	return d.do(effect{op: effWrite, name: filepath.Base(f.Name()), file: f, off: off, data: b}, func() error {
		_, err := f.WriteAt(b, off)
		return err
	})
}

// clone copies in to the empty file out: by reference where the file system
// can, else with the kernel's help. Both are at their beginning.
func (d *disk) clone(ctx context.Context, out, in *os.File) error {
	return d.do(effect{op: effClone, name: filepath.Base(out.Name()), file: out, from: in}, func() error {
		return cloneFile(ctx, out, in)
	})
}

func (d *disk) truncate(f *os.File, size int64) error {
	return d.do(effect{op: effTruncate, name: filepath.Base(f.Name()), file: f, off: size}, func() error { return f.Truncate(size) })
}

func (d *disk) chtimes(name string, atime, mtime time.Time) error {
	return d.do(effect{op: effChtimes, name: name, path: d.abs(name)}, func() error {
		root, name := d.at(name)
		return root.Chtimes(name, atime, mtime)
	})
}

func (d *disk) sync(f *os.File) error { return d.syncFile(f) }

func (d *disk) syncDir(name string) error {
	f, err := d.root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return d.sync(f)
}

// syncParent makes the entry of the directory itself durable.
func (d *disk) syncParent() error { return d.syncDirAt(filepath.Dir(d.path)) }

func (d *disk) rename(from, to string) error {
	return d.do(effect{op: effRename, name: to, path: d.abs(from), to: d.abs(to)}, func() error { return d.root.Rename(from, to) })
}

func (d *disk) remove(name string) error {
	return d.do(effect{op: effRemove, name: name, path: d.abs(name)}, func() error {
		root, name := d.at(name)
		return root.Remove(name)
	})
}

// removeAll removes a directory with the files in it.
func (d *disk) removeAll(name string) error {
	f, err := d.root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := d.remove(name + "/" + n); err != nil {
			return err
		}
	}
	return d.remove(name)
}

// replace puts a file with this content in the place of name: all of it or
// nothing, also after a power cut. With an error that is errReplaced it cannot
// be told which.
func (d *disk) replace(name string, content []byte) error {
	tmp, err := d.temporary(name, content)
	if err != nil {
		return err
	}
	if err := d.rename(tmp, name); err != nil {
		d.remove(tmp)
		return err
	}
	if err := d.syncDir("."); err != nil {
		return errors.Join(errReplaced, err)
	}
	return nil
}

// errReplaced says that a file has been replaced, but not durably.
var errReplaced = errors.New("replaced, but not synced")

// temporary writes a file beside name, durably but for its name, and gives what
// it is called.
func (d *disk) temporary(name string, content []byte) (tmp string, err error) {
	tmp = name + ".tmp"
	if _, err := d.root.Lstat(tmp); err == nil {
		if err := d.remove(tmp); err != nil {
			return "", err
		}
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
		d.remove(tmp)
	}
	return tmp, err
}

func (d *disk) close() error {
	if d.files != nil {
		d.files.Close()
	}
	return d.root.Close()
}
