package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hubfs/hubfs/integration/proof"
	"github.com/hubfs/hubfs/remote/hubtest"
)

const (
	user    = "me"
	hfToken = "hf_token_of_me"
)

// binary is the command under test: the one that was just built, or, without
// HUBFS_BIN, one built here.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		if binary = os.Getenv("HUBFS_BIN"); binary == "" {
			dir, err := os.MkdirTemp("", "hubfs-bin-")
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				return 1
			}
			defer os.RemoveAll(dir)
			binary = filepath.Join(dir, "hubfs")
			build := exec.Command("go", "build", "-o", binary, "../cmd/hubfs")
			build.Env = append(os.Environ(), "CGO_ENABLED=0")
			if out, err := build.CombinedOutput(); err != nil {
				// The layout is still checked: it may be what is wrong.
				fmt.Fprintf(os.Stderr, "build the command: %v\n%s", err, out)
				binary = ""
			}
		}
		return m.Run()
	}())
}

// A mount is a daemon of the built command on an in-process Hub, with cache and
// state folders of its own.
type mount struct {
	t    *testing.T
	hub  *hubtest.Hub
	base string // holds all that follows
	mnt  string
	args []string // of `hubfs mount`, before the mount point
	env  []string
	cred *syscall.Credential // who runs the command; nil is who runs the test
}

func newHub(t *testing.T) *hubtest.Hub {
	t.Helper()
	hub, err := hubtest.New(hubtest.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	hub.AddUser(user, hfToken, hubtest.User{})
	if err := hub.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if n := hub.TokenLeaks(); n > 0 {
			t.Errorf("the token went to the content origin %d times", n)
		}
		hub.Fault(nil)
		if err := hub.Close(); err != nil {
			t.Error(err)
		}
	})
	return hub
}

// newMount prepares a mount without starting it. args are put before the mount
// point: flags, and the repo if it is not to be the whole Hub.
func newMount(t *testing.T, hub *hubtest.Hub, args ...string) *mount {
	t.Helper()
	if binary == "" {
		t.Fatal("the command does not build")
	}
	if _, err := os.Stat("/dev/fuse"); err != nil {
		proof.Missing(t, err)
	}
	m := &mount{t: t, hub: hub, base: t.TempDir(), args: args}
	m.mnt = filepath.Join(m.base, "mnt")
	for _, d := range []string{"mnt", "home", "cache", "state"} {
		if err := os.Mkdir(filepath.Join(m.base, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(name, "HF_") && !strings.HasPrefix(name, "HUBFS_") && !strings.HasPrefix(name, "XDG_") && name != "HOME" {
			m.env = append(m.env, kv)
		}
	}
	m.setenv("HOME", filepath.Join(m.base, "home"))
	m.setenv("HF_ENDPOINT", hub.URL())
	m.setenv("HF_TOKEN", hfToken)
	m.setenv("HUBFS_CACHE_DIR", filepath.Join(m.base, "cache"))
	m.setenv("HUBFS_STATE_DIR", filepath.Join(m.base, "state"))
	t.Cleanup(m.end)
	return m
}

// mountHub mounts hub with a cold cache.
func mountHub(t *testing.T, hub *hubtest.Hub, args ...string) *mount {
	t.Helper()
	m := newMount(t, hub, args...)
	m.start()
	return m
}

func (m *mount) setenv(name, value string) {
	m.env = slices.DeleteFunc(m.env, func(kv string) bool { return strings.HasPrefix(kv, name+"=") })
	if value != "" {
		m.env = append(m.env, name+"="+value)
	}
}

// run runs the command and returns its exit code and all it said.
func (m *mount) run(args ...string) (code int, out string) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env, cmd.Dir = m.env, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: m.cred}
	var b bytes.Buffer
	cmd.Stdout, cmd.Stderr = &b, &b
	cmd.WaitDelay = 5 * time.Second
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		m.t.Fatalf("hubfs %s: %v\n%s", strings.Join(args, " "), err, &b)
	}
	return cmd.ProcessState.ExitCode(), b.String()
}

func (m *mount) must(args ...string) string {
	m.t.Helper()
	code, out := m.run(args...)
	if code != 0 {
		m.t.Fatalf("hubfs %s: exit code %d\n%s%s", strings.Join(args, " "), code, out, m.log())
	}
	return out
}

func (m *mount) tryStart() (int, string) {
	m.t.Helper()
	return m.run(append(append([]string{"mount"}, m.args...), m.mnt)...)
}

func (m *mount) start() {
	m.t.Helper()
	if code, out := m.tryStart(); code != 0 {
		m.t.Fatalf("mount: exit code %d\n%s%s", code, out, m.log())
	}
}

// path is a path in the mount.
func (m *mount) path(parts ...string) string {
	return filepath.Join(append([]string{m.mnt}, parts...)...)
}

// log is what the daemons of this mount logged.
func (m *mount) log() string {
	logs, _ := filepath.Glob(filepath.Join(m.base, "state", "log", "*.log"))
	var all strings.Builder
	for _, l := range logs {
		b, _ := os.ReadFile(l)
		all.Write(b)
	}
	return all.String()
}

// status reads the mount's status into a generic value: the tests look at few
// of its fields.
func (m *mount) status() map[string]any {
	m.t.Helper()
	var b []byte
	err := bounded(m.t, 30*time.Second, "status", func() (err error) {
		b, err = os.ReadFile(m.path(".hubfs", "status"))
		return err
	})
	if err != nil {
		m.t.Fatal(err)
	}
	var s map[string]any
	if err := json.Unmarshal(b, &s); err != nil {
		m.t.Fatalf("status: %v\n%s", err, b)
	}
	return s
}

// pid is the daemon's process.
func (m *mount) pid() int {
	m.t.Helper()
	pid, ok := m.status()["pid"].(float64)
	if !ok || pid <= 0 {
		m.t.Fatalf("status names no pid: %v", m.status())
	}
	return int(pid)
}

// end takes the mount down without a commit, by force: the daemon may hang, and
// removing a folder tree with a live mount in it would remove through it.
func (m *mount) end() {
	if m.t.Failed() {
		m.t.Logf("log of the daemon:\n%s", m.log())
	}
	for _, pid := range processesOf(m.mnt) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	deadline := time.Now().Add(20 * time.Second)
	for len(processesOf(m.mnt)) > 0 && time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond)
	}
	for mounted(m.mnt) {
		if err := syscall.Unmount(m.mnt, syscall.MNT_DETACH); err != nil {
			m.t.Errorf("unmount %s: %v", m.mnt, err)
			return
		}
	}
}

// processesOf are the processes of the command that have path as an argument.
func processesOf(path string) (pids []int) {
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, l := range lines {
		b, err := os.ReadFile(l)
		if err != nil {
			continue
		}
		argv := strings.Split(string(b), "\x00")
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(l)))
		if err == nil && filepath.Base(argv[0]) == filepath.Base(binary) && slices.Contains(argv, path) {
			pids = append(pids, pid)
		}
	}
	return pids
}

func mounted(path string) bool {
	b, _ := os.ReadFile("/proc/self/mounts")
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && f[1] == path {
			return true
		}
	}
	return false
}

// sh runs a shell command in the mount's folder.
func (m *mount) sh(command string) string {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Dir, cmd.Env = m.mnt, m.env
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		m.t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return string(out)
}

// bounded fails the test when f takes longer than limit: what hangs in the
// kernel cannot be cancelled from here.
func bounded(t *testing.T, limit time.Duration, what string, f func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-time.After(limit):
		t.Fatalf("%s: no answer within %s", what, limit)
		return nil
	}
}

// waitUntil polls; its limit is for tests that fail.
func waitUntil(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !condition(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

// out runs a program of the system.
func out(t *testing.T, name string, args ...string) string {
	t.Helper()
	b, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, b)
	}
	return string(b)
}
