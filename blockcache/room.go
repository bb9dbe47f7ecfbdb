package blockcache

import (
	"errors"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	minPause = 2 * time.Second // after the disk refused something
	maxPause = time.Minute
	fullWait = time.Second // after nothing could be evicted

	// pinchRoom is evicted when the disk, or a quota, turns out to be full.
	pinchRoom = 64 << 20
)

var errFull = errors.New("the cache is full of what is open")

// A room accounts for the disk. What is used is counted at the start and with
// each eviction, and reckoned in between.
type room struct {
	ready chan struct{} // closed when used is known

	mu       sync.Mutex
	limit    int64 // as in Options, decided when ready
	floor    int64
	used     int64     // bytes on disk
	reserved int64     // bytes on their way there; some of these are counted twice
	full     time.Time // until when nothing more can be evicted, probably

	until time.Time // when the disk is tried again
	pause time.Duration
	err   error     // why it is not tried before
	look  time.Time // when to look whether the directory is in its place
	pinch bool      // the disk was full though we thought it was not
}

func (r *room) init(o Options) {
	r.limit, r.floor = o.Limit, o.KeepFree
	r.ready = make(chan struct{})
}

// takeStock finds what earlier processes left, and decides the limits that
// were left open.
func (c *Cache) takeStock() {
	r := &c.room
	defer close(r.ready)
	c.sweep()
	used := int64(0)
	for _, it := range c.scan() {
		used += it.bytes
	}
	free, all, err := c.dir.space()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.used = used
	if err != nil {
		return
	}
	if r.floor == 0 {
		r.floor = min(all/20, 10<<30)
	}
	if r.limit == 0 {
		r.limit = max(1, (used+free)/2)
	}
}

// reserve makes room for n bytes and reports whether there is. It removes what
// was not used for the longest time if it must. After true comes done.
func (c *Cache) reserve(n int64) bool {
	r := &c.room
	select {
	case <-r.ready:
	case <-c.ctx.Done():
		return false
	}
	if r.check() != nil {
		return false
	}
	c.lookAfter()
	for range 2 { // the first eviction may have been for somebody else
		lack := c.lacks(n)
		if lack <= 0 {
			r.mu.Lock()
			r.reserved += n
			r.mu.Unlock()
			return true
		}
		c.evict(lack)
	}
	if c.lacks(n) <= 0 {
		r.mu.Lock()
		r.reserved += n
		r.mu.Unlock()
		return true
	}
	r.mu.Lock()
	r.full = timeNow().Add(fullWait)
	r.mu.Unlock()
	return false
}

// lookAfter sees to it, now and then, that the directory is the one at its
// path. One that was moved away takes what is written without an error, but
// nobody would find it there.
func (c *Cache) lookAfter() {
	r := &c.room
	r.mu.Lock()
	now := timeNow()
	due := !now.Before(r.look)
	if due {
		r.look = now.Add(minPause)
	}
	r.mu.Unlock()
	if due && c.dir.moved() {
		c.dir.restore() // where that fails, the write that follows says why
	}
	if !c.dir.fresh.Swap(false) {
		return
	}
	before, used := r.inUse(), int64(0)
	for _, it := range c.scan() {
		used += it.bytes
	}
	r.count(used, before)
	r.unpinned()
}

// done ends a reservation; used says that the bytes are on disk.
func (r *room) done(n int64, used bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reserved -= n
	if used {
		r.used += n
	}
}

// add reckons n bytes more on disk.
func (r *room) add(n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.used += n
}

func (r *room) inUse() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.used
}

// count sets what is used to n, as counted since it was thought to be before.
// What has come meanwhile may not have been seen, so it counts.
func (r *room) count(n, before int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.used = n + max(0, r.used-before)
}

// check returns why the disk is not to be tried now, or nil.
func (r *room) check() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch now := timeNow(); {
	case now.Before(r.until):
		return r.err
	case now.Before(r.full):
		return errFull
	}
	return nil
}

// unpinned is told that something may be evicted that could not be before.
func (r *room) unpinned() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.full = time.Time{}
}

// lacks returns how many bytes must go before n can come.
func (c *Cache) lacks(n int64) int64 {
	r := &c.room
	r.mu.Lock()
	lack, floor := int64(0), max(0, r.floor)
	if r.limit >= 0 {
		lack = r.used + r.reserved + n - r.limit
	}
	if r.pinch {
		lack, r.pinch = max(lack, n+pinchRoom), false
	}
	r.mu.Unlock()
	if free, _, err := c.dir.space(); err == nil {
		lack = max(lack, n+floor-free)
	}
	return lack
}

// space returns how much of the disk is free for us, and how large it is.
func (d *directory) space() (free, all int64, err error) {
	d.mu.RLock()
	self := d.self
	d.mu.RUnlock()
	var st unix.Statfs_t
	if err := onFD(self, func(fd int) error { return unix.Fstatfs(fd, &st) }); err != nil {
		return 0, 0, err
	}
	return int64(st.Bavail) * st.Bsize, int64(st.Blocks) * st.Bsize, nil
}

// diskFailed notes that the directory did not do what was asked. After a
// failed write nothing is written for a while; reads go on without.
func (c *Cache) diskFailed(op string, err error) {
	c.count.diskErrors.Add(1)
	if op == "read" {
		c.log.Warn("cached content cannot be read, it is fetched again", "err", err)
		return
	}
	r := &c.room
	r.mu.Lock()
	now := timeNow()
	first := !now.Before(r.until) // else another part has just said so
	if first {
		if now.Sub(r.until) > maxPause {
			r.pause = 0
		}
		r.pause = min(max(2*r.pause, minPause), maxPause)
		r.until = now.Add(r.pause)
	}
	r.err = err
	r.pinch = r.pinch || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
	r.mu.Unlock()
	if first {
		c.log.Warn("the cache directory takes nothing, reads go on without it", "op", op, "err", err)
	}
}
