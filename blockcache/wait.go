package blockcache

import (
	"context"
	"errors"
	"slices"
)

// errAgain tells a waiter to look again: what it waited for has changed.
var errAgain = errors.New("look again")

// A waiter waits for one block of a part.
type waiter struct {
	i    int64
	done chan struct{} // closed when the fields below are set
	data []byte        // the block, if it is in memory only
	err  error
}

// wake is called once, by whoever takes the waiter off its part.
func (w *waiter) wake(data []byte, err error) {
	w.data, w.err = data, err
	close(w.done)
}

// await waits until the block at off can be read. It returns the number of
// bytes copied to p if that is in memory, and else 0: then it is on disk, or
// something has changed and the caller looks again.
func (b *blob) await(ctx context.Context, h *Blob, p []byte, off int64, waited *bool) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	i := off / blockSize
	b.mu.Lock()
	if err := b.refuse(); err != nil {
		b.mu.Unlock()
		return 0, err
	}
	if d := b.disk.Load(); d != nil && d.missing == 0 &&
		(d.sealed || !d.verified.Load() && (b.gated() || d.held.Load() == i)) {
		w, k := b.untilChecked(d)
		// What is given out, but cannot be read, can be when the file was moved.
		moved := d.sealed
		b.mu.Unlock()
		*waited = true
		return 0, waitEither(ctx, w, k, moved)
	}
	if data := b.c.memory.get(b, i); data != nil {
		b.mu.Unlock()
		return copy(p, data[off%blockSize:]), nil
	}
	held := b.disk.Load().holds(i)
	if b.present(i) && !b.gated() && !held || b.whole.Load() != nil { // came between the miss and the lock
		b.mu.Unlock()
		return 0, nil
	}
	if held { // until blocks that were lost since have come again, and all is checked
		b.request(h, 0, b.blocks)
	} else {
		b.plan(h, off, off+int64(len(p)))
	}
	part := b.find(i)
	if part == nil && (b.gated() || held) {
		part, i = b.live(), b.blocks // the block is there, others are missing
	}
	if part == nil { // came to memory this moment
		if held { // and cannot be checked, since the disk has not all
			b.disk.Load().unhold()
		}
		b.mu.Unlock()
		return 0, nil
	}
	w := part.join(i)
	b.waiting++
	b.mu.Unlock()
	*waited = true

	select {
	case <-w.done:
		b.mu.Lock()
		b.waiting--
		b.mu.Unlock()
	case <-ctx.Done():
		b.leave(w)
		return 0, ctx.Err()
	}
	switch {
	case w.err == errAgain:
		return 0, nil
	case w.err != nil && part.h != h && !errors.Is(w.err, ErrClosed):
		// Another owner's source failed. Ours may be allowed more, or be nearer.
		return 0, b.retry(ctx, h, off, w.err)
	case w.err != nil:
		return 0, w.err
	}
	if w.data != nil {
		return copy(p, w.data[off%blockSize:]), nil
	}
	return 0, nil
}

// untilChecked returns what somebody waits for whose bytes are all there, but
// may not be given out: the check, or first the end of a part. b.mu is held.
func (b *blob) untilChecked(d *partial) (*waiter, *check) {
	if b.check == nil {
		for _, p := range b.parts {
			if p.running && p.next < p.hi {
				return p.join(b.blocks), nil
			}
		}
		d.failed = false // the disk may take it now
		b.startCheck()
	}
	return nil, b.check
}

// waitEither waits for one of the two, or for ctx; for the check to have found
// the hash right, or with moved to its end. What it was that ended the wait the
// caller sees when he looks again.
func waitEither(ctx context.Context, w *waiter, k *check, moved bool) error {
	switch {
	case w != nil:
		w.wait(ctx)
	case k != nil:
		right := k.right
		if moved {
			right = nil
		}
		select {
		case <-right:
		case <-k.done:
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

// retry asks h's own source for the block at off, unless somebody does.
func (b *blob) retry(ctx context.Context, h *Blob, off int64, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if refused := b.refuse(); refused != nil {
		return refused
	}
	if b.find(off/blockSize) == nil {
		b.plan(h, off, off+1)
	}
	return nil
}

// refuse returns why nothing of the blob can be read now, or nil.
func (b *blob) refuse() error {
	if b.c.sched.isClosed() {
		return ErrClosed
	}
	return b.c.bad.refuse(b.id(), timeNow())
}

// unjoin takes a waiter that has given up off its part.
func (b *blob) unjoin(w *waiter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.parts {
		p.waiters = slices.DeleteFunc(p.waiters, func(q *waiter) bool { return q == w })
	}
}

// leave is for a reader that waits no more. Where none is left, and this one
// has given up on w, what was to be fetched ahead of him ends.
func (b *blob) leave(w *waiter) {
	if w != nil {
		b.unjoin(w)
	}
	b.mu.Lock()
	b.waiting--
	wake := func() {}
	if b.waiting == 0 {
		wake = b.abandon(false)
	}
	b.mu.Unlock()
	wake()
}
