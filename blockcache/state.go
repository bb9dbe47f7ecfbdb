package blockcache

import (
	"errors"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sync/singleflight"
)

// A blob is what all Blobs of one key and size share.
type blob struct {
	c      *Cache
	key    digest
	size   int64
	blocks int64

	whole atomic.Pointer[os.File] // verified; nil until then
	disk  atomic.Pointer[partial] // what there is before; nil if nothing is on disk

	// Guarded by Cache.mu.
	refs    int
	leaving bool          // to be closed: nobody may have it any more
	opened  chan struct{} // closed when the files of an earlier time are open
	gone    chan struct{} // closed when all of its files are

	making  singleflight.Group // of the partial file
	tooLong atomic.Bool        // for a file of this file system

	mu      sync.Mutex
	parts   []*part   // wanted, queued or running; no two live ones have a block in common
	cursors []*cursor // streams of reads, least recently used first
	waiting int       // readers that wait for a block, and Fetches
	check   *check    // the blob is being made whole
	follows bool      // a goroutine hashes behind the blocks that come
	broken  []*os.File
}

func (b *blob) id() blobID { return blobID{b.key, b.size} }

// gated reports whether the blob is on disk, but nothing of it is given out
// before all was checked. Small ones are checked in memory.
func (b *blob) gated() bool { return smallBlob < b.size && b.size <= gatedBlob }

// small reports whether the blob is fetched in one piece and checked first.
func (b *blob) small() bool { return b.size <= smallBlob }

// read copies what is on disk from off on into p, up to the first block that
// is not; 0 means that the first one is not.
func (b *blob) read(h *Blob, p []byte, off int64) int {
	if f := b.whole.Load(); f != nil {
		n, err := f.ReadAt(p, off)
		if n < len(p) && !errors.Is(err, os.ErrClosed) {
			b.demote(f, err)
		}
		return n
	}
	d := b.disk.Load()
	if d == nil || b.gated() && !d.verified.Load() {
		return 0
	}
	i := off / blockSize
	n := d.m.has(i, blocksOf(off+int64(len(p)))-i)
	if n == 0 {
		if !b.confirm(d, i) {
			return 0
		}
		n = 1
	}
	p = p[:min(int64(len(p)), (i+n)*blockSize-off)]
	if d.m.marked(i, n) {
		b.advance(h, off, off+int64(len(p)))
	}
	k, err := d.f.ReadAt(p, off)
	if k < len(p) && !errors.Is(err, os.ErrClosed) { // closed: the blob became whole, or was dropped
		b.lose(d, i, n, err)
		return 0
	}
	if k < len(p) {
		return 0
	}
	return k
}

// confirm checks block i if an earlier process left it, and reports whether
// it is right.
func (b *blob) confirm(d *partial, i int64) bool {
	s, k := d.m.at(i)
	if s == nil || !s.claim.get(k) {
		return s != nil && s.have.get(k)
	}
	if d.check(i) {
		s.have.set(k) // before the claim goes: the block is present all the time
		s.claim.clear(k)
		return true
	}
	if b.lose(d, i, 1, nil) > 0 {
		b.c.count.repaired.Add(1)
	}
	return false
}

// lose forgets n blocks of d from i, which cannot be read or are damaged, so
// that they are fetched again. It returns how many were there.
func (b *blob) lose(d *partial, i, n int64, err error) int64 {
	if err != nil {
		b.c.diskFailed("read", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if d.sealed {
		return 0 // found right as a whole; read again from the file it becomes
	}
	lost := int64(0)
	for ; n > 0; i, n = i+1, n-1 {
		if d.drop(i) {
			lost++
		}
	}
	return lost
}

// demote is for a whole file that cannot be read, or was cut by somebody: the
// blob is fetched anew. f stays open, since its owner may be using it.
func (b *blob) demote(f *os.File, err error) {
	if !b.whole.CompareAndSwap(f, nil) {
		return
	}
	b.c.diskFailed("read", err)
	b.mu.Lock()
	b.broken = append(b.broken, f)
	b.mu.Unlock()
	if b.c.dir.names(b.key.whole(), f) {
		b.c.dir.remove(b.key.whole())
	}
}

// promote makes f, the verified file, what all reads use from now on. What is
// being fetched is of no use any more.
func (b *blob) promote(f *os.File) {
	b.mu.Lock()
	if b.whole.Load() != nil {
		b.mu.Unlock()
		f.Close()
		return
	}
	b.whole.Store(f)
	d := b.disk.Swap(nil)
	wake := b.abandon(true)
	b.mu.Unlock()
	wake()
	if d != nil {
		d.discard() // its name only if it is there still: verified ones were moved
	}
	b.c.memory.drop(b)
}

// forget drops all that is on disk of a blob that is not whole. With wrong it
// is also not asked for again for a while: both at once, so that nobody who was
// told so is still served from it, and nobody begins it anew.
func (b *blob) forget(d *partial, wrong bool) {
	b.mu.Lock()
	mine := b.disk.CompareAndSwap(d, nil)
	b.cursors = nil
	if wrong {
		b.c.corrupt(b)
	}
	b.mu.Unlock()
	if mine {
		d.discard()
	}
}

// diskError returns why nothing of the blob goes to disk now, or nil.
func (b *blob) diskError() error {
	if b.tooLong.Load() {
		return syscall.EFBIG
	}
	return b.c.room.check()
}

// find returns the live part that brings block i, or nil.
func (b *blob) find(i int64) *part {
	for _, p := range b.parts {
		if p.lo <= i && i < p.hi && !p.dropped {
			return p
		}
	}
	return nil
}

// present reports whether block i needs no part. A gated blob needs all of its
// blocks on disk, wherever else some of them are.
func (b *blob) present(i int64) bool {
	d := b.disk.Load()
	return b.whole.Load() != nil || d != nil && d.there(i) || !b.gated() && b.c.memory.has(b, i)
}

// idle reports whether nothing uses the blob but its owners.
func (b *blob) idle() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.parts) == 0 && b.check == nil && !b.follows
}

// close closes all files. Nobody uses the blob any more.
func (b *blob) close() {
	if d := b.disk.Load(); d != nil {
		d.close()
	}
	if f := b.whole.Load(); f != nil {
		b.c.used(b.key.whole(), f) // it may have been open for days
		f.Close()
	}
	for _, f := range b.broken {
		f.Close()
	}
	b.c.memory.drop(b)
}

// abandon ends what is being fetched and no reader waits for; with all, also
// what one does wait for: he will look again. The returned function wakes
// those, and is called without the lock. Parts with little left run to their
// end, to keep their connection.
func (b *blob) abandon(all bool) (wake func()) {
	var woken []*waiter
	b.cursors = nil
	for _, p := range slices.Clone(b.parts) {
		if p.dropped || !all && len(p.waiters) > 0 {
			continue
		}
		if p.running && !all && p.hi-p.next <= smallBlocks {
			continue
		}
		p.dropped = true
		woken = append(woken, p.waiters...)
		p.waiters = nil
		if p.running {
			p.cancel()
		} else if b.c.sched.remove(p) {
			b.parts = slices.DeleteFunc(b.parts, func(q *part) bool { return q == p })
		}
	}
	return func() {
		for _, w := range woken {
			w.wake(nil, errAgain)
		}
	}
}
