package commit

import "sync"

// A barrier lets callers share flushes: one that is to cover a caller must
// begin after the caller came, so at most two are waited for and any number
// of callers need no more than that.
type barrier struct {
	flush func() error

	mu      sync.Mutex
	cond    *sync.Cond
	begun   uint64
	done    uint64
	running bool
	callers int
	err     error // of flush number done
}

func newBarrier(flush func() error) *barrier {
	b := &barrier{flush: flush}
	b.cond = sync.NewCond(&b.mu)
	return b
}

// wait returns when a flush that began after the call has ended.
func (b *barrier) wait() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.callers++
	defer func() { b.callers-- }()
	target := b.begun + 1
	for b.done < target {
		if b.running {
			b.cond.Wait()
			continue
		}
		b.running = true
		b.begun++
		n := b.begun
		b.mu.Unlock()
		err := b.flush()
		b.mu.Lock()
		b.running, b.done, b.err = false, n, err
		b.cond.Broadcast()
	}
	return b.err
}

// waiting is the number of callers that are in wait and not flushing.
func (b *barrier) waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.running {
		return b.callers - 1
	}
	return b.callers
}
