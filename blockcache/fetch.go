package blockcache

import (
	"context"
	"errors"
	"fmt"
)

// Fetch brings all of the blob to disk; afterwards File is whole. It fails if
// the disk cannot take the blob, and else as ReadAt does.
func (h *Blob) Fetch(ctx context.Context) error {
	b := h.b
	if b.size == 0 {
		return b.fetchEmpty()
	}
	f := &fetch{b: b, h: h, c: cursor{start: true, run: b.size, last: partBlocks}}
	b.mu.Lock()
	b.waiting++
	b.mu.Unlock()
	defer b.leave(nil)
	for b.whole.Load() == nil {
		if h.closed.Load() {
			return ErrClosed
		}
		if err := b.diskError(); err != nil {
			return fmt.Errorf("blob %s: %w", b.key, err)
		}
		w, k, err := f.step()
		if err != nil {
			return err
		}
		switch {
		case w != nil:
			err = w.wait(ctx)
			if err != nil {
				b.unjoin(w)
			}
		case k != nil:
			err = k.wait(ctx)
		}
		if err != nil && !errors.Is(err, errAgain) {
			return err
		}
	}
	return nil
}

// wait returns what w is told, or the error of ctx.
func (w *waiter) wait(ctx context.Context) error {
	select {
	case <-w.done:
		return w.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// A fetch brings a whole blob. It is a reader with the largest window, that
// waits for parts instead of blocks.
type fetch struct {
	b *blob
	h *Blob
	c cursor
	i int64 // all blocks before it have come
}

// step asks for more and returns what to wait for: the end of a part, or of
// the work that makes the blob whole. With neither the caller looks again.
func (f *fetch) step() (*waiter, *check, error) {
	b := f.b
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.refuse(); err != nil {
		return nil, nil, err
	}
	d := b.disk.Load()
	switch {
	case b.whole.Load() != nil:
		return nil, nil, nil
	case b.check != nil && (b.small() || d != nil && d.missing == 0):
		return nil, b.check, nil
	case b.small():
		b.plan(f.h, 0, b.size)
		return b.find(0).join(0), nil, nil
	case d != nil && d.missing == 0:
		w, k := b.untilChecked(d)
		return w, k, nil
	}
	i := f.next(d)
	f.c.pos, f.c.ahead = i*blockSize, max(f.c.ahead, i)
	b.extend(f.h, &f.c, i+1)
	p := b.find(i)
	if p == nil { // it was asked for before, and did not come; or only to memory
		b.c.memory.drop(b)
		b.request(f.h, i, min(i+partBlocks, b.blocks))
		if p = b.find(i); p == nil {
			return nil, nil, nil
		}
	}
	return p.join(p.hi - 1), nil, nil
}

// next returns the first block that is not on disk, if it can from f.i on.
func (f *fetch) next(d *partial) int64 {
	if d == nil {
		f.i = 0
		return 0
	}
	for n := int64(0); n < f.b.blocks; n++ {
		if at := (f.i + n) % f.b.blocks; !d.there(at) {
			f.i = at
			return at
		}
	}
	return f.i
}

// fetchEmpty is Fetch for a blob without bytes.
func (b *blob) fetchEmpty() error {
	if b.whole.Load() != nil {
		return nil
	}
	f, err := b.c.openEmpty(b.key)
	if err != nil {
		return fmt.Errorf("blob %s: %w", b.key, err)
	}
	b.promote(f)
	return nil
}
