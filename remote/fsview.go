package remote

import (
	"context"
	"io"
	"io/fs"
	"path"
	"time"
)

// FS is the snapshot as an fs.FS whose requests end with ctx. Files can seek
// and be read at offsets (io.Seeker, io.ReaderAt); one that is read from its
// beginning to its end has its hash checked, and ends in ErrMismatch instead of
// io.EOF if that is wrong.
func (s *Snapshot) FS(ctx context.Context) fs.FS { return fsView{ctx: ctx, s: s} }

// Open implements fs.FS, without a context: see FS.
func (s *Snapshot) Open(name string) (fs.File, error) {
	return fsView{ctx: context.Background(), s: s}.Open(name)
}

// ReadDir implements fs.ReadDirFS, without a context: see FS.
func (s *Snapshot) ReadDir(name string) ([]fs.DirEntry, error) {
	return fsView{ctx: context.Background(), s: s}.ReadDir(name)
}

// fsView holds a context because the methods of fs.FS take none.
type fsView struct {
	ctx context.Context
	s   *Snapshot
}

var (
	_ fs.ReadDirFS = fsView{}
	_ fs.StatFS    = fsView{}
)

func (v fsView) stat(op, name string) (Entry, error) {
	if !fs.ValidPath(name) {
		return Entry{}, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	if name == "." {
		name = ""
	}
	e, err := v.s.Stat(v.ctx, name)
	if err != nil {
		if p, ok := err.(*fs.PathError); ok {
			err = p.Err
		}
		return e, &fs.PathError{Op: op, Path: name, Err: err}
	}
	return e, nil
}

func (v fsView) Open(name string) (fs.File, error) {
	e, err := v.stat("open", name)
	if err != nil {
		return nil, err
	}
	if e.Dir {
		return &openDir{v: v, e: e}, nil
	}
	return newOpenFile(v, e), nil
}

func (v fsView) Stat(name string) (fs.FileInfo, error) {
	e, err := v.stat("stat", name)
	if err != nil {
		return nil, err
	}
	return fileInfo{e: e, date: v.s.date}, nil
}

func (v fsView) ReadDir(name string) ([]fs.DirEntry, error) {
	e, err := v.stat("readdir", name)
	if err != nil {
		return nil, err
	}
	entries, err := v.s.List(v.ctx, e.Path)
	if err != nil {
		return nil, err
	}
	out := make([]fs.DirEntry, len(entries))
	for i, e := range entries {
		out[i] = fs.FileInfoToDirEntry(fileInfo{e: e, date: v.s.date})
	}
	return out, nil
}

// fileInfo describes an Entry. Sys returns it.
type fileInfo struct {
	e    Entry
	date time.Time
}

func (i fileInfo) Name() string       { return i.e.Name() }
func (i fileInfo) Size() int64        { return i.e.Size }
func (i fileInfo) ModTime() time.Time { return i.date }
func (i fileInfo) IsDir() bool        { return i.e.Dir }
func (i fileInfo) Sys() any           { return i.e }
func (i fileInfo) Mode() fs.FileMode {
	if i.e.Dir {
		return fs.ModeDir | 0o755
	}
	return 0o644
}

// openDir is an open directory.
type openDir struct {
	v    fsView
	e    Entry
	rest []fs.DirEntry
	read bool
}

var _ fs.ReadDirFile = (*openDir)(nil)

func (d *openDir) Stat() (fs.FileInfo, error) { return fileInfo{e: d.e, date: d.v.s.date}, nil }
func (d *openDir) Close() error               { return nil }
func (d *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: path.Clean(d.e.Path), Err: errIsDir}
}

func (d *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if !d.read {
		all, err := d.v.ReadDir(path.Clean(d.e.Path))
		if err != nil {
			return nil, err
		}
		d.rest, d.read = all, true
	}
	if n > 0 && len(d.rest) == 0 {
		return nil, io.EOF
	}
	if n <= 0 || n > len(d.rest) {
		n = len(d.rest)
	}
	out := d.rest[:n:n]
	d.rest = d.rest[n:]
	return out, nil
}
