package blockcache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// timeNow is when pauses are reckoned from.
var timeNow = time.Now

// A check is the work that makes a blob whole, after all of its bytes have come.
type check struct {
	done chan struct{}
	err  error
}

func newCheck() *check { return &check{done: make(chan struct{})} }

// wait returns the check's own error, or that of ctx.
func (k *check) wait(ctx context.Context) error {
	select {
	case <-k.done:
		return k.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// startCheck begins to make the blob whole if all blocks are there. b.mu is held.
func (b *blob) startCheck() {
	d := b.disk.Load()
	if b.check != nil || d == nil || d.missing > 0 || d.failed || b.writing() {
		return
	}
	k := newCheck()
	if b.c.sched.spawn(func() {
		b.settleCheck(k, b.verify(d))
		b.c.settle(b)
	}) {
		b.check = k
	}
}

func (b *blob) settleCheck(k *check, err error) {
	b.mu.Lock()
	b.check = nil
	if err == nil && b.whole.Load() == nil {
		b.startCheck() // blocks it found damaged may have come again since
	}
	b.mu.Unlock()
	k.err = err
	close(k.done)
}

// verify computes the hash of all of d, and makes it the whole blob or drops
// it. No reader waits for it. It returns nil also when damaged blocks were
// found on disk: they are missing now.
func (b *blob) verify(d *partial) error {
	c := b.c
	select {
	case c.verifying <- struct{}{}:
		defer func() { <-c.verifying }()
	case <-c.ctx.Done():
		return ErrClosed
	}
	same, bad, err := d.hash(c.ctx)
	switch {
	case c.ctx.Err() != nil:
		return ErrClosed
	case err != nil:
		if b.disk.Load() == d { // else it was adopted meanwhile, and closed
			c.diskFailed("read", err)
			b.forget(d, false)
		}
		return nil
	case len(bad) > 0:
		for _, i := range bad {
			// A reader may have found it before, and it has come again.
			if !d.check(i) && b.lose(d, i, 1, nil) > 0 {
				c.count.repaired.Add(1)
			}
		}
		return d.save(bad[0], bad[len(bad)-1]+1)
	case !same:
		b.forget(d, true)
		c.logCorrupt(b)
		return fmt.Errorf("blob %s: %w", b.key, ErrCorrupt)
	}
	c.bad.good(b.id())
	return b.publish(d)
}

// publish moves the verified file into blobs. If that fails the blocks go on
// to be served from where they are.
func (b *blob) publish(d *partial) error {
	c := b.c
	b.mu.Lock()
	if b.disk.Load() != d || d.missing > 0 || b.writing() {
		b.mu.Unlock()
		return nil // a block was found unreadable since
	}
	d.sealed = true
	b.mu.Unlock()

	f, err := d.publish()
	if errors.Is(err, fs.ErrNotExist) { // the directory was deleted under us
		if err = c.dir.restore(); err == nil {
			f, err = c.dir.copyIn(d.key, d.f) // its name is gone, its bytes are not
		}
	}
	if err != nil {
		c.diskFailed("publish", err)
		b.mu.Lock()
		d.sealed, d.failed = false, true
		b.mu.Unlock()
		return err
	}
	b.promote(f)
	return nil
}

// writing reports whether a part may still write to the file.
func (b *blob) writing() bool {
	for _, p := range b.parts {
		if p.running {
			return true
		}
	}
	return false
}
