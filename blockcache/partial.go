package blockcache

import (
	"errors"
	"hash"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
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
	rehash  bool  // a block that was hashed may have changed since; guarded by blob.mu
	failed  bool  // could not be made whole, though all is right; guarded by blob.mu
	sealed  bool  // the hash was right, it is about to be whole; guarded by blob.mu

	held     atomic.Int64  // a block that came, but is not given out before the check; or -1
	verified atomic.Bool   // the hash was right, all blocks are given out
	hashing  chan struct{} // held by the one that hashes on
	h        hash.Hash     // of the blocks before hashed
	hashed   atomic.Int64

	mu   sync.Mutex
	mapf *os.File // made with the first record

	wrote   chan struct{} // held by the one that writes to the map
	mapless bool          // the map is no longer of use; guarded by wrote
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
	p := &partial{dir: dir, key: key, f: f, name: name, m: newBlockMap(size), missing: blocksOf(size),
		wrote: make(chan struct{}, 1), hashing: make(chan struct{}, 1), h: key.hasher(size)}
	p.held.Store(-1)
	return p
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
	if p.mapless {
		return nil
	}
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
	return writeMap(f, p, lo, hi)
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

// endMap keeps parts that are about to end from making the map file once more.
func (p *partial) endMap() {
	p.wrote <- struct{}{}
	p.mapless = true
	<-p.wrote
}

// holds reports whether block i came, but is held back.
func (p *partial) holds(i int64) bool { return p != nil && p.held.Load() == i }

// there reports whether block i needs not be fetched.
func (p *partial) there(i int64) bool { return p.m.present(i) || p.held.Load() == i }

// add notes a block that has come. The last one that was missing is held back
// until the whole hash is checked: nobody reads a wrong blob to its end.
// blob.mu is held.
func (p *partial) add(i int64, crc uint32, gated bool) {
	if p.held.Load() == i {
		return
	}
	if !p.m.present(i) {
		p.missing--
	}
	if p.missing == 0 && p.held.Load() < 0 && !gated {
		p.hold(i, crc)
		return
	}
	p.m.add(i, crc)
}

func (p *partial) hold(i int64, crc uint32) {
	s, k := p.m.grow(i)
	s.crc[k].Store(crc)
	p.held.Store(i)
	p.m.drop(i)
}

// release gives out all blocks: the hash was right.
func (p *partial) release() {
	p.unhold()
	p.verified.Store(true)
}

func (p *partial) unhold() {
	if i := p.held.Load(); i >= 0 {
		s, k := p.m.at(i)
		p.m.add(i, s.crc[k].Load())
		p.held.Store(-1)
	}
}

// drop forgets block i, and reports whether it was there. blob.mu is held.
func (p *partial) drop(i int64) bool {
	held := p.held.CompareAndSwap(i, -1)
	if !p.m.drop(i) && !held {
		return false
	}
	p.missing++
	if i < p.hashed.Load() {
		p.rehash = true
	}
	return true
}

// hashNext hashes the blocks that are there from where it was, at most a buffer
// full. It returns how many; or those that are not as they were written, which
// are not hashed. The caller has p.hashing.
func (p *partial) hashNext(buf []byte) (n int64, bad []int64, err error) {
	first, all := p.hashed.Load(), blocksOf(p.m.size)
	for n < streamBlocks && first+n < all && p.there(first+n) {
		n++
	}
	if n == 0 {
		return 0, nil, nil
	}
	off := first * blockSize
	b := buf[:min(n*blockSize, p.m.size-off)]
	if k, err := p.f.ReadAt(b, off); k < len(b) {
		return 0, nil, err
	}
	for k := range n {
		s, at := p.m.at(first + k)
		if checksum(b[k*blockSize:min((k+1)*blockSize, int64(len(b)))]) != s.crc[at].Load() {
			bad = append(bad, first+k)
		}
	}
	if len(bad) > 0 {
		return 0, bad, nil
	}
	p.h.Write(b)
	p.hashed.Store(first + n)
	if end := off + int64(len(b)); end/syncEvery != off/syncEvery {
		startSync(p.f, end-end%syncEvery-syncEvery, syncEvery) // so that little is left for publish
	}
	return n, nil, nil
}

// publish makes the file the whole blob, for good, and opens it for reading.
func (p *partial) publish() (*os.File, error) {
	f, err := p.dir.publish(p.name, p.f, p.key)
	if err == nil {
		p.endMap()
		if !p.own {
			p.dir.remove(p.name + mapSuffix)
		}
	}
	return f, err
}

// discard removes the file and closes it. The map goes first: alone it is
// worth nothing, and a file without a map is begun again.
func (p *partial) discard() {
	p.endMap()
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

// sealedOrGone reports whether the map of b's file p is of no use any more.
func (p *partial) sealedOrGone(b *blob) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return p.sealed || b.disk.Load() != p
}
