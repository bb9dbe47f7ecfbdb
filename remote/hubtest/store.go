package hubtest

import (
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// store is the directory tree that doc.go describes.
type store struct {
	dir   string
	lock  *os.File
	trees treeCache
}

// openStore makes or takes over a store. What an earlier process left in tmp
// is gone, and no second process may use the store meanwhile.
func openStore(dir string) (*store, error) {
	for _, d := range []string{"objects/git", "objects/lfs", "objects/tree", "repos"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, err
		}
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := lock(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s is in use by another process: %w", dir, err)
	}
	s := &store{dir: dir, lock: f}
	tmp := filepath.Join(dir, "tmp")
	if err = os.RemoveAll(tmp); err == nil {
		err = os.Mkdir(tmp, 0o755)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return s, nil
}

func (s *store) close() error { return s.lock.Close() }

// secret is the key that signs content URLs, kept so that they survive a
// restart.
func (s *store) secret() ([]byte, error) {
	name := filepath.Join(s.dir, "secret")
	b, err := os.ReadFile(name)
	if err == nil && len(b) == 32 {
		return b, nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	b = make([]byte, 32)
	rand.Read(b)
	return b, s.write("secret", b)
}

// path is where the object id of kind "git", "lfs" or "tree" lies.
func (s *store) path(kind, id string) string {
	return filepath.Join(s.dir, "objects", kind, id[:2], id)
}

func (s *store) has(kind, id string) bool {
	_, err := os.Stat(s.path(kind, id))
	return err == nil
}

// write makes name (relative to the store) hold b, by rename.
func (s *store) write(name string, b []byte) error {
	f, err := os.CreateTemp(filepath.Join(s.dir, "tmp"), "w-")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return s.settle(f, err, filepath.Join(s.dir, name))
}

// settle closes the temporary file f and, unless err says that it is bad,
// renames it to its place.
func (s *store) settle(f *os.File, err error, place string) error {
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.MkdirAll(filepath.Dir(place), 0o755)
	}
	if err == nil {
		err = os.Rename(f.Name(), place)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

func (s *store) writeJSON(name string, v any) error {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return err
	}
	return s.write(name, append(b, '\n'))
}

func (s *store) readJSON(name string, v any) error {
	b, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// gitHash is git's id of an object of the given type.
func gitHash(kind string, content []byte) string {
	h := sha1.New()
	fmt.Fprintf(h, "%s %d\x00", kind, len(content))
	h.Write(content)
	return hex.EncodeToString(h.Sum(nil))
}

// putRegular keeps b as a regular file's content.
func (s *store) putRegular(b []byte) (file, error) {
	f := file{OID: gitHash("blob", b), Size: int64(len(b))}
	if s.has("git", f.OID) {
		return f, nil
	}
	rel, _ := filepath.Rel(s.dir, s.path("git", f.OID))
	return f, s.write(rel, b)
}

// pointer is the text that git holds in place of a large object.
func pointer(oid string, size int64) []byte {
	return fmt.Appendf(nil, "version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n", oid, size)
}

// largeFile is the entry of a large object.
func largeFile(oid string, size int64) file {
	p := pointer(oid, size)
	return file{OID: gitHash("blob", p), Size: size, LFS: oid, PointerSize: int64(len(p))}
}

// errMismatch is content that is not what its sender said.
var errMismatch = errors.New("content does not match its oid and size")

// putLarge streams r into the store. A want other than "" and a size other
// than -1 must come true.
func (s *store) putLarge(r io.Reader, want string, size int64) (oid string, n int64, err error) {
	f, err := os.CreateTemp(filepath.Join(s.dir, "tmp"), "lfs-")
	if err != nil {
		return "", 0, err
	}
	h := sha256.New()
	n, err = io.CopyBuffer(io.MultiWriter(onlyWriter{f}, h), r, make([]byte, 1<<20))
	oid = hex.EncodeToString(h.Sum(nil))
	if err == nil && (want != "" && oid != want || size >= 0 && n != size) {
		err = errMismatch
	}
	if err != nil {
		f.Close()
		os.Remove(f.Name())
		return "", n, err
	}
	return oid, n, s.settle(f, nil, s.path("lfs", oid))
}

// onlyWriter hides ReadFrom, so that CopyBuffer uses its buffer.
type onlyWriter struct{ io.Writer }

// open opens the content of f, large or regular.
func (s *store) open(f file) (*os.File, error) {
	if f.LFS != "" {
		return os.Open(s.path("lfs", f.LFS))
	}
	return os.Open(s.path("git", f.OID))
}

// largeSize is the size of a stored large object.
func (s *store) largeSize(oid string) (int64, error) {
	fi, err := os.Stat(s.path("lfs", oid))
	if err != nil {
		return 0, err
	}
	return fi.Size(), nil
}

// hashFile is the sha256 of all of f, in hex.
func hashFile(f *os.File) (string, error) {
	h := sha256.New()
	_, err := io.CopyBuffer(h, onlyReader{io.NewSectionReader(f, 0, 1<<62)}, make([]byte, 1<<20))
	return hex.EncodeToString(h.Sum(nil)), err
}

// onlyReader hides WriteTo, so that CopyBuffer uses its buffer.
type onlyReader struct{ io.Reader }
