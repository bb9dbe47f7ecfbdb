package blockcache

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"
)

// Any order of reads, restarts, faults, damage and evictions gives the blob's
// bytes, or the error of the fault.
func TestModel(t *testing.T) {
	blobs := map[int][]byte{}
	sizes := []int{0, 700, smallBlob, 3*mb - 5, 9*mb + 5}
	for _, size := range sizes {
		blobs[size] = content(uint64(size), size)
	}
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "model")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		size := rapid.SampledFrom(sizes).Draw(t, "size")
		m := &model{t: t, dir: dir, s: &source{data: blobs[size]}, key: sha(blobs[size])}
		m.s.before = m.fault
		m.open()
		defer m.close()
		t.Repeat(map[string]func(*rapid.T){
			"read":    m.read,
			"read2":   m.read,
			"fetch":   m.fetch,
			"restart": func(t *rapid.T) { m.close(); m.open() },
			"damage":  m.damage,
			"evict":   func(t *rapid.T) { m.c[rapid.IntRange(0, 1).Draw(t, "cache")].evict(1 << 40) },
			"break": func(t *rapid.T) {
				m.broken.Store(rapid.Int32Range(0, 2).Draw(t, "broken"))
			},
			"repair": func(*rapid.T) { m.broken.Store(0) },
			"reopen": func(t *rapid.T) {
				k := rapid.IntRange(0, 1).Draw(t, "cache")
				m.b[k].Close()
				m.b[k], err = m.c[k].Blob(m.key, int64(len(m.s.data)), m.s)
				if err != nil {
					t.Fatal(err)
				}
			},
		})
	})
}

// A model is two caches on one directory, with one blob open in both.
type model struct {
	t      *rapid.T
	dir    string
	s      *source
	key    string
	c      [2]*Cache
	b      [2]*Blob
	broken atomic.Int32 // 1: calls fail, 2: bodies break after a while
}

func (m *model) open() {
	for k := range m.c {
		var err error
		if m.c[k], err = Open(m.dir, Options{Limit: -1, KeepFree: -1}); err != nil {
			m.t.Fatal(err)
		}
		if m.b[k], err = m.c[k].Blob(m.key, int64(len(m.s.data)), m.s); err != nil {
			m.t.Fatal(err)
		}
	}
}

func (m *model) close() {
	for k := range m.c {
		m.b[k].Close()
		m.c[k].Close()
	}
}

func (m *model) fault(_ context.Context, call int, off, n int64) (io.Reader, error) {
	switch m.broken.Load() {
	case 1:
		return nil, errNet
	case 2:
		return failing(m.s.data[off:off+n], int(n)/3, errNet), nil
	}
	return nil, nil
}

func (m *model) read(t *rapid.T) {
	b := m.b[rapid.IntRange(0, 1).Draw(t, "cache")]
	off := rapid.IntRange(0, len(m.s.data)).Draw(t, "off")
	p := make([]byte, rapid.SampledFrom([]int{0, 1, 4096, blockSize, 600e3}).Draw(t, "n"))
	n, err := b.ReadAt(context.Background(), p, int64(off))
	for errors.Is(err, errNet) && m.broken.Load() == 0 { // of a part that began before the repair
		n, err = b.ReadAt(context.Background(), p, int64(off))
	}
	if !bytes.Equal(p[:n], m.s.data[off:min(off+n, len(m.s.data))]) {
		t.Fatalf("read of %d at %d: wrong bytes", len(p), off)
	}
	switch {
	case err == nil && n == len(p):
	case err == io.EOF && n < len(p) && off+n == len(m.s.data):
	case errors.Is(err, errNet):
	default:
		t.Fatalf("read of %d at %d: %d %v", len(p), off, n, err)
	}
}

func (m *model) fetch(t *rapid.T) {
	b := m.b[rapid.IntRange(0, 1).Draw(t, "cache")]
	err := b.Fetch(context.Background())
	for errors.Is(err, errNet) && m.broken.Load() == 0 {
		err = b.Fetch(context.Background())
	}
	if err != nil {
		if !errors.Is(err, errNet) {
			t.Fatal(err)
		}
		return
	}
	f, ok := b.File()
	if !ok {
		t.Fatal("not whole after Fetch")
	}
	got, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<30))
	if err != nil || !bytes.Equal(got, m.s.data) {
		t.Fatalf("the file is not the blob: %d bytes, %v", len(got), err)
	}
}

// damage changes or removes a file, while no cache has the directory open:
// what is checked once is trusted.
func (m *model) damage(t *rapid.T) {
	m.close()
	defer m.open()
	files, _ := filepath.Glob(m.dir + "/partial/*")
	if len(files) == 0 {
		return
	}
	path := rapid.SampledFrom(files).Draw(t, "file")
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if rapid.IntRange(0, 4).Draw(t, "how") == 0 {
		os.Remove(path)
		return
	}
	if fi.Size() == 0 {
		return
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size := fi.Size()
	if !strings.HasSuffix(path, mapSuffix) {
		size = min(size, smallBlob) // where blocks are likely present
	}
	at := rapid.Int64Range(0, size-1).Draw(t, "at")
	var one [1]byte
	f.ReadAt(one[:], at)
	one[0] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
	f.WriteAt(one[:], at)
}
