package fs

import (
	"bytes"
	"context"
	"sync"
	"syscall"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// An answerer answers one request line by lines given to say, from any
// goroutine. Its error is for those who cannot read the answer.
type answerer func(ctx context.Context, request []byte, say func(v any)) error

// A talk is one request and its answer: a line is written, then lines are read
// until the end of the file. Closing the file ends the answering, unless it was
// opened for writing only: then close(2) waits for the end and has the error.
type talk struct {
	c         *controlDir
	answer    answerer
	ctx       context.Context
	cancel    context.CancelFunc
	writeOnly bool

	mu      sync.Mutex
	request []byte
	started bool
	out     bytes.Buffer
	ended   bool
	err     error
	changed chan struct{} // closed and replaced when out or ended change
}

var (
	_ = (fusefs.FileReader)((*talk)(nil))
	_ = (fusefs.FileWriter)((*talk)(nil))
	_ = (fusefs.FileFlusher)((*talk)(nil))
	_ = (fusefs.FileReleaser)((*talk)(nil))
)

func newTalk(c *controlDir, answer answerer, flags uint32) *talk {
	t := &talk{c: c, answer: answer, changed: make(chan struct{}), writeOnly: flags&syscall.O_ACCMODE == syscall.O_WRONLY}
	t.ctx, t.cancel = context.WithCancel(c.ctx)
	return t
}

// maxRequest is more, in bytes, than any command line can ask for.
const maxRequest = 4 << 20

func (t *talk) Write(ctx context.Context, data []byte, off int64) (uint32, syscall.Errno) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.started {
		return 0, syscall.EBUSY
	}
	if len(t.request)+len(data) > maxRequest {
		return 0, syscall.EMSGSIZE
	}
	t.request = append(t.request, data...)
	if bytes.IndexByte(data, '\n') >= 0 {
		t.start()
	}
	return uint32(len(data)), 0
}

// start begins to answer. t.mu is held.
func (t *talk) start() {
	t.started = true
	request := bytes.TrimSpace(t.request)
	t.c.work.Go(func() {
		err := t.answer(t.ctx, request, func(v any) {
			if t.writeOnly { // nobody can read it
				return
			}
			t.mu.Lock()
			t.out.Write(line(v))
			t.notify()
			t.mu.Unlock()
		})
		t.mu.Lock()
		t.ended, t.err = true, err
		t.notify()
		t.mu.Unlock()
	})
}

// notify wakes those who wait. t.mu is held.
func (t *talk) notify() {
	close(t.changed)
	t.changed = make(chan struct{})
}

// wait returns when there is something to read, or at the end if all is set.
// A request without a newline is complete by now.
func (t *talk) wait(ctx context.Context, all bool) syscall.Errno {
	op := &op{opContext: newOpContext(ctx, t.c.m.pending), m: t.c.m}
	defer op.finish()
	for {
		t.mu.Lock()
		if !t.started && len(t.request) > 0 {
			t.start()
		}
		ready := !t.started || t.ended || t.out.Len() > 0 && !all
		changed := t.changed
		t.mu.Unlock()
		if ready {
			return 0
		}
		select {
		case <-changed:
		case <-op.Done():
			return syscall.EINTR
		}
	}
}

func (t *talk) Read(ctx context.Context, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	if errno := t.wait(ctx, false); errno != 0 {
		return nil, errno
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	n, _ := t.out.Read(dest)
	return fuse.ReadResultData(dest[:n]), 0
}

func (t *talk) Flush(ctx context.Context) syscall.Errno {
	if !t.writeOnly {
		return 0
	}
	if errno := t.wait(ctx, true); errno != 0 {
		return errno
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return errnoOf(t.err)
}

func (t *talk) Release(ctx context.Context) syscall.Errno {
	t.cancel()
	return 0
}
