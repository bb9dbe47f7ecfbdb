package fs

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hubfs/hubfs/remote/hubtest"
)

func init() {
	children["cat under signals"] = func(args []string) error { return catUnderSignals(args[0]) }
	children["cat"] = func(args []string) error {
		b, err := os.ReadFile(args[0])
		if err == nil {
			_, err = os.Stdout.Write(b)
		}
		return err
	}
}

// catUnderSignals reads a file while it is sent signals that mean nothing, as a
// profiler and the Go runtime do, by system calls that are not tried again.
func catUnderSignals(path string) error {
	for _, s := range []os.Signal{syscall.SIGPROF, syscall.SIGURG, syscall.SIGCHLD, syscall.SIGUSR1, syscall.SIGALRM} {
		signal.Notify(make(chan os.Signal, 1), s)
	}
	stop := make(chan struct{})
	var sent atomic.Int64
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(200 * time.Microsecond):
			}
			for _, s := range []syscall.Signal{syscall.SIGPROF, syscall.SIGURG, syscall.SIGUSR1} {
				syscall.Kill(os.Getpid(), s)
				sent.Add(1)
			}
		}
	}()
	defer close(stop)
	fd, err := syscall.Open(path, syscall.O_RDONLY, 0)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer syscall.Close(fd)
	b := make([]byte, 1<<20)
	total := 0
	for {
		n, err := syscall.Read(fd, b)
		if err != nil {
			return fmt.Errorf("read at %d: %w", total, err)
		}
		if n == 0 {
			break
		}
		total += n
	}
	if sent.Load() == 0 {
		return fmt.Errorf("no signal was sent")
	}
	fmt.Print(total)
	return nil
}

// gate lets requests of one kind wait until it is opened.
type gate struct {
	open    chan struct{}
	waiting chan struct{}
}

// hold makes requests whose path contains part wait.
func (f *fixture) hold(part string) *gate {
	g := &gate{open: make(chan struct{}), waiting: make(chan struct{}, 100)}
	f.hub.Fault(func(r *http.Request) *hubtest.Fault {
		if strings.Contains(r.URL.Path, part) {
			g.waiting <- struct{}{}
			select {
			case <-g.open:
			case <-r.Context().Done():
			}
		}
		return nil
	})
	return g
}

func TestSignalsThatMeanNothing(t *testing.T) {
	f := mountHub(t, opts{Fill: func(h *hubtest.Hub) { h.Repo("acme/m").Put("dir/file", noise(2<<20)) }})
	// Each kind of request is slow enough to be interrupted many times.
	f.hub.Shape(hubtest.Shape{Delay: 50 * time.Millisecond})
	out, err := child(t, "cat under signals", f.path("acme/m/dir/file")).CombinedOutput()
	if err != nil || string(out) != fmt.Sprint(2<<20) {
		t.Errorf("%v: %s", err, out)
	}
}

// A program that is killed ends, whatever it waits for, also if another signal
// came first: the kernel tells us of one only.
func TestKilledReaderDies(t *testing.T) {
	for _, c := range []struct{ what, part string }{{"lookup of a repo", "/api/models/acme/m"}, {"listing", "/tree/"}, {"read", "/resolve/"}} {
		for _, first := range []syscall.Signal{0, syscall.SIGURG} {
			t.Run(fmt.Sprintf("%s after %d", c.what, first), func(t *testing.T) {
				f := mountHub(t, opts{Fill: func(h *hubtest.Hub) { h.Repo("acme/m").Put("file", noise(100)) }})
				g := f.hold(c.part)
				defer close(g.open)
				cmd := child(t, "cat", f.path("acme/m/file"))
				must(t, cmd.Start())
				<-g.waiting
				if first != 0 {
					must(t, cmd.Process.Signal(first))
				}
				must(t, cmd.Process.Kill())
				died(t, cmd)
			})
		}
	}
}

// died waits for the end of a process that is to end without help.
func died(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	done := make(chan struct{})
	go func() { cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Error("it does not die")
	}
}

// Ctrl-C ends a wait too, and what was waited for goes on for others.
func TestInterruptedByPerson(t *testing.T) {
	f := mountHub(t, opts{Fill: func(h *hubtest.Hub) { h.Repo("acme/m").Put("file", "content") }})
	_, err := os.Stat(f.path("acme/m/file"))
	must(t, err)
	g := f.hold("/resolve/")
	cmd := exec.Command("cat", f.path("acme/m/file"))
	must(t, cmd.Start())
	<-g.waiting
	must(t, cmd.Process.Signal(syscall.SIGINT))
	died(t, cmd)
	close(g.open)
	wantContent(t, f.path("acme/m/file"), "content")
}
