package blockcache

import (
	"context"
	"errors"
	"io"
	"syscall"
)

// saveEvery is how many blocks may be lost from the map when the process is
// killed while a part streams.
const saveEvery = 16

// fetch streams the part into the blob's file, or into memory while the disk
// takes nothing.
func (p *part) fetch(ctx context.Context) error {
	b, c := p.b, p.b.c
	d, err := b.store(p)
	if err != nil {
		return err
	}
	if d == nil && b.gated() {
		return p.fetchGated(ctx)
	}
	if d == nil {
		p.shorten(memoryPart)
	}
	if d != nil {
		defer func() { c.room.done(p.size(), false); c.room.add(p.came()) }()
	}
	buf := streams.get()
	defer streams.put(buf)
	s := &filler{p: p, d: d, buf: buf, saved: p.lo}
	err = p.pull(ctx, p.lo*blockSize, min(p.hi*blockSize, b.size), s.take)
	s.save()
	return err
}

// shorten makes the part n blocks at most; the rest is asked for again.
func (p *part) shorten(n int64) {
	b := p.b
	b.mu.Lock()
	hi := p.hi
	p.hi = min(p.hi, p.lo+n)
	woken := p.take(func(w *waiter) bool { return w.i >= p.hi })
	if p.hi < hi {
		b.retreat(p.hi, hi)
	}
	b.mu.Unlock()
	for _, w := range woken {
		w.wake(nil, errAgain)
	}
}

// size returns the bytes of the part. It is running.
func (p *part) size() int64 { return min(p.hi*blockSize, p.b.size) - p.lo*blockSize }

// came returns the bytes that are there.
func (p *part) came() int64 { return min(p.next*blockSize, p.b.size) - p.lo*blockSize }

// A filler cuts a stream into blocks and stores them. Bytes lie in buf as they
// do in the blob, blocks side by side, and none is moved.
type filler struct {
	p      *part
	d      *partial // nil: to memory
	buf    []byte
	fill   int   // bytes in buf
	stored int   // bytes of these that are stored, whole blocks
	saved  int64 // first block whose record is not in the map file
}

func (s *filler) take(r io.Reader, n int64) (int64, error) {
	got := int64(0)
	for got < n {
		k, err := r.Read(s.buf[s.fill:min(int64(len(s.buf)), int64(s.fill)+n-got)])
		got += int64(k)
		s.fill += k
		if got == n {
			// The last block counts only when the body has ended where it should.
			if err := atEnd(r); err != nil {
				return got, err
			}
			return got, s.store(s.fill)
		}
		if serr := s.store(s.fill - s.fill%blockSize); serr != nil {
			return got, serr
		}
		if err != nil {
			return got, early(err)
		}
	}
	return got, nil
}

// store stores what is in the buffer up to end.
func (s *filler) store(end int) error {
	if end <= s.stored {
		return nil
	}
	p := s.p
	q := s.buf[s.stored:end]
	first := p.next // changed by this goroutine alone
	var crcs []uint32
	for rest := q; len(rest) > 0; rest = rest[min(blockSize, len(rest)):] {
		crcs = append(crcs, checksum(rest[:min(blockSize, len(rest))]))
	}
	next := first + int64(len(crcs))
	d := s.d
	if d != nil {
		if _, err := d.f.WriteAt(q, first*blockSize); err != nil {
			if p.b.disk.Load() != d {
				return errAgain // whole, or dropped, meanwhile
			}
			p.b.c.diskFailed("write", err)
			if p.b.gated() {
				return errAgain // in memory, all of it
			}
			d = nil
		}
	}
	var data [][]byte
	if d == nil {
		for k := range crcs {
			block := append([]byte(nil), q[k*blockSize:min((k+1)*blockSize, len(q))]...)
			p.b.c.memory.put(p.b, first+int64(k), block)
			data = append(data, block)
		}
	}
	if !p.arrived(d, next, crcs, data) {
		return errAgain
	}
	if s.d != nil && d == nil {
		return errAgain // the disk has just given up: what else is wanted comes in smaller parts
	}
	if next-s.saved >= saveEvery {
		s.save()
	}
	s.stored = end
	if s.fill == len(s.buf) && end == s.fill {
		s.fill, s.stored = 0, 0
	}
	return nil
}

func (s *filler) save() {
	if s.d == nil || s.d.sealedOrGone(s.p.b) {
		return
	}
	if err := s.d.save(s.saved, s.p.next); err != nil && !s.d.sealedOrGone(s.p.b) {
		s.p.b.c.diskFailed("write", err)
	}
	s.saved = s.p.next
}

// store returns the file for the part's blocks, with room for them, or nil if
// the disk takes nothing. errAgain means that the blob became whole.
func (b *blob) store(p *part) (*partial, error) {
	c := b.c
	n := p.size()
	if b.tooLong.Load() || !c.reserve(n) {
		return nil, nil
	}
	d, err := b.partialFile()
	if err != nil {
		c.room.done(n, false)
		if errors.Is(err, syscall.EFBIG) { // the others are not
			b.tooLong.Store(true)
		} else {
			c.diskFailed("create", err)
		}
		return nil, nil
	}
	if d == nil {
		c.room.done(n, false)
		return nil, errAgain
	}
	return d, nil
}

// partialFile returns the blob's file and makes it if there is none. It is nil
// if the blob is whole.
func (b *blob) partialFile() (*partial, error) {
	v, err, _ := b.making.Do("", func() (any, error) {
		if d := b.disk.Load(); d != nil || b.whole.Load() != nil { // made between the look and the flight
			return d, nil
		}
		if f := b.c.whole(b.key, b.size); f != nil { // by another process
			b.promote(f)
			return (*partial)(nil), nil
		}
		d, err := openPartial(b.c.dir, b.key, b.size)
		if err != nil {
			err = b.c.dir.mended(func() (err error) {
				d, err = createPartial(b.c.dir, b.key, b.size)
				return err
			})
		}
		if err != nil {
			return nil, err
		}
		if !b.adoptFile(d) {
			d.close()
			return (*partial)(nil), nil
		}
		return d, nil
	})
	d, _ := v.(*partial)
	return d, err
}

// adoptFile makes d the blob's file, unless the blob became whole meanwhile.
func (b *blob) adoptFile(d *partial) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.whole.Load() == nil && b.disk.CompareAndSwap(nil, d)
}
