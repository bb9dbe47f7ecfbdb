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
	if b.disk.Load().isSealed() { // a moment before it is whole; its bytes cannot be read
		ck := b.check
		b.mu.Unlock()
		return 0, ck.wait(ctx)
	}
	if data := b.c.memory.get(b, i); data != nil {
		b.mu.Unlock()
		return copy(p, data[off-i*blockSize:]), nil
	}
	if b.present(i) { // came between the miss and the lock
		b.mu.Unlock()
		return 0, nil
	}
	b.plan(h, off, off+int64(len(p)))
	part := b.find(i)
	if part == nil { // came to memory this moment
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
		return copy(p, w.data[off-i*blockSize:]), nil
	}
	return 0, nil
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
