package remote

import (
	"context"
	"slices"
	"sync"
)

const (
	maxConns = 32 // content sent side by side, over all uploads of a client
	minConns = 2
)

// A gate limits how many requests carry content at once. Who has the fewest
// under way goes first, so that a small upload does not wait for the end of a
// huge one; within one upload the largest object does, since whatever begins
// last should be short.
//
// The limit follows the network: a failure that passes halves it, once for all
// that were under way then, and each success raises it by one.
type gate struct {
	mu      sync.Mutex
	limit   int
	running int
	serial  int // of the latest request let in
	cut     int // serial when the limit was last lowered
	waiting []*waiter
}

type waiter struct {
	u     *upload
	size  int64
	ready chan int // its serial; closed over by the one who lets it in
}

func newGate() *gate { return &gate{limit: maxConns} }

// enter waits for a turn. It returns the serial that leave and failed want.
func (g *gate) enter(ctx context.Context, u *upload, size int64) (serial int, err error) {
	w := &waiter{u: u, size: size, ready: make(chan int, 1)}
	g.mu.Lock()
	g.waiting = append(g.waiting, w)
	g.admit()
	g.mu.Unlock()
	select {
	case serial = <-w.ready:
		return serial, nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.waiting, w); i >= 0 {
		g.waiting = slices.Delete(g.waiting, i, i+1)
	} else { // let in just now
		g.exit(u)
	}
	return 0, context.Cause(ctx)
}

// admit lets in whom the limit allows. The caller holds mu.
func (g *gate) admit() {
	for g.running < g.limit && len(g.waiting) > 0 {
		next := 0
		for i, w := range g.waiting[1:] {
			best := g.waiting[next]
			if w.u.sending < best.u.sending || w.u.sending == best.u.sending && w.size > best.size {
				next = i + 1
			}
		}
		w := g.waiting[next]
		g.waiting = slices.Delete(g.waiting, next, next+1)
		g.running++
		w.u.sending++
		g.serial++
		w.ready <- g.serial
	}
}

// exit makes room. The caller holds mu.
func (g *gate) exit(u *upload) {
	g.running--
	u.sending--
	g.admit()
}

// leave gives a turn back.
func (g *gate) leave(u *upload, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if ok && g.limit < maxConns {
		g.limit++
	}
	g.exit(u)
}

// failed says that the network or the server could not keep up with a request.
func (g *gate) failed(serial int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if serial > g.cut {
		g.limit = max(minConns, min(g.limit, g.running)/2)
		g.cut = g.serial
	}
}
