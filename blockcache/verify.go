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
	right chan struct{} // closed when the hash was right, before the file is synced and moved
	done  chan struct{}
	err   error
}

func newCheck() *check { return &check{right: make(chan struct{}), done: make(chan struct{})} }

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
		b.settleCheck(k, b.verify(d, k))
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

// verify computes the rest of d's hash, and makes it the whole blob or drops
// it. It returns nil also when damaged blocks were found on disk: they are
// missing now.
func (b *blob) verify(d *partial, k *check) error {
	c := b.c
	select {
	case d.hashing <- struct{}{}:
		defer func() { <-d.hashing }()
	case <-c.ctx.Done():
		return ErrClosed
	}
	bad, err := b.hashOn(d)
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
		return b.repair(d, bad)
	case d.hashed.Load() < b.blocks:
		return nil // something was lost meanwhile
	case !d.key.is(d.h):
		b.forget(d, true)
		c.logCorrupt(b)
		return fmt.Errorf("blob %s: %w", b.key, ErrCorrupt)
	}
	c.bad.good(b.id())
	return b.publish(d, k)
}

// hashOn hashes as far as blocks have come. The caller has d.hashing.
func (b *blob) hashOn(d *partial) (bad []int64, err error) {
	buf := streams.get()
	defer streams.put(buf)
	for {
		b.mu.Lock()
		if d.rehash {
			d.rehash = false
			d.h = d.key.hasher(b.size)
			d.hashed.Store(0)
		}
		b.mu.Unlock()
		select {
		case b.c.verifying <- struct{}{}:
		case <-b.c.ctx.Done():
			return nil, b.c.ctx.Err()
		}
		n, bad, err := d.hashNext(buf)
		<-b.c.verifying
		if n == 0 {
			return bad, err
		}
	}
}

// repair forgets blocks that are not as they were written.
func (b *blob) repair(d *partial, bad []int64) error {
	for _, i := range bad {
		if d.check(i) || b.lose(d, i, 1, nil) == 0 {
			continue // a reader had found it before, and it has come again
		}
		if d.check(i) { // the same, between the look and the loss
			b.mu.Lock()
			s, k := d.m.at(i)
			d.add(i, s.crc[k].Load(), b.gated())
			b.startCheck()
			b.mu.Unlock()
			continue
		}
		b.c.count.repaired.Add(1)
	}
	return d.save(bad[0], bad[len(bad)-1]+1)
}

// follow hashes behind the blocks that come, so that little is left to hash
// when the last one does. b.mu is held.
func (b *blob) follow(d *partial) {
	if b.follows || b.gated() || !d.there(d.hashed.Load()) {
		return
	}
	b.follows = b.c.sched.spawn(func() {
		var bad []int64
		var err error
		select {
		case d.hashing <- struct{}{}:
			bad, err = b.hashOn(d)
			<-d.hashing
		default: // the check does it
		}
		if len(bad) > 0 {
			b.repair(d, bad)
		}
		b.mu.Lock()
		b.follows = false
		if err == nil && len(bad) == 0 && b.disk.Load() == d && b.check == nil && d.hashed.Load() < b.blocks {
			b.follow(d) // what has come since
		}
		b.mu.Unlock()
		b.c.settle(b)
	})
}

// publish gives all blocks out, and moves the verified file into blobs. Nobody
// waits for that, since it waits for the disk; if it fails the blocks go on to
// be served from where they are.
func (b *blob) publish(d *partial, k *check) error {
	c := b.c
	b.mu.Lock()
	if b.disk.Load() != d || d.missing > 0 || d.rehash || b.writing() {
		b.mu.Unlock()
		return nil // a block was found unreadable since
	}
	d.sealed = true
	d.release()
	b.mu.Unlock()
	close(k.right)

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
		if p.running && p.next < p.hi {
			return true
		}
	}
	return false
}
