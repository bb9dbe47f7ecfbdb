package fs

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// An opLog tells those who have .hubfs/log open what programs do. It costs
// nothing while nobody has.
type opLog struct {
	readers atomic.Int32

	mu      sync.Mutex
	follows map[*logHandle]bool
}

func (l *opLog) active() bool { return l.readers.Load() > 0 }

// add tells the readers of an operation that has ended. A line is: the time,
// the operation, the path quoted, what came of it, how long it took, and the
// thread that asked.
func (l *opLog) add(o *op, errno syscall.Errno, took time.Duration) {
	if !l.active() {
		return
	}
	outcome := "ok"
	if errno != 0 {
		outcome = errno.Error()
	}
	line := fmt.Appendf(nil, "%s %s %q %s %s pid=%d\n",
		o.start.Format("15:04:05.000000"), o.what, "/"+o.path(), outcome, took.Round(time.Microsecond), o.pid())
	l.mu.Lock()
	defer l.mu.Unlock()
	for h := range l.follows {
		h.add(line)
	}
}

func (l *opLog) follow() *logHandle {
	h := &logHandle{log: l, more: make(chan struct{}, 1)}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.follows == nil {
		l.follows = map[*logHandle]bool{}
	}
	l.follows[h] = true
	l.readers.Add(1)
	return h
}

// A logHandle is an open .hubfs/log. A reader that does not keep up misses
// lines, and is told how many.
type logHandle struct {
	log  *opLog
	more chan struct{}

	mu     sync.Mutex
	buf    bytes.Buffer
	missed int
}

var (
	_ = (fusefs.FileReader)((*logHandle)(nil))
	_ = (fusefs.FileReleaser)((*logHandle)(nil))
)

const maxUnread = 1 << 20

func (h *logHandle) add(line []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.buf.Len()+len(line) > maxUnread {
		h.missed++
		return
	}
	if h.missed > 0 {
		fmt.Fprintf(&h.buf, "… %d lines missed\n", h.missed)
		h.missed = 0
	}
	h.buf.Write(line)
	select {
	case h.more <- struct{}{}:
	default:
	}
}

// Read waits for the next operation. Any signal ends it: there is no end to
// wait for.
func (h *logHandle) Read(ctx context.Context, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	for {
		h.mu.Lock()
		n, _ := h.buf.Read(dest)
		h.mu.Unlock()
		if n > 0 {
			return fuse.ReadResultData(dest[:n]), 0
		}
		select {
		case <-h.more:
		case <-ctx.Done():
			return nil, syscall.EINTR
		}
	}
}

func (h *logHandle) Release(ctx context.Context) syscall.Errno {
	h.log.mu.Lock()
	defer h.log.mu.Unlock()
	if h.log.follows[h] {
		delete(h.log.follows, h)
		h.log.readers.Add(-1)
	}
	return 0
}
