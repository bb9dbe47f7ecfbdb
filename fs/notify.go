package fs

import (
	"context"
	"sync"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hubfs/hubfs/commit"
)

// A notifier tells the kernel that names have come to mean something else. The
// kernel takes the directory's lock for it, which a program may hold while it
// waits for us: so it is done by one goroutine that holds no lock, and nobody
// waits for it but settle. The same goes for pages that are being read.
type notifier struct {
	wake chan struct{}
	stop chan struct{}
	done chan struct{}

	mu    sync.Mutex
	queue []notice  // due now
	later []notice  // those with a time
	next  time.Time // the first of later is due; zero = there is none
}

// A notice is about a name in a directory, or without a name about the pages of
// a file or directory. Those of a file become wrong in one case only: parts of
// a blob were given out before its whole turned out not to be what its name says.
type notice struct {
	node *fusefs.Inode
	name string
	due  time.Time   // zero = now
	do   func()      // this instead
	when func() bool // asked when due; nil = always
}

func newNotifier() *notifier {
	n := &notifier{wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	go n.run()
	return n
}

// laterStep is how exact the time of a notice is that is due later: many are
// looked at together.
const laterStep = 100 * time.Millisecond

func (n *notifier) add(notices ...notice) {
	if len(notices) == 0 {
		return
	}
	n.mu.Lock()
	for _, q := range notices {
		if q.due.IsZero() {
			n.queue = append(n.queue, q)
			continue
		}
		q.due = q.due.Truncate(laterStep).Add(laterStep)
		n.later = append(n.later, q)
		if n.next.IsZero() || q.due.Before(n.next) {
			n.next = q.due
		}
	}
	n.mu.Unlock()
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// settleTime bounds how long settle waits: a program that holds the lock of a
// directory may itself wait for the one who asks.
const settleTime = time.Second

// settle waits until the kernel has been told of what is queued, or some time
// has passed, or ctx has ended.
func (n *notifier) settle(ctx context.Context) {
	told := make(chan struct{})
	n.add(notice{do: func() { close(told) }})
	t := time.NewTimer(settleTime)
	defer t.Stop()
	select {
	case <-told:
	case <-t.C:
	case <-n.done:
	case <-ctx.Done():
	}
}

// close ends the goroutine; what is still queued is of no use by then.
func (n *notifier) close() {
	close(n.stop)
	<-n.done
}

func (n *notifier) run() {
	defer close(n.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-n.stop:
			return
		case <-n.wake:
		case <-timer.C:
		}
		due, next := n.take(time.Now())
		for _, d := range due {
			if d.when == nil || d.when() {
				d.send()
			}
		}
		if !next.IsZero() {
			timer.Reset(time.Until(next))
		}
	}
}

// send tells the kernel; that it does not know the name or the file is fine.
func (n notice) send() {
	switch {
	case n.do != nil:
		n.do()
	case n.name == "":
		n.node.NotifyContent(0, 0)
	default:
		n.node.NotifyEntry(n.name)
	}
}

// take removes what is due, and says when the next is; zero = there is none.
func (n *notifier) take(now time.Time) (due []notice, next time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	due, n.queue = n.queue, nil
	if n.next.IsZero() || now.Before(n.next) {
		return due, n.next
	}
	later := n.later
	n.later, n.next = nil, time.Time{}
	for _, q := range later {
		if !q.due.After(now) {
			due = append(due, q)
			continue
		}
		n.later = append(n.later, q)
		if n.next.IsZero() || q.due.Before(n.next) {
			n.next = q.due
		}
	}
	return due, n.next
}

// changed takes the names that a commit gave another meaning. The kernel drops
// a listing that it keeps only with a name that it knows; that others have made
// a new one it learns by the directory's pages.
func (m *mount) changed(changes []commit.Change) {
	var names, lists []notice
	seen := make(map[*dirNode]bool)
	m.mu.Lock()
	for _, c := range changes {
		d := m.dirs[c.Dir]
		if d == nil || !d.attached.Load() {
			continue
		}
		d.gen.Add(1)
		names = append(names, notice{node: d.EmbeddedInode(), name: c.Name})
		if !seen[d] {
			seen[d] = true
			d.foreign.Add(1)
			lists = append(lists, notice{node: d.EmbeddedInode()})
		}
	}
	m.mu.Unlock()
	m.notifier.add(append(names, lists...)...)
}
