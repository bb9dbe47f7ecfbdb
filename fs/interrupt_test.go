package fs

import (
	"context"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"
)

func TestOpContext(t *testing.T) {
	cancel := make(chan struct{})
	var give atomic.Bool
	looks := make(chan struct{}, 100)
	ctx := newOpContext(&fuse.Context{Caller: fuse.Caller{Pid: 1}, Cancel: cancel}, func(tid uint32) bool {
		select {
		case looks <- struct{}{}:
		default:
		}
		return give.Load()
	})
	defer ctx.finish()
	done := ctx.Done()
	close(cancel)
	<-looks
	<-looks
	if ctx.Err() != nil {
		t.Fatal("an interrupt that is nobody's wish ended the operation")
	}
	give.Store(true)
	<-done
	if ctx.Err() != context.Canceled {
		t.Errorf("Err is %v, want Canceled", ctx.Err())
	}
}

func TestCallerGivesUp(t *testing.T) {
	if callerGivesUp(uint32(os.Getpid())) {
		t.Error("this process is to give up, with no signal pending")
	}
	cmd := exec.Command("sleep", "100")
	must(t, cmd.Start())
	pid := uint32(cmd.Process.Pid)
	if callerGivesUp(pid) {
		t.Error("a process without signals is to give up")
	}
	cmd.Process.Signal(syscall.SIGKILL)
	cmd.Wait()
	if !callerGivesUp(pid) {
		t.Error("a process that is gone goes on waiting")
	}
	if !callerGivesUp(0) {
		t.Error("a process that cannot be seen goes on waiting")
	}
}
