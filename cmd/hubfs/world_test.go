package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hubfs/hubfs/integration/proof"
	"github.com/hubfs/hubfs/remote/hubtest"
	"golang.org/x/sys/unix"
)

// The test binary is the command when this variable is set, so that tests run
// real processes, daemons included.
const asCommand = "HUBFS_TEST_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	if mnt := os.Getenv(asStuck); mnt != "" {
		serveStuck(mnt)
	}
	os.Exit(m.Run())
}

// A world is a Hub, a user with a token, and directories to mount with.
type world struct {
	t   *testing.T
	hub *hubtest.Hub
	dir string
	mnt string
	bin string
	env []string

	user *syscall.Credential // nil: whoever runs the tests
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	hub, err := hubtest.New(hubtest.Options{Dir: filepath.Join(dir, "server")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hub.Close() })
	hub.AddUser("me", canary, hubtest.User{})
	hub.Repo("acme/model").Commit("main", "Add files", map[string]string{"config.json": "{}", "sub/a.txt": "a"})
	if err := hub.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, hub: hub, dir: dir, mnt: filepath.Join(dir, "mnt"), bin: os.Args[0]}
	if err := os.Mkdir(w.mnt, 0o755); err != nil {
		t.Fatal(err)
	}
	w.env = []string{
		asCommand + "=1", "GORACE=atexit_sleep_ms=0", "PATH=" + os.Getenv("PATH"), "HOME=" + dir,
		"HF_ENDPOINT=" + hub.URL(), "HF_TOKEN=" + canary,
		"HUBFS_WAIT=1s", "HUBFS_CACHE_DIR=" + filepath.Join(dir, "cache"), "HUBFS_STATE_DIR=" + filepath.Join(dir, "state"),
	}
	t.Cleanup(w.end)
	return w
}

// needFuse skips tests that mount where nothing can.
func needFuse(t *testing.T) {
	t.Helper()
	if err := checkFuse(false); err != nil {
		proof.Missing(t, err)
	}
}

// end leaves neither mount nor daemon behind, however the test went.
func (w *world) end() {
	for range 3 {
		if !slices.Contains(w.mounts(), w.mnt) {
			return
		}
		if w.t.Failed() {
			w.t.Logf("log of the daemon:\n%s", w.log())
		}
		w.run("umount", "--force", w.mnt)
		if slices.Contains(w.mounts(), w.mnt) {
			unix.Unmount(w.mnt, unix.MNT_DETACH)
		}
	}
}

func (w *world) mounts() []string {
	m, err := hubfsMounts()
	if err != nil {
		w.t.Error(err)
	}
	return m
}

func (w *world) log() string {
	b, _ := os.ReadFile(filepath.Join(w.dir, "state", "log", mountName(w.mnt)+".log"))
	return string(b)
}

// A result is what a process printed and how it ended.
type result struct {
	out, err string
	code     int
}

// set replaces or adds variables of the commands to come.
func (w *world) set(kv ...string) {
	for _, s := range kv {
		name, _, _ := strings.Cut(s, "=")
		w.env = slices.DeleteFunc(w.env, func(old string) bool { return strings.HasPrefix(old, name+"=") })
		w.env = append(w.env, s)
	}
}

func (w *world) command(args ...string) *exec.Cmd {
	cmd := exec.Command(w.bin, args...)
	cmd.Env = w.env
	cmd.Dir = w.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: w.user}
	return cmd
}

// commandTime ends a command that hangs; it is no measure of anything.
const commandTime = 60 * time.Second

func (w *world) run(args ...string) result {
	w.t.Helper()
	return w.finish(w.command(args...))
}

func (w *world) finish(cmd *exec.Cmd) result {
	w.t.Helper()
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	// A daemon that holds on to the output would keep Wait waiting: that is an
	// error of its own.
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), commandTime)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { cmd.Process.Signal(syscall.SIGQUIT) })
	defer stop()
	err := cmd.Wait()
	if errors.Is(err, exec.ErrWaitDelay) {
		w.t.Errorf("%v: something still holds its output", cmd.Args[1:])
	}
	return result{out.String(), errOut.String(), cmd.ProcessState.ExitCode()}
}

// must runs a command that has to succeed.
func (w *world) must(args ...string) result {
	w.t.Helper()
	r := w.run(args...)
	if r.code != 0 {
		w.t.Fatalf("hubfs %s: exit %d\n%s%s\nlog of the daemon:\n%s", strings.Join(args, " "), r.code, r.out, r.err, w.log())
	}
	return r
}

// fails runs a command that has to fail with a code and certain words, in one
// line that needs no other to be understood.
func (w *world) fails(code int, words string, args ...string) result {
	w.t.Helper()
	r := w.run(args...)
	if r.code != code || !strings.Contains(r.err, words) {
		w.t.Errorf("hubfs %s: exit %d, want %d and %q\n%s%s", strings.Join(args, " "), r.code, code, words, r.out, r.err)
	}
	return r
}

func contains(s string, words ...string) bool {
	for _, w := range words {
		if !strings.Contains(s, w) {
			return false
		}
	}
	return true
}
