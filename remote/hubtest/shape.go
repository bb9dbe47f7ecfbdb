package hubtest

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Shape slows both origins down, to what a network would do. The zero value
// does not.
type Shape struct {
	Delay    time.Duration // before the header of each answer
	ConnRate int64         // bytes per second and connection; 0 is no limit
	Rate     int64         // bytes per second in all; 0 is no limit
}

// Shape replaces the shape. Bodies that are on their way go on as they were.
func (h *Hub) Shape(s Shape) {
	p := &s
	if s == (Shape{}) {
		p = nil
	}
	h.shaper.shape.Store(p)
}

type shaper struct {
	shape atomic.Pointer[Shape]
	all   bucket
}

type connKey struct{}

// connContext gives each connection a bucket of its own.
func (s *shaper) connContext(ctx context.Context, _ net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, &bucket{})
}

// pace waits until n bytes may pass.
func (s *shaper) pace(ctx context.Context, sh *Shape, n int) error {
	var wait time.Duration
	if sh.Rate > 0 {
		wait = s.all.take(n, sh.Rate)
	}
	if b, ok := ctx.Value(connKey{}).(*bucket); ok && sh.ConnRate > 0 {
		wait = max(wait, b.take(n, sh.ConnRate))
	}
	return sleep(ctx, wait)
}

// A bucket is the time at which the bytes promised so far have passed.
type bucket struct {
	mu   sync.Mutex
	next time.Time
}

// credit bounds what an idle bucket saves up, and makes up for the timer
// being late.
const credit = 10 * time.Millisecond

// take reserves n bytes and tells how long to wait for them.
func (b *bucket) take(n int, rate int64) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if earliest := now.Add(-credit); b.next.Before(earliest) {
		b.next = earliest
	}
	b.next = b.next.Add(time.Duration(float64(n) / float64(rate) * float64(time.Second)))
	return b.next.Sub(now)
}

// sleep waits for d or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
