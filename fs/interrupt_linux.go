package fs

import (
	"context"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// giveUpSignals end a wait: those that end a program, or by which a person
// interrupts it. Signals that programs send themselves all the time (SIGPROF,
// SIGURG of the Go runtime, SIGALRM, SIGCHLD) do not: a disk would not notice them
// either, and an open that fails with EINTR is not restarted by SA_RESTART.
var giveUpSignals = sigset(syscall.SIGKILL, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT,
	syscall.SIGABRT, syscall.SIGXCPU)

func sigset(signals ...syscall.Signal) (set uint64) {
	for _, s := range signals {
		set |= 1 << (s - 1)
	}
	return set
}

// How often the caller's signals are looked at after an interrupt. The kernel
// sends one INTERRUPT for a request, so a SIGKILL that follows a SIGPROF is only
// seen by looking again.
const (
	lookFirst = 10 * time.Millisecond
	lookMost  = 200 * time.Millisecond
)

// An opContext ends when its caller is to die or was interrupted by a person;
// other interrupts leave it be. It costs nothing until somebody waits for Done.
type opContext struct {
	context.Context // of go-fuse: it ends at each interrupt
	pending         func(tid uint32) (give bool)

	mu       sync.Mutex
	done     chan struct{}
	finished chan struct{} // set while a watcher runs
	given    bool
}

func newOpContext(ctx context.Context, pending func(uint32) bool) *opContext {
	return &opContext{Context: ctx, pending: pending}
}

// Done starts the watching: callers that do not wait never ask.
func (c *opContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		c.finished = make(chan struct{})
		go c.watch(c.done, c.finished)
	}
	return c.done
}

func (c *opContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.given {
		return context.Canceled
	}
	return nil
}

// finish ends the watching at the end of the operation.
func (c *opContext) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.finished != nil {
		close(c.finished)
		c.finished = nil
	}
}

func (c *opContext) watch(done, finished chan struct{}) {
	select {
	case <-c.Context.Done():
	case <-finished:
		return
	}
	var tid uint32
	if caller, ok := fuse.FromContext(c.Context); ok {
		tid = caller.Pid
	}
	for wait := lookFirst; !c.pending(tid); wait = min(2*wait, lookMost) {
		select {
		case <-time.After(wait):
		case <-finished:
			return
		}
	}
	c.mu.Lock()
	c.given = true
	c.mu.Unlock()
	close(done)
}

// callerGivesUp looks at the signals that are pending for a thread and not
// blocked by it. A thread that cannot be looked at (gone, or of another PID
// namespace, where the kernel says 0) gives up.
func callerGivesUp(tid uint32) bool {
	if tid == 0 {
		return true
	}
	b, err := os.ReadFile("/proc/" + strconv.FormatUint(uint64(tid), 10) + "/status")
	if err != nil {
		return true
	}
	var pending, blocked uint64
	for line := range strings.Lines(string(b)) {
		key, value, _ := strings.Cut(line, ":")
		switch key {
		case "SigPnd", "ShdPnd", "SigBlk":
		default:
			continue
		}
		v, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		if err != nil {
			return true
		}
		if key == "SigBlk" {
			blocked = v
		} else {
			pending |= v
		}
	}
	return pending&^blocked&giveUpSignals != 0
}
