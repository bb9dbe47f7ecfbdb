package hubtest

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Import makes the files of folder dir one commit on main. Content is
// streamed; where the file system can, large files share their blocks with
// the folder (reflink), else they are hard-linked or, across file systems,
// copied. A folder whose files are hard-linked must not be written in place.
// A .git folder is left out, symbolic links are followed.
func (r *Repo) Import(dir string) (sha string, err error) {
	p := proposal{title: "Import " + filepath.Base(dir)}
	err = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == ".git" {
				return filepath.SkipDir
			}
			return nil
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		f, ok, err := r.importFile(filepath.ToSlash(rel), name)
		if ok && err == nil {
			p.changes = append(p.changes, change{path: filepath.ToSlash(rel), file: &f})
		}
		return err
	})
	if err != nil {
		return "", err
	}
	if head, ok, err := r.holds(p.changes); err != nil || ok {
		return head, err
	}
	c, err := r.push("main", p)
	return c.ID, err
}

// holds says that main has all of changes already.
func (r *Repo) holds(changes []change) (head string, ok bool, err error) {
	c, err := r.resolve(r.load(), "main")
	if err != nil {
		return "", false, nil
	}
	for _, ch := range changes {
		e, found, err := r.hub.store.lookup(c.Tree, ch.path)
		if err != nil || !found || e.file != *ch.file {
			return "", false, err
		}
	}
	return c.ID, true, nil
}

// importFile keeps the file name for path; ok is false for what is no file.
func (r *Repo) importFile(path, name string) (f file, ok bool, err error) {
	in, err := os.Open(name)
	if err != nil {
		return file{}, false, err
	}
	defer in.Close()
	fi, err := in.Stat()
	if err != nil || !fi.Mode().IsRegular() {
		return file{}, false, err
	}
	if fi.Size() < shareFrom {
		f, err = r.keep(path, fi.Size(), in)
		return f, true, err
	}
	attrs, err := r.attributes("main")
	if err != nil {
		return file{}, false, err
	}
	sample := make([]byte, sampleSize)
	if _, err := in.ReadAt(sample, 0); err != nil {
		return file{}, false, err
	}
	if !r.hub.large(attrs, path, fi.Size(), sample) {
		f, err = r.keep(path, fi.Size(), in)
		return f, true, err
	}
	f, err = r.share(in, fi.Size())
	return f, true, err
}

// shareFrom is the size from which sharing a file pays.
const shareFrom = 1 << 20

// share keeps the large file in, without a second copy of it if that can be.
func (r *Repo) share(in *os.File, size int64) (file, error) {
	oid, err := hashFile(in)
	if err != nil {
		return file{}, err
	}
	s := r.hub.store
	if !s.has("lfs", oid) {
		if err := s.link(in, s.path("lfs", oid), oid, size); err != nil {
			return file{}, err
		}
	}
	return largeFile(oid, size), r.own(oid)
}

// link makes place hold what in holds: a reflink, a hard link, or a copy.
func (s *store) link(in *os.File, place, oid string, size int64) error {
	tmp, err := os.CreateTemp(filepath.Join(s.dir, "tmp"), "import-")
	if err != nil {
		return err
	}
	if err := clone(tmp, in); err == nil {
		return s.settle(tmp, nil, place)
	}
	tmp.Close()
	os.Remove(tmp.Name())
	if err := os.MkdirAll(filepath.Dir(place), 0o755); err != nil {
		return err
	}
	if name, err := filepath.EvalSymlinks(in.Name()); err == nil && os.Link(name, place) == nil {
		return nil
	}
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, _, err = s.putLarge(in, oid, size)
	return err
}

// keepSparse keeps size zero bytes as a file of holes.
func (r *Repo) keepSparse(size int64) (file, error) {
	s := r.hub.store
	tmp, err := os.CreateTemp(filepath.Join(s.dir, "tmp"), "sparse-")
	if err != nil {
		return file{}, err
	}
	err = tmp.Truncate(size)
	oid := ""
	if err == nil {
		oid, err = hashFile(tmp)
	}
	if err != nil {
		tmp.Close()
		os.Remove(tmp.Name())
		return file{}, err
	}
	if err := s.settle(tmp, nil, s.path("lfs", oid)); err != nil {
		return file{}, err
	}
	return largeFile(oid, size), r.own(oid)
}
