package blockcache

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// half reads every other MiB of a blob, in a cache that is closed afterwards.
func half(t testing.TB, dir string, s *source) {
	t.Helper()
	c := open(t, dir, Options{})
	b := blobOf(t, c, sha(s.data), s)
	p := make([]byte, blockSize)
	for off := int64(0); off < int64(len(s.data)); off += 2 * mb {
		if _, err := b.ReadAt(t.Context(), p, off); err != nil && err != io.EOF {
			t.Fatal(err)
		}
	}
	b.Close()
	c.Close()
}

func TestRestart(t *testing.T) {
	dir := t.TempDir()
	s := &source{data: content(1, 20*mb+5)}
	half(t, dir, s)
	had := s.bytesRead()

	c := open(t, dir, Options{})
	if st := c.Stats(); st.Partials != 1 || st.Blobs != 0 || st.Bytes < had || st.Bytes > had+64<<10 {
		t.Fatalf("kept %+v of %d bytes", st, had)
	}
	b := blobOf(t, c, sha(s.data), s)
	sequential(t, b, s.data, blockSize)
	isWhole(t, b, s.data)
	if got := s.bytesRead(); got != int64(len(s.data)) {
		t.Errorf("fetched %d of %d bytes", got, len(s.data))
	}
	b.Close()
	c.Close()

	calls := s.requests()
	c = open(t, dir, Options{})
	f, ok := c.Whole(sha(s.data), int64(len(s.data)))
	if !ok {
		t.Fatal("the whole blob is gone")
	}
	f.Close()
	b = blobOf(t, c, sha(s.data), s)
	if _, ok := b.File(); !ok {
		t.Fatal("the whole blob is not whole when it is opened")
	}
	sequential(t, b, s.data, blockSize)
	if s.requests() != calls {
		t.Error("fetched again")
	}
	if es, _ := os.ReadDir(dir + "/partial"); len(es) != 0 {
		t.Errorf("left in partial: %v", es)
	}
}

// unchecked brings all blocks of s into a cache that is closed before the check.
func unchecked(t *testing.T, dir, key string, s *source) {
	t.Helper()
	c := open(t, dir, Options{})
	c.verifying <- struct{}{}
	b := blobOf(t, c, key, s)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- b.Fetch(ctx) }()
	for b.Cached() < b.Size() {
		time.Sleep(time.Millisecond / 10) // until the last part ends
	}
	p := make([]byte, 1)
	short, stop := context.WithTimeout(t.Context(), time.Millisecond)
	defer stop()
	read := int64(0)
	for ; read < b.Size(); read++ {
		if n, _ := b.ReadAt(short, p, read); n == 0 {
			break
		}
		read += blockSize / 2
	}
	if read >= b.Size() {
		t.Error("all of it was given out before the check")
	}
	cancel()
	<-ended
	b.Close()
	c.Close()
}

// All blocks came, and the process ended before the hash was checked.
func TestRestartBeforeCheck(t *testing.T) {
	for _, size := range []int{5 * mb, 12 * mb} {
		for _, right := range []bool{true, false} {
			dir := t.TempDir()
			s := &source{data: content(1, size)}
			key := sha(s.data)
			if !right {
				s.data[mb] ^= 1
			}
			unchecked(t, dir, key, s)

			calls := s.requests()
			c := open(t, dir, Options{})
			b := blobOf(t, c, key, s)
			if err := settled(t, b); right && err != nil || !right && !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
			if _, err := b.ReadAt(t.Context(), make([]byte, 1), mb); right != (err == nil) {
				t.Fatal(err)
			}
			if s.requests() != calls {
				t.Error("fetched again")
			}
		}
	}
}

// Damage to partial files and maps costs requests, and no byte.
func TestBitFlips(t *testing.T) {
	dir := t.TempDir()
	s := &source{data: content(1, 9*mb)}
	half(t, dir, s)
	d, _ := parseKey(sha(s.data))
	file := filepath.Join(dir, d.partial())
	goodFile, _ := os.ReadFile(file)
	goodMap, err := os.ReadFile(file + mapSuffix)
	if err != nil {
		t.Fatal(err)
	}
	root, err := openDirectory(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.close()

	flips := 3000
	if testing.Short() {
		flips = 2500
	}
	r := rand.New(rand.NewPCG(3, 4))
	repaired := 0
	buf := make([]byte, blockSize)
	for k := range flips {
		where, good, at := file+mapSuffix, goodMap, r.IntN(len(goodMap))
		if k%2 == 0 {
			where, good, at = file, goodFile, r.IntN(3*blockSize)
		}
		writeByte(t, where, at, good[at]^1<<(k%8))
		p, err := openPartial(root, d, int64(len(s.data)))
		if err != nil { // the map was not accepted, and all is gone
			if where == file {
				t.Fatal(err)
			}
			os.WriteFile(file, goodFile, 0o600)
			os.WriteFile(file+mapSuffix, goodMap, 0o600)
			continue
		}
		for i := int64(0); i < blocksOf(p.m.size); i++ {
			if !p.m.present(i) {
				continue
			}
			if !p.check(i) {
				repaired++
				continue
			}
			n, err := p.f.ReadAt(buf, i*blockSize)
			if err != nil && err != io.EOF {
				t.Fatal(err)
			}
			if !bytes.Equal(buf[:n], s.data[i*blockSize:i*blockSize+int64(n)]) {
				t.Fatalf("flip %d in %s at %d: block %d is served with wrong bytes", k, where, at, i)
			}
		}
		p.close()
		writeByte(t, where, at, good[at])
	}
	if repaired < flips/3 {
		t.Errorf("only %d of %d flips were in a block that is read", repaired, flips)
	}
}

func writeByte(t *testing.T, path string, at int, b byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte{b}, int64(at)); err != nil {
		t.Fatal(err)
	}
}

// The same end to end: readers of damaged files get the right bytes.
func TestDamageIsRepaired(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, file, mapf string){
		"block":          func(t *testing.T, file, mapf string) { overwrite(t, file, 2*mb+17) },
		"record":         func(t *testing.T, file, mapf string) { overwrite(t, mapf, mapHeader+16*mapRecord) },
		"header":         func(t *testing.T, file, mapf string) { overwrite(t, mapf, 9) },
		"no map":         func(t *testing.T, file, mapf string) { os.Remove(mapf) },
		"short map":      func(t *testing.T, file, mapf string) { os.Truncate(mapf, mapHeader+5) },
		"empty map":      func(t *testing.T, file, mapf string) { os.Truncate(mapf, 0) },
		"short file":     func(t *testing.T, file, mapf string) { os.Truncate(file, mb) },
		"holes":          func(t *testing.T, file, mapf string) { os.Truncate(file, 0); os.Truncate(file, 9*mb) },
		"no file":        func(t *testing.T, file, mapf string) { os.Remove(file) },
		"map is a link":  func(t *testing.T, file, mapf string) { os.Remove(mapf); os.Symlink(file, mapf) },
		"file is a link": func(t *testing.T, file, mapf string) { os.Rename(file, file+".x"); os.Symlink(file+".x", file) },
		"file is a dir":  func(t *testing.T, file, mapf string) { os.Remove(file); os.Mkdir(file, 0o700) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := &source{data: content(1, 9*mb)}
			half(t, dir, s)
			d, _ := parseKey(sha(s.data))
			file := filepath.Join(dir, d.partial())
			damage(t, file, file+mapSuffix)
			c := open(t, dir, Options{})
			b := blobOf(t, c, sha(s.data), s)
			sequential(t, b, s.data, blockSize)
			isWhole(t, b, s.data)
			if name == "block" && c.Stats().Repaired != 1 {
				t.Errorf("repaired %d blocks", c.Stats().Repaired)
			}
		})
	}
}

// Damage that no reader came across is found before the blob is called whole.
func TestDamageIsFoundByTheWholeHash(t *testing.T) {
	for _, size := range []int{5 * mb, 12 * mb} {
		dir := t.TempDir()
		s := &source{data: content(1, size)}
		unchecked(t, dir, sha(s.data), s)
		d, _ := parseKey(sha(s.data))
		overwrite(t, filepath.Join(dir, d.partial()), 3*mb)

		c := open(t, dir, Options{})
		b := blobOf(t, c, sha(s.data), s)
		if err := b.Fetch(t.Context()); err != nil {
			t.Fatal(err)
		}
		isWhole(t, b, s.data)
		if got := s.bytesRead(); got != int64(size+blockSize) {
			t.Errorf("fetched %d bytes, want one block again", got-int64(size))
		}
	}
}

// A whole file that somebody cut is fetched anew.
func TestCutWholeFile(t *testing.T) {
	dir := t.TempDir()
	for _, size := range []int{1000, 5 * mb} {
		s := &source{data: content(uint64(size), size)}
		c := open(t, dir, Options{})
		b := blobOf(t, c, sha(s.data), s)
		if err := b.Fetch(t.Context()); err != nil {
			t.Fatal(err)
		}
		d, _ := parseKey(sha(s.data))
		os.Truncate(filepath.Join(dir, d.whole()), 100)
		sequential(t, b, s.data, blockSize)
		isWhole(t, b, s.data)
		os.Truncate(filepath.Join(dir, d.whole()), 100)
		if f, ok := c.Whole(sha(s.data), int64(size)); ok {
			f.Close()
			t.Error("a cut file is called whole")
		}
		b.Close()
		c.Close()
		c = open(t, dir, Options{})
		b = blobOf(t, c, sha(s.data), s)
		sequential(t, b, s.data, blockSize)
		isWhole(t, b, s.data)
		c.Close()
	}
}

func overwrite(t *testing.T, path string, at int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var one [1]byte
	if _, err := f.ReadAt(one[:], at); err != nil {
		t.Fatal(err)
	}
	one[0] ^= 0x40
	if _, err := f.WriteAt(one[:], at); err != nil {
		t.Fatal(err)
	}
}

// Two daemons on one directory, reading the same blobs at the same time.
func TestTwoCaches(t *testing.T) {
	dir := t.TempDir()
	s := &source{data: content(1, 20*mb)}
	small := &source{data: content(2, 1000)}
	c1, c2 := open(t, dir, Options{}), open(t, dir, Options{})
	b1, b2 := blobOf(t, c1, sha(s.data), s), blobOf(t, c2, sha(s.data), s)
	p := make([]byte, blockSize)
	for off := int64(0); off < 20*mb; off += blockSize {
		for _, b := range []*Blob{b1, b2} {
			if _, err := b.ReadAt(t.Context(), p, off); err != nil || !bytes.Equal(p, s.data[off:off+blockSize]) {
				t.Fatalf("read at %d: %v", off, err)
			}
		}
	}
	isWhole(t, b1, s.data)
	isWhole(t, b2, s.data)
	if got := s.bytesRead(); got > 2*int64(len(s.data)) {
		t.Errorf("fetched %d bytes", got)
	}
	b3, b4 := blobOf(t, c1, sha(small.data), small), blobOf(t, c2, sha(small.data), small)
	sequential(t, b3, small.data, 100)
	isWhole(t, b3, small.data)
	sequential(t, b4, small.data, 100)
	if small.requests() != 1 {
		// The second cache looked before the first one had the blob on disk;
		// its own look at the read found it.
		t.Errorf("%d requests for a blob another cache has", small.requests())
	}
	for _, c := range []*Cache{c1, c2} {
		for _, b := range []*Blob{b1, b2, b3, b4} {
			b.Close()
		}
		c.Close()
	}
	if es, _ := os.ReadDir(dir + "/partial"); len(es) != 0 {
		t.Errorf("left in partial: %v", es)
	}
}

// What a killed process leaves is used, or removed.
func TestLeftovers(t *testing.T) {
	dir := t.TempDir()
	s := &source{data: content(1, 9*mb)}
	half(t, dir, s)
	d, _ := parseKey(sha(s.data))
	os.WriteFile(filepath.Join(dir, d.partial()+tempMark+"0123456789abcdef"), s.data, 0o600)
	os.WriteFile(filepath.Join(dir, d.partial()+"0.map"), s.data, 0o600)
	had := s.bytesRead()
	c := open(t, dir, Options{})
	<-c.room.ready
	if es, _ := os.ReadDir(dir + "/partial"); len(es) != 2 {
		t.Errorf("left in partial: %v", es)
	}
	b := blobOf(t, c, sha(s.data), s)
	if err := b.Fetch(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := s.bytesRead(); got != int64(len(s.data)) || had == 0 {
		t.Errorf("fetched %d bytes, %d of them before", got, had)
	}
}
