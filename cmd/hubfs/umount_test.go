package main

import (
	"bufio"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/hubfs/hubfs/remote/hubtest"
	"golang.org/x/sys/unix"
)

// refuseCommits makes each commit fail until the function returned is called.
func (w *world) refuseCommits() (allow func()) {
	w.hub.Fault(func(r *http.Request) *hubtest.Fault {
		if strings.Contains(r.URL.Path, "/commit/") {
			return &hubtest.Fault{Status: 403, Body: `{"error":"quota exceeded"}`}
		}
		return nil
	})
	return func() { w.hub.Fault(nil) }
}

func TestUmountWhoseCommitFails(t *testing.T) {
	w := mounted(t)
	w.write("me/new/a.txt", "a")
	allow := w.refuseCommits()
	r := w.fails(exitCommit, "quota exceeded", "umount", w.mnt)
	if !contains(r.err, "still staged", "hubfs umount --force "+w.mnt) || !w.isMounted() {
		t.Errorf("mounted: %t, %s", w.isMounted(), r.err)
	}
	w.fails(exitCommit, "still staged", "sync", w.path("me/new"))
	if r := w.must("status", w.mnt); !contains(r.out, "quota exceeded") {
		t.Errorf("status:\n%s", r.out)
	}
	if r := w.must("umount", "--force", w.mnt); !contains(r.err, "staged for the next mount: 1 change of me/new@main") || w.isMounted() {
		t.Error(r.err)
	}
	allow()
	w.must("mount", w.mnt)
	if got := w.read("me/new/a.txt"); got != "a" {
		t.Errorf("a.txt is %q", got)
	}
	w.must("umount", w.mnt)
	if got := w.titles("me/new"); len(got) != 2 {
		t.Errorf("commits: %q", got)
	}
}

// What is gone with the state directory is not said to be kept.
func TestUmountWithoutItsStateDirectory(t *testing.T) {
	w := mounted(t)
	w.write("me/new/a.txt", "a")
	if err := os.RemoveAll(filepath.Join(w.dir, "state")); err != nil {
		t.Fatal(err)
	}
	if r := w.must("status", w.mnt); !contains(r.out, "its state directory was removed") {
		t.Error(r.out)
	}
	if r := w.must("umount", "--force", w.mnt); !contains(r.err, "lost, since the state directory was removed: 1 change of me/new@main") || contains(r.err, "next mount") {
		t.Error(r.err)
	}
}

// What somebody with a token staged is in nobody's way who has none.
func TestUmountLeavesWhatItMayNotWrite(t *testing.T) {
	w := mounted(t)
	w.write("me/new/a.txt", "a")
	w.must("umount", "--force", w.mnt)
	w.set("HF_TOKEN=")
	w.must("mount", w.mnt)
	if r := w.must("status", w.mnt); !contains(r.out, "me/new") {
		t.Errorf("status:\n%s", r.out)
	}
	if err := os.WriteFile(w.path("me/new/a.txt"), []byte("b"), 0o644); !errors.Is(err, unix.EROFS) {
		t.Error(err)
	}
	if r := w.must("umount", w.mnt); !contains(r.out, "me/new: left staged: ") || w.isMounted() {
		t.Errorf("%s%s", r.out, r.err)
	}
	w.set("HF_TOKEN=" + canary)
	w.must("mount", w.mnt)
	w.must("umount", w.mnt)
	if got := w.titles("me/new"); len(got) != 2 || string(w.hub.Repo("me/new").Read("", "a.txt")) != "a" {
		t.Errorf("commits: %q", got)
	}
}

// Nor can somebody add to it whose token may not write there.
func TestStagedByAnotherAccount(t *testing.T) {
	w := mounted(t)
	w.hub.AddUser("you", "hf_"+strings.Repeat("y", 34), hubtest.User{})
	w.write("me/new/a.txt", "a")
	w.must("umount", "--force", w.mnt)
	w.set("HF_TOKEN=hf_" + strings.Repeat("y", 34))
	w.must("mount", w.mnt)
	if got := w.read("me/new/a.txt"); got != "a" {
		t.Errorf("a.txt is %q", got)
	}
	for _, name := range []string{"a.txt", "b.txt"} {
		if err := os.WriteFile(w.path("me/new", name), []byte("b"), 0o644); !errors.Is(err, unix.EROFS) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if r := w.must("status", w.mnt); !contains(r.out, "me/new@main: new, created by its first commit, read-only (") {
		t.Error(r.out)
	}
	if r := w.must("umount", w.mnt); !contains(r.out, "me/new: left staged: ") {
		t.Errorf("%s%s", r.out, r.err)
	}
	w.set("HF_TOKEN=" + canary)
	w.must("mount", w.mnt)
	w.write("me/new/b.txt", "b")
	w.must("umount", w.mnt)
	if got := string(w.hub.Repo("me/new").Read("", "a.txt")) + string(w.hub.Repo("me/new").Read("", "b.txt")); got != "ab" {
		t.Errorf("the Hub has %q", got)
	}
}

func TestUmountConflict(t *testing.T) {
	w := mounted(t)
	w.write("me/new/a.txt", "a")
	w.must("sync", w.path("me/new"))
	w.write("me/new/a.txt", "mine")
	w.hub.Repo("me/new").Put("a.txt", "theirs")
	w.fails(exitConflict, "a.txt", "sync", w.path("me/new"))
	r := w.fails(exitConflict, "a.txt", "umount", w.mnt)
	if !contains(r.err, "Both versions are kept", "umount --force "+w.mnt) || !w.isMounted() {
		t.Errorf("mounted: %t, %s", w.isMounted(), r.err)
	}
	if got := w.read("me/new/a.txt"); got != "mine" {
		t.Errorf("a.txt is %q", got)
	}
	if r := w.must("status", w.mnt); !contains(r.out, "in conflict", "a.txt") {
		t.Errorf("status:\n%s", r.out)
	}
}

func TestUmountBusy(t *testing.T) {
	w := mounted(t)
	w.write("me/new/done.txt", "d")
	f, err := os.Create(w.path("me/new/open.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w.fails(exitBusy, "open.txt", "umount", w.mnt)
	f.Close()

	cmd := exec.Command("sleep", "1000")
	cmd.Dir = w.path("acme/model")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	r := w.fails(exitBusy, "sleep (pid ", "umount", w.mnt)
	if !contains(r.err, "working directory", "--force") || !w.isMounted() {
		t.Errorf("mounted: %t, %s", w.isMounted(), r.err)
	}
	if r := w.must("umount", "--force", w.mnt); !contains(r.err, "busy") || w.isMounted() {
		t.Errorf("mounted: %t, %s", w.isMounted(), r.err)
	}
}

func TestPlainUmountCommitsAndTheNextMountWaits(t *testing.T) {
	w := mounted(t)
	w.write("me/new/a.txt", "a")
	committing, release := w.hold("/commit/")
	daemon := w.daemonOf()
	if err := unmount(t.Context(), w.mnt, false); err != nil {
		t.Fatal(err)
	}
	w.await(committing, daemon)
	next := w.command("mount", w.mnt)
	stderr, err := next.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := next.Start(); err != nil {
		t.Fatal(err)
	}
	said, _ := bufio.NewReader(stderr).ReadString('\n')
	if !contains(said, "waiting", "commits") {
		t.Errorf("the next mount said %q", said)
	}
	release()
	if err := next.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := w.titles("me/new"); len(got) != 2 {
		t.Errorf("commits: %q", got)
	}
	if got := w.staged(); len(got) != 0 {
		t.Errorf("still staged: %q", got)
	}
}

// signal sends sig to the daemon and waits until it has ended.
func (w *world) signal(sig syscall.Signal) {
	w.t.Helper()
	pid := w.status().PID
	p, err := openProcess(pid)
	if err != nil {
		w.t.Fatal(err)
	}
	defer p.Close()
	if err := unix.PidfdSendSignal(p.fd, sig, nil, 0); err != nil {
		w.t.Fatal(err)
	}
	if err := p.wait(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

func TestSignalCommitsAndUnmounts(t *testing.T) {
	w := mounted(t)
	w.write("me/new/a.txt", "a")
	w.signal(syscall.SIGTERM)
	if got := w.titles("me/new"); len(got) != 2 || w.isMounted() {
		t.Errorf("commits: %q, mounted: %t\n%s", got, w.isMounted(), w.log())
	}
}

func TestSignalKeepsWhatCannotBeCommitted(t *testing.T) {
	w := mounted(t)
	w.write("me/new/a.txt", "a")
	allow := w.refuseCommits()
	w.signal(syscall.SIGINT)
	if w.isMounted() || !contains(w.log(), "quota exceeded") {
		t.Errorf("mounted: %t\n%s", w.isMounted(), w.log())
	}
	allow()
	w.must("mount", w.mnt)
	if got := w.read("me/new/a.txt"); got != "a" {
		t.Errorf("a.txt is %q", got)
	}
}

func TestKilledDaemon(t *testing.T) {
	w := mounted(t)
	w.write("me/new/a.txt", "a")
	w.signal(syscall.SIGKILL)
	if !w.isMounted() {
		t.Fatal("the mount is gone")
	}
	r := w.run("status", w.mnt)
	if r.code != 1 || !contains(r.out+r.err, "daemon of "+w.mnt+" has ended", "hubfs umount") {
		t.Errorf("status: %d\n%s%s", r.code, r.out, r.err)
	}
	w.fails(1, "has ended", "sync", w.mnt)
	if r := w.must("mount", w.mnt); !contains(r.err, "cleaned up "+w.mnt) {
		t.Error(r.err)
	}
	if got := w.read("me/new/a.txt"); got != "a" {
		t.Errorf("a.txt is %q", got)
	}
	w.signal(syscall.SIGKILL)
	if r := w.must("umount", w.mnt); !contains(r.err, "cleaned up") || w.isMounted() {
		t.Errorf("mounted: %t, %s", w.isMounted(), r.err)
	}
	w.fails(1, "is not in a hubfs mount", "umount", w.mnt)
}

func TestStagedWorkIsThereWithoutTheHub(t *testing.T) {
	w := mounted(t)
	w.write("me/new/a.txt", "a")
	w.signal(syscall.SIGKILL)
	w.hub.Fault(func(*http.Request) *hubtest.Fault { return &hubtest.Fault{Drop: true} })
	if r := w.must("mount", w.mnt); !contains(r.err, "cannot be reached", "what is staged is there") {
		t.Error(r.err)
	}
	if got := w.read("me/new/a.txt"); got != "a" {
		t.Errorf("a.txt is %q", got)
	}
	w.hub.Fault(nil)
	w.must("umount", w.mnt)
	if got := w.titles("me/new"); len(got) != 2 {
		t.Errorf("commits: %q", got)
	}
}

func TestMountWithoutTheHub(t *testing.T) {
	needFuse(t)
	w := newWorld(t)
	w.hub.Fault(func(*http.Request) *hubtest.Fault { return &hubtest.Fault{Drop: true} })
	w.fails(1, "cannot be reached", "mount", w.mnt)
	if w.isMounted() {
		t.Error("mounted")
	}
}
