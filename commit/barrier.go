package commit

import "sync"

// A barrier lets callers share flushes: one that is to cover a caller must
// begin after the caller came, so at most two are waited for and any number
// of callers need no more than that.
type barrier struct {
	flush func() error

	mu      sync.Mutex
	cond    *sync.Cond
	next    *flushing // the one that has not begun; nil if nobody waits for it
	running bool
	callers int
}

// flushing is one flush with its own outcome: who was covered by one that
// failed must not be told of the one after it.
type flushing struct {
	done bool
	err  error
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
	if b.next == nil {
		b.next = new(flushing)
	}
	f := b.next
	for !f.done {
		if b.running {
			b.cond.Wait()
			continue
		}
		b.running, b.next = true, nil // it is f: nobody takes another's while f waits
		b.mu.Unlock()
		err := b.flush()
		b.mu.Lock()
		b.running, f.done, f.err = false, true, err
		b.cond.Broadcast()
	}
	return f.err
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
