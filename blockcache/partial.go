package blockcache

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"sync"
)

// A partial is the sparse file of a blob that is not whole, and its map. A
// blob whose file is dropped gets another partial: a bit never outlives its
// file, even for a reader that is between testing it and reading.
type partial struct {
	dir  *directory
	key  digest
	f    *os.File
	name string
	own  bool // a file of this process alone, without a map
	m    *blockMap

	missing int64 // blocks; guarded by blob.mu
	failed  bool  // could not be made whole, though all is right; guarded by blob.mu
	sealed  bool  // the hash was right, it is about to be whole; guarded by blob.mu

	mu    sync.Mutex
	mapf  *os.File // made with the first record
	wrote chan struct{}
}

// syncEvery is how much of a file is handed to the disk at once while it is hashed.
const syncEvery = 8 << 20

var errBusy = errors.New("another process fills the partial file")

// openPartial opens what an earlier process left of the blob, if it is there
// and no other process has it now.
func openPartial(dir *directory, key digest, size int64) (*partial, error) {
	f, fi, err := dir.open(key.partial(), os.O_RDWR)
	if err != nil {
		return nil, err
	}
	if !lock(f) {
		f.Close()
		return nil, errBusy
	}
	if !dir.names(key.partial(), f) { // became whole, or was evicted, before we had the lock
		f.Close()
		return nil, errBusy
	}
	p := newPartial(dir, key, size, f, key.partial())
	if fi.Size() == size {
		if err = p.load(); err == nil {
			return p, nil
		}
	}
	// Not to be trusted: begin again.
	p.discard()
	return nil, fs.ErrNotExist
}

// createPartial makes the file of a blob of which nothing is there.
func createPartial(dir *directory, key digest, size int64) (*partial, error) {
	name := key.partial()
	f, err := dir.at().OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	own := false
	if err == nil && !(lock(f) && dir.names(name, f)) {
		f.Close()
		err = fs.ErrExist
	}
	if errors.Is(err, fs.ErrExist) {
		own = true
		f, name, err = dir.createTemp(key)
	}
	if err != nil {
		return nil, err
	}
	p := newPartial(dir, key, size, f, name)
	p.own = own
	if !own {
		dir.remove(name + mapSuffix) // of a file that was deleted by hand
	}
	if err := f.Truncate(size); err != nil {
		p.discard()
		return nil, err
	}
	return p, nil
}

func newPartial(dir *directory, key digest, size int64, f *os.File, name string) *partial {
	return &partial{dir: dir, key: key, f: f, name: name, m: newBlockMap(size),
		missing: blocksOf(size), wrote: make(chan struct{}, 1)}
}

// load reads the map that lies beside the file.
func (p *partial) load() error {
	f, _, err := p.dir.open(p.name+mapSuffix, os.O_RDWR)
	if err != nil {
		return err
	}
	n, err := readMap(f, p.key, p.m)
	if err != nil {
		f.Close()
		return err
	}
	p.mapf = f
	p.missing -= n
	return nil
}

// save writes the records of the blocks in [lo, hi).
func (p *partial) save(lo, hi int64) error {
	if p.own || lo >= hi {
		return nil
	}
	p.wrote <- struct{}{} // one at a time: the records of two parts may share a page, never a record
	defer func() { <-p.wrote }()
	p.mu.Lock()
	f := p.mapf
	p.mu.Unlock()
	if f == nil {
		var err error
		f, err = p.dir.at().OpenFile(p.name+mapSuffix, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return err
		}
		if _, err := f.WriteAt(mapHeaderOf(p.key, p.m.size), 0); err != nil {
			f.Close()
			return err
		}
		p.mu.Lock()
		p.mapf = f
		p.mu.Unlock()
	}
	return writeMap(f, p.m, lo, hi)
}

// check reads block i, which an earlier process left, and reports whether its
// bytes are the ones that were written then.
func (p *partial) check(i int64) bool {
	buf := blocks.get()
	defer blocks.put(buf)
	b := buf[:blockLen(i, p.m.size)]
	if _, err := p.f.ReadAt(b, i*blockSize); err != nil {
		return false
	}
	s, k := p.m.at(i)
	return checksum(b) == s.crc[k].Load()
}

// hash reads all of the file and reports whether it is the blob. Blocks that
// are no longer as they were written come back in bad; then same means nothing.
func (p *partial) hash(ctx context.Context) (same bool, bad []int64, err error) {
	h := p.key.hasher(p.m.size)
	buf := streams.get()
	defer streams.put(buf)
	for off := int64(0); off < p.m.size; {
		if err := ctx.Err(); err != nil {
			return false, nil, err
		}
		b := buf[:min(int64(len(buf)), p.m.size-off)]
		if n, err := p.f.ReadAt(b, off); err != nil && !(err == io.EOF && n == len(b)) {
			return false, nil, err
		}
		h.Write(b)
		for k := int64(0); k < int64(len(b)); k += blockSize {
			i := (off + k) / blockSize
			s, at := p.m.at(i)
			if checksum(b[k:min(k+blockSize, int64(len(b)))]) != s.crc[at].Load() {
				bad = append(bad, i)
			}
		}
		off += int64(len(b))
		if off%syncEvery == 0 { // so that little is left to wait for in publish
			startSync(p.f, off-syncEvery, syncEvery)
		}
	}
	return p.key.is(h), bad, nil
}

// publish makes the file the whole blob, for good, and opens it for reading.
func (p *partial) publish() (*os.File, error) {
	f, err := p.dir.publish(p.name, p.f, p.key)
	if err == nil && !p.own {
		p.dir.remove(p.name + mapSuffix)
	}
	return f, err
}

// discard removes the file and closes it. The map goes first: alone it is
// worth nothing, and a file without a map is begun again.
func (p *partial) discard() {
	if p.dir.names(p.name, p.f) {
		p.dir.remove(p.name + mapSuffix)
		p.dir.remove(p.name)
	}
	p.close()
}

// close gives up the lock. A file of this process alone is of no use to others.
func (p *partial) close() {
	if p.own && p.dir.names(p.name, p.f) {
		p.dir.remove(p.name)
	}
	p.f.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mapf != nil {
		p.mapf.Close()
	}
}

// isSealed is for the holder of blob.mu.
func (p *partial) isSealed() bool { return p != nil && p.sealed }

// sealedOrGone reports whether the map of b's file p is of no use any more.
func (p *partial) sealedOrGone(b *blob) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return p.sealed || b.disk.Load() != p
}
