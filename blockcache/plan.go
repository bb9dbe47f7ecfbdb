package blockcache

import "slices"

const (
	smallBlob   = 512 << 10 // bytes; fetched in one piece
	smallBlocks = smallBlob / blockSize
	gatedBlob   = 8 << 20 // bytes; one part at most, and nothing is given out before the check

	firstBlocks = 2           // a read that belongs to no stream brings 256 KiB, …
	startBlocks = smallBlocks // … at the start of the blob 512 KiB
	nearBack    = 1 << 20     // how far reads of one stream come out of order, in bytes
	nearAhead   = 1 << 20
	bulkRead    = 256 << 10      // a read that the kernel made of its read-ahead, in bytes: it comes with others, in any order, …
	bulkSpan    = 4 << 20        // … from so far around
	markEvery   = 4              // blocks between places where a reader tells how far it is
	maxCursors  = 32             // streams of one blob
	growth      = 4              // what is ahead of a stream, in units of what it has read
	startGrowth = 32             // the same for one that began at the start: it reads all, mostly
	memoryPart  = 8              // blocks; what a part brings while the disk takes nothing
	memoryAhead = 2 * memoryPart // and what is ahead of a stream
)

// A cursor is a stream of reads going forward through a blob. A blob has one
// for each place where somebody reads.
type cursor struct {
	pos   int64 // end of the read that came farthest, bytes
	run   int64 // bytes read
	ahead int64 // first block not yet asked for
	last  int64 // length of the last part asked for, blocks
	start bool  // began at the start of the blob
}

// plan sees to it that all blocks of [off, end) are there or on their way, and
// asks for what the stream the read belongs to will want next. b.mu is held.
func (b *blob) plan(h *Blob, off, end int64) {
	if b.small() {
		if b.find(0) == nil {
			b.addPart(h, 0, b.blocks)
		}
		return
	}
	if b.gated() {
		b.planGated(h)
		return
	}
	lo, hi := off/blockSize, blocksOf(end)
	switch c := b.stream(off); {
	case c == nil:
		from, to := lo-lo%firstBlocks, min(hi+(-hi&(firstBlocks-1)), b.blocks)
		// The kernel's first reads of a stream come side by side: the one that is
		// seen first may not be that of the start.
		if lo < startBlocks || len(b.cursors) == 0 && end-off >= bulkRead && off < bulkSpan {
			from, to = 0, min(max(to, startBlocks), b.blocks)
		}
		b.cursors = append(b.cursors, &cursor{pos: end, run: end - off, ahead: to, last: min(to-from, partBlocks), start: from == 0})
		if len(b.cursors) > maxCursors {
			b.cursors = slices.Delete(b.cursors, 0, 1)
		}
		b.request(h, from, to)
	default:
		c.advance(off, end)
		b.extend(h, c, hi)
	}
	b.demand(h, lo, hi)
}

// planGated asks for all of the blob: what is missing of it on disk, or, while
// the disk takes nothing, the whole of it again.
func (b *blob) planGated(h *Blob) {
	if b.diskError() == nil {
		b.request(h, 0, b.blocks)
	} else if b.live() == nil {
		b.addPart(h, 0, b.blocks)
	}
	for _, p := range b.parts {
		if !p.running && !p.quick {
			b.c.sched.urge(p)
		}
	}
}

// live returns a part that is not dropped, or nil.
func (b *blob) live() *part {
	for _, p := range b.parts {
		if !p.dropped {
			return p
		}
	}
	return nil
}

// advance is told that a reader came to a mark.
func (b *blob) advance(h *Blob, off, end int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c := b.stream(off); c != nil && c.pos < end && b.refuse() == nil && b.whole.Load() == nil {
		c.advance(off, end)
		b.extend(h, c, 0)
	}
}

// stream returns the cursor that a read at off belongs to, or nil.
func (b *blob) stream(off int64) *cursor {
	best, at := int64(nearBack+1), -1
	for i, c := range b.cursors {
		dist := off - c.pos
		if dist > 0 && off <= max(c.pos, c.ahead*blockSize)+nearAhead {
			dist = min(dist, nearBack) // skipped something that was asked for
		} else {
			dist = max(dist, -dist)
		}
		if dist < best {
			best, at = dist, i
		}
	}
	if at < 0 {
		return nil
	}
	c := b.cursors[at]
	b.cursors = append(slices.Delete(b.cursors, at, at+1), c)
	return c
}

func (c *cursor) advance(off, end int64) {
	if end <= c.pos {
		return
	}
	// Between two marks reads are not seen; a longer step is a skip.
	if off-c.pos <= markEvery*blockSize {
		c.run += end - c.pos
	} else {
		c.run += end - off
	}
	c.pos = end
}

// extend asks for what c will want, and at least for all before block must.
// Each part of a stream is twice the one before, or a whole one: few requests
// bring much, and a reader that stops early has little brought in vain.
func (b *blob) extend(h *Blob, c *cursor, must int64) {
	window := min(growth*c.run/blockSize, b.c.sched.window())
	if c.start {
		window = min(startGrowth*c.run/blockSize, b.c.sched.window())
	}
	largest := int64(partBlocks)
	if b.diskError() != nil {
		window, largest = min(window, memoryAhead), memoryPart
	}
	target := min(c.pos/blockSize+window, b.blocks)
	for c.ahead < max(target, must) {
		step := target - c.ahead
		if c.ahead < must {
			step = max(step, must-c.ahead, c.last)
		}
		step = min(step, largest, b.blocks-c.ahead)
		if step < min(2*c.last, largest) && c.ahead+step < b.blocks && c.ahead >= must {
			return
		}
		b.request(h, c.ahead, c.ahead+step)
		c.ahead += step
		c.last = max(c.last, step)
	}
}

// request makes parts of all blocks in [lo, hi) that are neither there nor on
// their way.
func (b *blob) request(h *Blob, lo, hi int64) {
	for i := lo; i < hi; {
		if p := b.find(i); p != nil {
			i = p.hi
			continue
		}
		if b.present(i) {
			i++
			continue
		}
		end := i + 1
		for end < hi && end-i < partBlocks && !b.present(end) && b.find(end) == nil {
			end++
		}
		b.addPart(h, i, end)
		i = end
	}
}

func (b *blob) addPart(h *Blob, lo, hi int64) *part {
	p := &part{b: b, h: h, lo: lo, hi: hi, next: lo, quick: hi-lo <= quickBlocks}
	b.parts = append(b.parts, p)
	b.c.sched.add(p)
	return p
}

// demand is for blocks somebody waits for: they are asked for where plan has
// not, and put before what nobody waits for.
func (b *blob) demand(h *Blob, lo, hi int64) {
	for i := lo; i < hi; i++ {
		p := b.find(i)
		if p == nil {
			if b.present(i) {
				continue
			}
			b.request(h, i-i%firstBlocks, min(max(i-i%firstBlocks+firstBlocks, hi), b.blocks))
			if p = b.find(i); p == nil {
				continue
			}
		}
		if !p.running && !p.quick {
			b.hurry(p, i, hi)
		}
		i = p.hi - 1
	}
}

// hurry gets block i of a queued part soon: the part as a whole if the block
// is its first, else the blocks wanted as a small part between two others.
func (b *blob) hurry(p *part, i, hi int64) {
	if i-p.lo < firstBlocks {
		b.c.sched.urge(p)
		return
	}
	i -= (i - p.lo) % firstBlocks
	end := min(max(i+firstBlocks, hi), i+quickBlocks, p.hi)
	tail := p.hi
	p.hi = i
	late := p.take(func(w *waiter) bool { return w.i >= i })
	b.addPart(p.h, i, end)
	if end < tail {
		b.addPart(p.h, end, tail)
	}
	for _, w := range late {
		if q := b.find(w.i); q != nil {
			q.waiters = append(q.waiters, w)
		}
	}
}
