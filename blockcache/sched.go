package blockcache

import (
	"slices"
	"sync"
	"time"
)

const (
	partBlocks = 8 << 20 / blockSize // largest part; more brings no more throughput

	minParts   = 4  // large parts at once on a link that is slow, …
	maxParts   = 16 // … and on one that is fast; so many blobs share it
	startParts = 16

	quickParts  = 16                  // small parts that never wait for large ones
	totalParts  = 32                  // both
	quickBlocks = 1 << 20 / blockSize // what is small
	urgentQuick = quickParts / 2      // how many of the quick places large parts may take that are waited for
	slowPart    = 4 * time.Second
	fastPart    = 2 * time.Second
)

// A sched decides when parts start. It bounds the connections and buffers of
// the whole cache, and keeps small reads from waiting behind large ones.
type sched struct {
	mu     sync.Mutex
	wg     sync.WaitGroup
	closed bool
	quick  []*part // small
	urgent []*part // large, and somebody waits for it
	bulk   []*part // large
	quicks int     // running in places for small ones
	bulks  int
	limit  int // of bulks
}

// spawn runs f in a goroutine that Close waits for; after Close it does not.
func (s *sched) spawn(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.wg.Go(f)
	return true
}

// add queues p, or starts it.
func (s *sched) add(p *part) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.quick {
		s.quick = append(s.quick, p)
	} else {
		s.bulk = append(s.bulk, p)
	}
	s.pump()
}

// urge puts p before all parts that nobody waits for.
func (s *sched) urge(p *part) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.bulk, p); i >= 0 {
		s.bulk = slices.Delete(s.bulk, i, i+1)
		s.urgent = append(s.urgent, p)
		s.pump()
	}
}

// remove reports whether p had not been started, and will not be.
func (s *sched) remove(p *part) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range []*[]*part{&s.quick, &s.urgent, &s.bulk} {
		if i := slices.Index(*q, p); i >= 0 {
			*q = slices.Delete(*q, i, i+1)
			return true
		}
	}
	return false
}

// done gives the place of p to the next one. A part that took took to bring n
// bytes tells how many the link carries side by side.
func (s *sched) done(p *part, n int64, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.inBulk {
		s.bulks--
	} else {
		s.quicks--
	}
	if n >= partBlocks*blockSize/2 {
		took = took * partBlocks * blockSize / time.Duration(n)
		switch {
		case took < fastPart:
			s.limit = min(s.limit+1, maxParts)
		case took > slowPart:
			s.limit = max(s.limit-1, minParts)
		}
	}
	s.pump()
}

// window is how far ahead of a fast reader parts are wanted, in blocks: twice
// what runs at once, so that the link stays full while he waits for the slowest.
func (s *sched) window() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return 2 * int64(s.limit) * partBlocks
}

func (s *sched) pump() {
	if s.closed {
		return
	}
	for len(s.quick) > 0 && (s.quicks < quickParts || s.quicks+s.bulks < totalParts) {
		s.start(&s.quick, false)
	}
	for len(s.urgent) > 0 {
		if s.bulks < s.limit {
			s.start(&s.urgent, true)
		} else if s.quicks < urgentQuick {
			s.start(&s.urgent, false)
		} else {
			return
		}
	}
	for len(s.bulk) > 0 && s.bulks < s.limit {
		s.start(&s.bulk, true)
	}
}

func (s *sched) start(queue *[]*part, inBulk bool) {
	p := (*queue)[0]
	s.wg.Go(p.run)
	*queue = slices.Delete(*queue, 0, 1)
	p.inBulk = inBulk
	if inBulk {
		s.bulks++
	} else {
		s.quicks++
	}
}

func (s *sched) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// close starts nothing any more; it reports false when that was so already.
func (s *sched) close() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.closed
	s.closed = true
	s.quick, s.urgent, s.bulk = nil, nil, nil
	return !was
}

func (s *sched) wait() { s.wg.Wait() }
