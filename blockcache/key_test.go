package blockcache

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestKeys(t *testing.T) {
	h40, h64 := strings.Repeat("0a", 20), strings.Repeat("b1", 32)
	for key, want := range map[string]string{
		"sha256:" + h64: "blobs/b1/sha256-" + h64,
		"git:" + h40:    "blobs/0a/git-" + h40,
		"git:" + h64:    "blobs/b1/git-" + h64,
	} {
		d, err := parseKey(key)
		if err != nil || d.whole() != want || d.String() != key {
			t.Errorf("%s: %v %v", key, d.whole(), err)
		}
	}
	c := open(t, t.TempDir(), Options{})
	for _, key := range []string{"", ":", "sha256:", "git:", "sha256:" + h40, "sha1:" + h40, h64, "git:" + h40 + "0",
		"sha256:" + strings.ToUpper(h64), "git:" + strings.Repeat("../..", 8), "sha256:" + h64[:62] + "/.", "git:" + h40[:39] + "\x00",
		"sha256:" + h64 + ":", "sha256: " + h64[1:]} {
		if _, err := c.Blob(key, 1, nil); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%q: %v", key, err)
		}
		if _, ok := c.Whole(key, 1); ok {
			t.Errorf("%q is whole", key)
		}
	}
	if _, err := c.Blob("git:"+h40, -1, nil); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("negative size: %v", err)
	}
	if _, err := c.Blob("git:"+h40, maxSize+1, nil); !errors.Is(err, syscall.EFBIG) {
		t.Errorf("size beyond all files: %v", err)
	}
}

// All kinds of keys are verified as what they are.
func TestHashes(t *testing.T) {
	for _, size := range []int{0, 1000, 2 * mb} {
		data := content(1, size)
		git := []byte(fmt.Sprintf("blob %d\x00%s", size, data))
		h1, h2 := sha1.Sum(git), sha256.Sum256(git)
		for _, key := range []string{"git:" + hex.EncodeToString(h1[:]), "git:" + hex.EncodeToString(h2[:]), sha(data)} {
			s := &source{data: data}
			c := open(t, t.TempDir(), Options{})
			b := blobOf(t, c, key, s)
			if err := b.Fetch(t.Context()); err != nil {
				t.Fatal(err)
			}
			isWhole(t, b, data)
			d, _ := parseKey(key)
			wrong := fmt.Sprintf("%s%c%s", key[:8], "01"[(key[8]&1)^1], key[9:])
			b = blobOf(t, c, wrong, s)
			if err := b.Fetch(t.Context()); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s as %s: %v", d, wrong, err)
			}
			if _, err := b.ReadAt(t.Context(), make([]byte, 1), 0); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s as %s: %v", d, wrong, err)
			}
		}
	}
}

// A tree that lies about the size gets an error, and spoils nothing.
func TestWrongSizeInTheTree(t *testing.T) {
	c := open(t, t.TempDir(), Options{})
	s := &source{data: content(1, 3*mb)}
	for _, size := range []int64{0, 10, mb, 2 * mb, 3*mb + 1, 1 << 40, maxSize} {
		b, err := c.Blob(sha(s.data), size, s)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Fetch(t.Context()); err == nil {
			t.Errorf("fetched with size %d", size)
		}
		b.Close()
	}
	b := blobOf(t, c, sha(s.data), s)
	sequential(t, b, s.data, blockSize)
	isWhole(t, b, s.data)
	if _, ok := c.Whole(sha(s.data), 3*mb-1); ok {
		t.Error("whole with a wrong size")
	}
}

func TestDirectoryIsPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	c := open(t, dir, Options{})
	s := &source{data: content(1, 2*mb)}
	b := blobOf(t, c, sha(s.data), s)
	if _, err := b.ReadAt(t.Context(), make([]byte, 1), 0); err != nil {
		t.Fatal(err)
	}
	b.Close()
	c.Close()
	filepath.WalkDir(dir, func(path string, e fs.DirEntry, _ error) error {
		fi, err := e.Info()
		if err != nil || fi.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v %v", path, fi.Mode(), err)
		}
		return nil
	})
	tag, err := os.ReadFile(dir + "/CACHEDIR.TAG")
	if err != nil || !strings.HasPrefix(string(tag), "Signature: 8a477f597d28d172789f06886806bc55") {
		t.Errorf("%q %v", tag, err)
	}

	// A loose subdirectory is made private, a foreign one refused.
	os.Chmod(dir+"/blobs", 0o777)
	open(t, dir, Options{}).Close()
	if fi, _ := os.Stat(dir + "/blobs"); fi.Mode().Perm() != 0o700 {
		t.Errorf("blobs: %v", fi.Mode())
	}
	os.RemoveAll(dir + "/partial")
	os.Symlink("/tmp", dir+"/partial")
	if c, err := Open(dir, Options{}); err == nil {
		c.Close()
		t.Error("opened with partial as a link elsewhere")
	}
}

// A link, or anything but a file, in the place of a blob is not served.
func TestTamperedPlaces(t *testing.T) {
	for name, put := range map[string]func(path string) error{
		"link":   func(path string) error { return os.Symlink("/etc/hostname", path) },
		"fifo":   func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"folder": func(path string) error { return os.Mkdir(path, 0o700) },
		"linked folder": func(path string) error {
			os.Remove(filepath.Dir(path))
			return os.Symlink("/etc", filepath.Dir(path))
		},
	} {
		dir := t.TempDir()
		c := open(t, dir, Options{})
		s := &source{data: content(1, 700)}
		d, _ := parseKey(sha(s.data))
		path := filepath.Join(dir, d.whole())
		os.Mkdir(filepath.Dir(path), 0o700)
		if err := put(path); err != nil {
			t.Fatal(err)
		}
		if f, ok := c.Whole(sha(s.data), 700); ok {
			t.Errorf("%s: %s is served", name, f.Name())
		}
		b := blobOf(t, c, sha(s.data), s)
		sequential(t, b, s.data, 100)
	}
}

func TestReadAtIsAReaderAt(t *testing.T) {
	c := open(t, t.TempDir(), Options{})
	s := &source{data: content(1, 1000)}
	b := blobOf(t, c, sha(s.data), s)
	for _, x := range []struct {
		off int64
		n   int
		got int
		err error
	}{{0, 0, 0, nil}, {0, 1000, 1000, nil}, {999, 1, 1, nil}, {999, 2, 1, io.EOF}, {1000, 1, 0, io.EOF}, {1000, 0, 0, nil}, {5000, 1, 0, io.EOF}} {
		n, err := b.ReadAt(t.Context(), make([]byte, x.n), x.off)
		if n != x.got || err != x.err {
			t.Errorf("ReadAt(%d bytes, %d) = %d, %v", x.n, x.off, n, err)
		}
	}
	if _, err := b.ReadAt(t.Context(), nil, -1); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("negative offset: %v", err)
	}
	b.Close()
	if _, err := b.ReadAt(t.Context(), make([]byte, 1), 0); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if _, ok := b.File(); ok {
		t.Error("File after Close")
	}
}
