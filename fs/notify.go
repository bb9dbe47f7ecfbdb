package fs

import (
	"sync"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hubfs/hubfs/commit"
)

// A notifier tells the kernel that names have come to mean something else. The
// kernel takes the directory's lock for it, which a program may hold while it
// waits for us: so it is done by one goroutine that holds no lock, and nobody
// waits for it. The same goes for pages that are being read.
type notifier struct {
	wake chan struct{}
	stop chan struct{}
	done chan struct{}

	mu    sync.Mutex
	queue []notice
}

// A notice is about a name in a directory, or without a name about the pages of
// a file. Those become wrong in one case only: parts of a blob were given out
// before its whole turned out not to be what its name says.
type notice struct {
	node *fusefs.Inode
	name string
	due  time.Time   // zero = now
	when func() bool // asked when due; nil = always
}

func newNotifier() *notifier {
	n := &notifier{wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	go n.run()
	return n
}

func (n *notifier) add(notices ...notice) {
	if len(notices) == 0 {
		return
	}
	n.mu.Lock()
	n.queue = append(n.queue, notices...)
	n.mu.Unlock()
	select {
	case n.wake <- struct{}{}:
	default:
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
	if n.name == "" {
		n.node.NotifyContent(0, 0)
		return
	}
	n.node.NotifyEntry(n.name)
}

// take removes what is due from the queue, and says when the next is.
func (n *notifier) take(now time.Time) (due []notice, next time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var later []notice
	for _, q := range n.queue {
		switch {
		case !q.due.After(now):
			due = append(due, q)
		default:
			later = append(later, q)
			if next.IsZero() || q.due.Before(next) {
				next = q.due
			}
		}
	}
	n.queue = later
	return due, next
}

// changed takes the names that a commit gave another meaning.
func (m *mount) changed(changes []commit.Change) {
	var notices []notice
	m.mu.Lock()
	for _, c := range changes {
		if d := m.dirs[c.Dir]; d != nil && d.attached.Load() {
			d.gen.Add(1)
			notices = append(notices, notice{node: d.EmbeddedInode(), name: c.Name})
		}
	}
	m.mu.Unlock()
	m.notifier.add(notices...)
}
