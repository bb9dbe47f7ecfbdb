package main

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hubfs/hubfs/remote/hubtest"
	"golang.org/x/sys/unix"
)

// hold keeps requests whose path has a part in it waiting until release is
// called; arrived gets a value for each.
func (w *world) hold(part string) (arrived <-chan struct{}, release func()) {
	came := make(chan struct{}, 100)
	open := make(chan struct{})
	w.hub.Fault(func(r *http.Request) *hubtest.Fault {
		if strings.Contains(r.URL.Path, part) {
			came <- struct{}{}
			<-open
		}
		return nil
	})
	release = sync.OnceFunc(func() {
		close(open)
		w.hub.Fault(nil)
	})
	w.t.Cleanup(release) // before the Hub is closed, which waits for them
	return came, release
}

// await waits for a request that is held, which the daemon is about to make.
func (w *world) await(arrived <-chan struct{}, daemon *process) {
	w.t.Helper()
	for {
		select {
		case <-arrived:
			return
		default:
		}
		if ended, err := daemon.ended(50); ended || err != nil {
			w.t.Fatalf("the daemon has ended, %v\n%s", err, w.log())
		}
	}
}

// daemonOf opens the daemon, to be signalled and waited for.
func (w *world) daemonOf() *process {
	w.t.Helper()
	p, err := openDaemon(w.status().PID, w.mnt)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(p.Close)
	return p
}

func (p *process) signal(t *testing.T, sig unix.Signal) {
	t.Helper()
	if err := unix.PidfdSendSignal(p.fd, sig, nil, 0); err != nil {
		t.Fatal(err)
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	w := mounted(t)
	w.write("me/new/a.txt", "a")
	arrived, release := w.hold("/commit/")
	d := w.daemonOf()
	d.signal(t, unix.SIGTERM)
	w.await(arrived, d)
	d.signal(t, unix.SIGTERM)
	if err := d.wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if w.isMounted() || !contains(w.log(), "at once") {
		t.Errorf("mounted: %t\n%s", w.isMounted(), w.log())
	}
	release()
	w.must("mount", w.mnt)
	if got := w.read("me/new/a.txt"); got != "a" {
		t.Errorf("a.txt is %q", got)
	}
	w.must("umount", w.mnt)
	if got := w.titles("me/new"); len(got) != 2 {
		t.Errorf("commits: %q", got)
	}
}

func TestHangupDoesNotEndTheDaemon(t *testing.T) {
	w := mounted(t)
	w.daemonOf().signal(t, unix.SIGHUP)
	if got := w.read("acme/model/config.json"); got != "{}" {
		t.Errorf("config.json is %q", got)
	}
	w.must("umount", w.mnt)
}

func TestSignalWhileBusy(t *testing.T) {
	w := mounted(t)
	cmd := exec.Command("sleep", "1000")
	cmd.Dir = w.path("acme/model")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	d := w.daemonOf()
	d.signal(t, unix.SIGTERM)
	if err := d.wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if w.isMounted() || !contains(w.log(), "in use") {
		t.Errorf("mounted: %t\n%s", w.isMounted(), w.log())
	}
}

func TestInterruptedMount(t *testing.T) {
	needFuse(t)
	w := newWorld(t)
	arrived, release := w.hold("/whoami")
	cmd := w.command("mount", w.mnt)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-arrived
	d := findDaemon(w.mnt)
	if d == nil {
		t.Fatal("no daemon")
	}
	defer d.Close()
	cmd.Process.Signal(syscall.SIGINT)
	cmd.Wait()
	release()
	if cmd.ProcessState.ExitCode() != 1 || stderr.String() != "hubfs: interrupted\n" {
		t.Errorf("%s: %s", cmd.ProcessState, &stderr)
	}
	if ended, _ := d.ended(0); !ended || w.isMounted() {
		t.Errorf("the daemon has ended: %t, mounted: %t", ended, w.isMounted())
	}
}

// Two at once: one mounts, the other one says so and does not wait.
func TestTwoMountsAtOnce(t *testing.T) {
	needFuse(t)
	w := newWorld(t)
	arrived, release := w.hold("/whoami")
	first, second := w.command("mount", w.mnt), w.command("mount", w.mnt)
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	<-arrived
	stderr, err := second.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(stderr)
	lines.ReadString('\n') // it waits
	release()
	said, _ := lines.ReadString('\n')
	if second.Wait(); second.ProcessState.ExitCode() != 1 || !contains(said, "is a hubfs mount already") {
		t.Errorf("%s: %s", second.ProcessState, said)
	}
	if err := first.Wait(); err != nil || !w.isMounted() {
		t.Errorf("the first: %v", err)
	}
}

// A descriptor of the script that mounts must not live on in the daemon.
func TestDaemonInheritsNothing(t *testing.T) {
	needFuse(t)
	w := newWorld(t)
	r, held, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := w.command("mount", w.mnt)
	cmd.ExtraFiles = []*os.File{held}
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	held.Close()
	r.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := r.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
		t.Errorf("the daemon holds the pipe: %v", err)
	}
	if cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", w.status().PID)); err != nil || cwd != "/" {
		t.Errorf("the daemon is in %s, %v", cwd, err)
	}
}

func TestDaemonThatHangs(t *testing.T) {
	t.Parallel() // it waits for time to pass
	w := mounted(t)
	w.write("me/new/a.txt", "a")
	d := w.daemonOf()
	d.signal(t, unix.SIGSTOP)
	if r := w.run("umount", "--force", w.mnt); r.code != 0 || !contains(r.err, "did not answer") || w.isMounted() {
		d.signal(t, unix.SIGCONT)
		t.Fatalf("exit %d: %s", r.code, r.err)
	}
	w.must("mount", w.mnt)
	if got := w.read("me/new/a.txt"); got != "a" {
		t.Errorf("a.txt is %q", got)
	}
}
