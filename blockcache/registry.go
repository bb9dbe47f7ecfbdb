package blockcache

// Two trees may give one key different sizes; at least one of them is wrong,
// and neither may spoil the other.
type blobID struct {
	key  digest
	size int64
}

// acquire returns the shared state of a blob, with one more owner.
func (c *Cache) acquire(id blobID) (*blob, error) {
	for {
		c.mu.Lock()
		if c.sched.isClosed() {
			c.mu.Unlock()
			return nil, ErrClosed
		}
		if done, ok := c.claims[id.key.name()]; ok {
			c.mu.Unlock()
			<-done
			continue
		}
		b := c.blobs[id]
		if b == nil {
			b = &blob{c: c, key: id.key, size: id.size, blocks: blocksOf(id.size), refs: 1,
				opened: make(chan struct{}), gone: make(chan struct{})}
			c.blobs[id] = b
			c.mu.Unlock()
			b.open()
			close(b.opened)
			return b, nil
		}
		if b.leaving {
			c.mu.Unlock()
			<-b.gone
			continue
		}
		b.refs++
		c.mu.Unlock()
		<-b.opened
		return b, nil
	}
}

// open finds what is on disk of the blob.
func (b *blob) open() {
	if f := b.c.whole(b.key, b.size); f != nil {
		b.whole.Store(f)
		return
	}
	if b.size == 0 {
		if f, err := b.c.openEmpty(b.key); err == nil {
			b.whole.Store(f)
		}
		return
	}
	if b.small() {
		return
	}
	d, err := openPartial(b.c.dir, b.key, b.size)
	if err != nil {
		return // nothing is there, or it is another's; a file is made with the first block
	}
	b.c.used(d.name, d.f)
	b.mu.Lock()
	if d.missing == 0 && !b.gated() { // nobody reads it to its end before the check
		i := b.blocks - 1
		s, k := d.m.at(i)
		d.hold(i, s.crc[k].Load())
	}
	b.disk.Store(d)
	b.startCheck()
	b.mu.Unlock()
}

// release takes one owner off b.
func (c *Cache) release(b *blob) {
	c.mu.Lock()
	b.refs--
	last := b.refs == 0
	wake := func() {}
	if last {
		b.mu.Lock()
		wake = b.abandon(false)
		b.mu.Unlock()
	}
	c.mu.Unlock()
	wake()
	if last {
		c.settle(b)
	}
}

// settle closes b if nobody uses it any more.
func (c *Cache) settle(b *blob) {
	c.mu.Lock()
	if b.refs > 0 || b.leaving || !b.idle() {
		c.mu.Unlock()
		return
	}
	b.leaving = true
	c.mu.Unlock()

	b.close()

	c.mu.Lock()
	delete(c.blobs, blobID{b.key, b.size})
	c.mu.Unlock()
	close(b.gone)
	c.room.unpinned()
}

// claim reserves the name of a blob for a change of its files, and reports
// whether nobody has the blob open. While it is claimed nobody opens it.
func (c *Cache) claim(key digest) (free bool, done func()) {
	for {
		c.mu.Lock()
		other, ok := c.claims[key.name()]
		if !ok {
			break
		}
		c.mu.Unlock()
		<-other
	}
	defer c.mu.Unlock()
	free = true
	for id := range c.blobs {
		if id.key == key {
			free = false
		}
	}
	mine := make(chan struct{})
	c.claims[key.name()] = mine
	return free, func() {
		c.mu.Lock()
		delete(c.claims, key.name())
		c.mu.Unlock()
		close(mine)
	}
}
