package fs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/hubfs/hubfs/blockcache"
	"github.com/hubfs/hubfs/commit"
	"github.com/hubfs/hubfs/remote"
	"github.com/hubfs/hubfs/remote/hubtest"
	"golang.org/x/sys/unix"
)

const token = "hf_me"

// A fixture is a Hub, and a mount of it.
type fixture struct {
	t      *testing.T
	hub    *hubtest.Hub
	client *remote.Client
	cache  *blockcache.Cache
	store  *commit.Store
	srv    *Server
	mnt    string

	state, cacheDir string
	opts            Options
	anonymous       bool
}

// opts says what a fixture mounts.
type opts struct {
	Options
	Repo      string               // "" = the whole Hub
	Fill      func(h *hubtest.Hub) // before the mount
	State     string               // "" = a new directory
	Cache     string               // "" = a new directory
	Anonymous bool
	Hub       hubtest.Options
	Use       *hubtest.Hub // this Hub instead of a new one
}

// startHub is a Hub where "me" has the token that is used.
func startHub(t *testing.T) *hubtest.Hub {
	t.Helper()
	hub := must1(hubtest.New(hubtest.Options{Dir: filepath.Join(t.TempDir(), "hub")}))(t)
	hub.AddUser("me", token, hubtest.User{})
	must(t, hub.Start("127.0.0.1:0"))
	t.Cleanup(func() { hub.Close() })
	return hub
}

// filesOf is what the branch main has, but for what the Hub itself puts there.
func filesOf(r *hubtest.Repo) map[string]string {
	files := make(map[string]string)
	for name := range r.Files("main") {
		if name != ".gitattributes" {
			files[name] = string(r.Read("main", name))
		}
	}
	return files
}

// mountHub mounts a new Hub, where "me" has the token that is used.
func mountHub(t *testing.T, o opts) *fixture {
	t.Helper()
	needRoot(t)
	dir := t.TempDir()
	f := &fixture{t: t, mnt: filepath.Join(dir, "mnt"), state: o.State, cacheDir: o.Cache, opts: o.Options, anonymous: o.Anonymous}
	if f.state == "" {
		f.state = filepath.Join(dir, "state")
	}
	if f.cacheDir == "" {
		f.cacheDir = filepath.Join(dir, "cache")
	}
	if o.Hub.Dir == "" {
		o.Hub.Dir = filepath.Join(dir, "hub")
	}
	must(t, os.Mkdir(f.mnt, 0o755))
	if f.hub = o.Use; f.hub == nil {
		f.hub = must1(hubtest.New(o.Hub))(t)
		f.hub.AddUser("me", token, hubtest.User{Orgs: map[string]string{"acme": "write"}})
		must(t, f.hub.Start("127.0.0.1:0"))
		t.Cleanup(func() { f.hub.Close() })
	}
	if o.Fill != nil {
		o.Fill(f.hub)
	}
	if o.Repo != "" {
		repo, sub, err := remote.ParseRepo(o.Repo)
		must(t, err)
		f.opts.Repo, f.opts.Subdir = &repo, sub
	}
	f.mount()
	t.Cleanup(f.end)
	return f
}

// mount is also for mounting again after end.
func (f *fixture) mount() {
	f.t.Helper()
	tok := token
	if f.anonymous {
		tok = ""
	}
	if f.opts.Logger == nil {
		f.opts.Logger = slog.New(slog.NewTextHandler(testLog{f.t}, &slog.HandlerOptions{Level: slog.LevelInfo}))
	}
	f.client = must1(remote.New(remote.Options{Endpoint: f.hub.URL(), Token: tok, Timeouts: remote.Timeouts{Backoff: 5 * time.Millisecond}}))(f.t)
	f.cache = must1(blockcache.Open(f.cacheDir, blockcache.Options{Logger: f.opts.Logger}))(f.t)
	f.store = must1(commit.Open(context.Background(), commit.Options{
		Dir: f.state, Client: f.client, Cache: f.cache, Logger: f.opts.Logger, MountPoint: f.mnt, ReadOnly: f.opts.ReadOnly,
	}))(f.t)
	f.srv = must1(Mount(f.mnt, f.client, f.store, f.cache, f.opts))(f.t)
	abortBeforeDeadline(f.t, f.mnt)
}

// abortBeforeDeadline ends the connection of a mount that hangs while the test
// can still tell: a process that waits for its own mount cannot even be killed.
func abortBeforeDeadline(t *testing.T, mnt string) {
	deadline, ok := t.Deadline()
	if !ok {
		return
	}
	var st unix.Stat_t
	must(t, unix.Stat(mnt, &st))
	watchdog := time.AfterFunc(time.Until(deadline)-3*time.Second, func() {
		connections := "/sys/fs/fuse/connections"
		unix.Mount("fusectl", connections, "fusectl", 0, "") // it is there, as a rule
		os.WriteFile(fmt.Sprintf("%s/%d/abort", connections, unix.Minor(st.Dev)), []byte("1"), 0)
	})
	t.Cleanup(func() { watchdog.Stop() })
}

// end unmounts and closes everything; a mount that stays busy is a fault. For a
// moment it may be: a process that is being started has all descriptors of
// this one, and hubfs status looks into each mount of the machine.
func (f *fixture) end() {
	if f.srv == nil {
		return
	}
	err := f.srv.Unmount()
	for try := 0; errors.Is(err, unix.EBUSY) && try < 500; try++ {
		time.Sleep(10 * time.Millisecond)
		err = f.srv.Unmount()
	}
	if err != nil {
		f.t.Errorf("unmount: %v", err)
		unix.Unmount(f.mnt, unix.MNT_DETACH|unix.MNT_FORCE)
		f.srv.Wait()
	}
	f.srv = nil
	must(f.t, f.store.Close())
	must(f.t, f.cache.Close())
	must(f.t, f.client.Close())
}

// testLog puts log lines into the test's output.
type testLog struct{ t *testing.T }

func (w testLog) Write(p []byte) (int, error) {
	if w.t.Context().Err() == nil {
		w.t.Logf("%s", p[:max(0, len(p)-1)])
	}
	return len(p), nil
}

// path is a path in the mount.
func (f *fixture) path(name string) string { return filepath.Join(f.mnt, name) }

// requests is how many the Hub got from do.
func (f *fixture) requests(do func()) int {
	before := f.hub.Requests()
	do()
	return f.hub.Requests() - before
}

// ops is how many operations of a kind the daemon got from do.
func (f *fixture) ops(what string, do func()) int {
	before := f.srv.m.ops.count(what)
	do()
	return int(f.srv.m.ops.count(what) - before)
}

// warm brings a file into the cache as a whole and lets it go again.
func (f *fixture) warm(name string) {
	f.t.Helper()
	if _, err := os.ReadFile(f.path(name)); err != nil {
		f.t.Fatal(err)
	}
	f.eventually("the file is whole", func() bool {
		info, err := f.srv.m.info(context.Background(), name)
		return err == nil && info.Whole
	})
	f.idle(name)
}

// idle waits until the daemon has seen the end of all handles of a file: the
// kernel does not wait for RELEASE.
func (f *fixture) idle(name string) {
	f.t.Helper()
	f.eventually("handles are released", func() bool {
		io := f.ioMode(name)
		if io == nil {
			return true
		}
		io.mu.Lock()
		defer io.mu.Unlock()
		return io.cached == 0 && io.passthrough == 0
	})
}

// ioMode is the bookkeeping of a file that the kernel knows; nil if it does not.
func (f *fixture) ioMode(name string) *ioMode {
	in := f.srv.m.rootInode
	for _, part := range splitPath(name) {
		if in = in.GetChild(part); in == nil {
			return nil
		}
	}
	switch n := in.Operations().(type) {
	case *blobNode:
		return &n.io
	case *stagedNode:
		return &n.io
	}
	return nil
}

func splitPath(p string) (parts []string) {
	for d := filepath.Clean(p); d != "." && d != "/"; d = filepath.Dir(d) {
		parts = append([]string{filepath.Base(d)}, parts...)
	}
	return parts
}

// eventually waits for what the kernel or a goroutine does without being
// waited for.
func (f *fixture) eventually(what string, ok func() bool) {
	f.t.Helper()
	eventually(f.t, what, ok)
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	if !within(ok) {
		t.Fatalf("not so after a long time: %s", what)
	}
}

// within waits until ok, and gives up after a long time.
func within(ok func() bool) bool {
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func must1[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		must(t, err)
		return v
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	return string(b)
}

func write(t *testing.T, path, content string) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(content), 0o644))
}

func wantContent(t *testing.T, path, want string) {
	t.Helper()
	if got := read(t, path); got != want {
		t.Errorf("%s has %s, want %s", path, brief(got), brief(want))
	}
}

func brief(s string) string {
	if len(s) > 40 {
		return fmt.Sprintf("%q… (%d bytes)", s[:40], len(s))
	}
	return fmt.Sprintf("%q", s)
}

func wantErrno(t *testing.T, err error, want syscall.Errno) {
	t.Helper()
	if errno := errnoOf(err); errno != want {
		t.Errorf("error is %v, want %v", err, want)
	}
}

// noise is content that no run of equal blocks hides faults in.
func noise(size int) string {
	b := make([]byte, size)
	x := uint64(size)*2862933555777941757 + 3037000493
	for i := range b {
		x = x*6364136223846793005 + 1442695040888963407
		b[i] = byte(x >> 56)
	}
	return string(b)
}
