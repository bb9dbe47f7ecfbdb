package blockcache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// maxResumes is how often a part goes on after its connection broke, if each
// time something came. Waiting between tries is the Source's affair.
const maxResumes = 3

// A part is one run of blocks that is fetched with one request.
type part struct {
	b      *blob
	h      *Blob // whose source is asked
	quick  bool  // small enough not to wait for large ones
	inBulk bool  // guarded by sched.mu

	// Guarded by blob.mu.
	lo, hi  int64 // blocks; settled when it runs
	next    int64 // first block that has not come
	waiters []*waiter
	running bool
	dropped bool // counts no more; nobody waits for it
	cancel  context.CancelFunc
}

// join makes a waiter for block i.
func (p *part) join(i int64) *waiter {
	w := &waiter{i: i, done: make(chan struct{})}
	p.waiters = append(p.waiters, w)
	return w
}

// take removes the waiters that match.
func (p *part) take(match func(*waiter) bool) (taken []*waiter) {
	p.waiters = slices.DeleteFunc(p.waiters, func(w *waiter) bool {
		if match(w) {
			taken = append(taken, w)
			return true
		}
		return false
	})
	return taken
}

// run fetches the part. It is the body of a goroutine of sched.
func (p *part) run() {
	b, c := p.b, p.b.c
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	b.mu.Lock()
	p.running, p.cancel = true, cancel
	dropped := p.dropped
	b.mu.Unlock()

	start := time.Now()
	err := errAgain
	var after func()
	if !dropped {
		if b.small() {
			after, err = p.fetchSmall(ctx)
		} else {
			err = p.fetch(ctx)
		}
	}
	n := p.finish(ctx, err)
	if err != nil {
		n = 0
	}
	c.sched.done(p, n, time.Since(start))
	if after != nil {
		after()
	}
	c.settle(b)
}

// finish takes the part off the blob, and tells those that still wait for it.
// It returns the bytes that came.
func (p *part) finish(ctx context.Context, err error) int64 {
	b, c := p.b, p.b.c
	switch {
	case err == nil || errors.Is(err, errAgain):
		err = errAgain // whoever waits still, for whatever reason, looks again
	case c.ctx.Err() != nil:
		err = ErrClosed
	case ctx.Err() != nil:
		err = errAgain
	default:
		c.count.sourceErrors.Add(1)
		err = fmt.Errorf("blob %s: %w", b.key, err)
	}
	b.mu.Lock()
	b.parts = slices.DeleteFunc(b.parts, func(q *part) bool { return q == p })
	if p.next < p.hi {
		b.retreat(p.next, p.hi)
	}
	if d := b.disk.Load(); d != nil && p.dropped && d.hashed.Load() > p.next {
		d.rehash = true // it may have written once more what was hashed
	}
	woken := p.take(func(*waiter) bool { return true })
	b.startCheck()
	n := p.came()
	b.mu.Unlock()
	for _, w := range woken {
		w.wake(nil, err)
	}
	return n
}

// retreat is for blocks that were asked for ahead of a reader and do not come:
// he will ask again when he gets there, and begins small.
func (b *blob) retreat(lo, hi int64) {
	for _, c := range b.cursors {
		if c.ahead > lo && c.pos <= hi*blockSize {
			c.ahead, c.last, c.run = lo, firstBlocks, 0
		}
	}
}

// arrived notes that all blocks before next have come. With a disk they are in
// its file; else data holds their bytes, block by block, which go straight to those who wait.
// It reports false if the part is no longer wanted.
func (p *part) arrived(d *partial, next int64, crcs []uint32, data [][]byte) bool {
	b := p.b
	b.mu.Lock()
	first := p.next
	if p.dropped || d != nil && b.disk.Load() != d {
		b.mu.Unlock()
		return false
	}
	p.next = next
	if d != nil {
		for k, crc := range crcs {
			i := first + int64(k)
			if i%markEvery == 0 || p.quick {
				d.m.setMark(i)
			}
			d.add(i, crc, b.gated())
		}
		b.follow(d)
		b.startCheck()
	}
	var woken []*waiter
	if d == nil || !b.gated() {
		woken = p.take(func(w *waiter) bool { return w.i < next })
	}
	b.mu.Unlock()
	for _, w := range woken {
		var q []byte
		if d == nil {
			q = data[w.i-first]
		}
		w.wake(q, nil)
	}
	return true
}

var errNoSource = errors.New("not in the cache, and there is no source for it")

var errTooLong = fmt.Errorf("%w: more bytes than asked for", ErrCorrupt)

// pull asks the source for the bytes [off, end) and gives the body to take, which
// reads the n bytes it is told and returns how many it got. A connection that
// breaks is resumed where it broke.
func (p *part) pull(ctx context.Context, off, end int64, take func(r io.Reader, n int64) (int64, error)) error {
	c := p.b.c
	if p.h.src == nil {
		return errNoSource
	}
	for tries := 0; ; tries++ {
		c.count.requests.Add(1)
		body, err := p.h.src.ReadRange(ctx, off, end-off)
		n := int64(0)
		if err == nil {
			n, err = take(body, end-off)
			body.Close()
			c.count.fetched.Add(n)
		}
		off += n
		if err == nil {
			return nil
		}
		if n == 0 || tries == maxResumes || ctx.Err() != nil ||
			errors.Is(err, errTooLong) || errors.Is(err, errAgain) {
			return err
		}
	}
}

// early is the error of a body that ended after some of the bytes asked for.
func early(err error) error {
	if err == io.EOF {
		return fmt.Errorf("%w: the body ended early: %w", ErrCorrupt, io.ErrUnexpectedEOF)
	}
	return err
}

// atEnd reads what must be the end of a body all of which was read.
func atEnd(r io.Reader) error {
	var one [1]byte
	for range 16 {
		n, err := r.Read(one[:])
		if n > 0 {
			return errTooLong
		}
		if err != nil {
			return nil // the end; and of an error here nothing is lost
		}
	}
	return nil
}
