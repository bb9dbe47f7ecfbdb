package hubtest

import (
	"net"
	"net/http"
	"sync"
)

// conns are the kept-alive connections that carry no request now.
type conns struct {
	mu   sync.Mutex
	idle map[net.Conn]bool
}

// track is an http.Server's ConnState.
func (c *conns) track(conn net.Conn, s http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s != http.StateIdle {
		delete(c.idle, conn)
		return
	}
	if c.idle == nil {
		c.idle = map[net.Conn]bool{}
	}
	c.idle[conn] = true
}

// DropIdle closes the connections that clients keep for their next request,
// as load balancers do, and tells how many there were.
func (h *Hub) DropIdle() int {
	h.conns.mu.Lock()
	defer h.conns.mu.Unlock()
	n := len(h.conns.idle)
	for conn := range h.conns.idle {
		conn.Close()
	}
	clear(h.conns.idle)
	return n
}
