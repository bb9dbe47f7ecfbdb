package blockcache

import (
	"bytes"
	"context"
	"io"
	"os"
)

// writers is how many small blobs are written to disk at once. Each is synced,
// and a journal takes several syncs together.
const writers = 8

// fetchSmall fetches a small blob whole and checks it before anybody sees a
// byte. The returned function puts it on disk, when the part has given up its
// place; until then readers are served from memory.
func (p *part) fetchSmall(ctx context.Context) (after func(), err error) {
	b, c := p.b, p.b.c
	if f := c.whole(b.key, b.size); f != nil { // from another process
		b.promote(f)
		return nil, errAgain
	}
	all, err := p.fetchChecked(ctx)
	if err != nil {
		return nil, err
	}
	ck := newCheck()
	b.mu.Lock()
	b.check = ck
	b.mu.Unlock()
	p.arrived(nil, b.blocks, nil, all)
	c.writing <- struct{}{} // with the part's place still taken: the disk may be slower than the net
	return func() {
		defer func() { <-c.writing }()
		b.settleCheck(ck, c.writeSmall(b, bytes.Join(all, nil)))
	}, nil
}

// fetchGated is for a blob that is checked first while the disk takes nothing.
func (p *part) fetchGated(ctx context.Context) error {
	if !p.widen() {
		return errAgain
	}
	select {
	case p.b.c.large <- struct{}{}:
		defer func() { <-p.b.c.large }()
	case <-ctx.Done():
		return ctx.Err()
	}
	all, err := p.fetchChecked(ctx)
	if err == nil {
		p.arrived(nil, p.b.blocks, nil, all)
	}
	return err
}

// widen makes p all of the blob, if it is its only part. Else the last one
// that finds the disk refused does.
func (p *part) widen() bool {
	b := p.b
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, q := range b.parts {
		if q != p && !q.dropped {
			return false
		}
	}
	p.lo, p.next, p.hi = 0, 0, b.blocks
	return true
}

// fetchChecked brings all of a blob to memory, checks it, and returns its blocks.
func (p *part) fetchChecked(ctx context.Context) (all [][]byte, err error) {
	b, c := p.b, p.b.c
	data := make([]byte, b.size)
	got := 0
	err = p.pull(ctx, 0, b.size, func(r io.Reader, n int64) (int64, error) {
		k, err := io.ReadFull(r, data[got:])
		got += k
		if err == io.ErrUnexpectedEOF {
			err = io.EOF
		}
		if err == nil {
			err = atEnd(r)
		}
		return int64(k), early(err)
	})
	if err != nil {
		return nil, err
	}
	h := b.key.hasher(b.size)
	h.Write(data)
	if !b.key.is(h) {
		c.corrupt(b)
		c.logCorrupt(b)
		return nil, ErrCorrupt
	}
	c.bad.good(b.id())
	for i := range b.blocks {
		all = append(all, data[i*blockSize:i*blockSize+blockLen(i, b.size)])
		c.memory.put(b, i, all[i])
	}
	return all, nil
}

// writeSmall puts a blob, whose hash was checked, on disk.
func (c *Cache) writeSmall(b *blob, data []byte) error {
	if !c.reserve(b.size) {
		return c.room.check()
	}
	f, err := c.dir.write(b.key, data)
	c.room.done(b.size, err == nil)
	if err != nil {
		c.diskFailed("write", err)
		return err
	}
	b.promote(f)
	return nil
}

// write makes the whole blob of data and opens it.
func (d *directory) write(key digest, data []byte) (whole *os.File, err error) {
	f, name, err := d.newTemp(key)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if _, err = f.Write(data); err == nil {
		whole, err = d.publish(name, f, key)
	}
	if err != nil {
		d.remove(name)
	}
	return whole, err
}

// corrupt notes that the content of b is wrong.
func (c *Cache) corrupt(b *blob) {
	c.bad.add(b.id(), timeNow())
	c.count.corrupt.Add(1)
}

func (c *Cache) logCorrupt(b *blob) {
	c.log.Error("content does not match its hash", "blob", b.key.String())
}

// openEmpty makes and opens the file of a blob without bytes, which needs no
// source.
func (c *Cache) openEmpty(key digest) (*os.File, error) {
	if !key.empty() {
		return nil, ErrCorrupt
	}
	if f := c.whole(key, 0); f != nil {
		return f, nil
	}
	if err := c.room.check(); err != nil {
		return nil, err
	}
	c.lookAfter()
	f, err := c.dir.write(key, nil)
	if err != nil {
		c.diskFailed("write", err)
	}
	return f, err
}
