package commit

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hubfs/hubfs/blockcache"
	"github.com/hubfs/hubfs/integration/proof"
	"github.com/hubfs/hubfs/remote"
	"golang.org/x/sys/unix"
)

const childEnv = "HUBFS_COMMIT_TEST_CHILD"

// steps are what the child does before it is killed.
var steps = [][]string{
	{"mkdir", "d"}, {"save", "d/.tmp1", "one"}, {"mv", "d/.tmp1", "d/model.bin"}, {"save", "config.json", "{}"},
	{"save", "a", "a2"}, {"mv", "old", "new"}, {"rm", "new/y"}, {"edit", "b", "+"}, {"sync"},
	{"save", "config.json", "{2}"}, {"rm", "a"}, {"mv", "d", "new/d"}, {"edit", "new/d/model.bin", "+two"}, {"sync"},
	{"save", "t", "t"}, {"rm", "t"}, {"edit", "new/x", "!"}, {"save", "last", "l"},
}

var stepStart = map[string]string{"a": "a", "b": "b", "old/x": "x", "old/y": "y", "c": "c"}

// model is the view after the first n steps, without empty directories.
func stepModel(n int) map[string]string {
	m := maps.Clone(stepStart)
	for _, s := range steps[:n] {
		switch s[0] {
		case "save":
			m[s[1]] = s[2]
		case "edit":
			m[s[1]] += s[2]
		case "rm":
			delete(m, s[1])
		case "mv":
			for p, c := range maps.Clone(m) {
				if p == s[1] || strings.HasPrefix(p, s[1]+"/") {
					delete(m, p)
					m[s[2]+p[len(s[1]):]] = c
				}
			}
		}
	}
	return m
}

func do(t testing.TB, w *Worktree, s []string) {
	switch s[0] {
	case "mkdir":
		mkdir(t, w, s[1])
	case "save":
		save(t, w, s[1], s[2])
	case "edit":
		d, name := at(t, w, s[1])
		f, err := d.Edit(ctx, name, false)
		if err != nil {
			t.Fatal(err)
		}
		write(t, f, s[2], os.O_APPEND)
	case "rm":
		rm(t, w, s[1])
	case "mv":
		mv(t, w, s[1], s[2])
	case "sync":
		commitAll(t, w)
	}
	d := w.Root()
	if err := d.Sync(ctx); err != nil {
		t.Fatal(err)
	}
}

// childT is what the helpers need of a test.
type childT struct{ testing.TB }

func (childT) Helper() {}
func (childT) Fatal(args ...any) {
	fmt.Fprintln(os.Stderr, args...)
	os.Exit(3)
}
func (c childT) Fatalf(f string, args ...any) { c.Fatal(fmt.Sprintf(f, args...)) }

// child runs the steps on acme/m and kills itself before the n-th effect on
// the state directory; with n = 0 it says how many there are.
func child() {
	var url, dir string
	var n int64
	fmt.Sscan(os.Getenv(childEnv), &url, &dir, &n)
	t := childT{}
	client, err := remote.New(remote.Options{Endpoint: url, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	cache, err := blockcache.Open(filepath.Join(dir, "cache"), blockcache.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(ctx, Options{Dir: filepath.Join(dir, "state"), Client: client, Cache: cache, MountPoint: "/nowhere"})
	if err != nil {
		t.Fatal(err)
	}
	var count atomic.Int64
	s.hook = func(op, name string) error {
		if count.Add(1) == n {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		return nil
	}
	w, err := s.Worktree(ctx, remote.Repo{Type: remote.Model, ID: "acme/m"})
	if err != nil {
		t.Fatal(err)
	}
	for i, step := range steps {
		do(t, w, step)
		fmt.Println(i + 1)
	}
	fmt.Println("effects", count.Load())
	if n == 0 {
		os.Exit(0)
	}
	select {} // alive, with everything open
}

// startChild gives what the child said before it ended, or all with wait.
func startChild(t *testing.T, w *world, n int) (done int, effects int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %d", childEnv, w.hub.URL(), w.dir, n))
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && !strings.Contains(err.Error(), "killed") {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	for s := bufio.NewScanner(&out); s.Scan(); {
		if v, ok := strings.CutPrefix(s.Text(), "effects "); ok {
			effects, _ = strconv.Atoi(v)
		} else {
			done, _ = strconv.Atoi(s.Text())
		}
	}
	return done, effects
}

// TestKill kills a process before each effect it has on the state directory:
// what had returned is there, and each sync is one commit at most.
func TestKill(t *testing.T) {
	fresh := func(t *testing.T) *world {
		w := newWorld(t)
		w.close()
		w.hub.Repo("acme/m").Commit("main", "start", stepStart)
		return w
	}
	w := fresh(t)
	done, effects := startChild(t, w, 0)
	if done != len(steps) || effects < 50 {
		t.Fatal(done, effects)
	}
	stride := 3
	if os.Getenv("HUBFS_DEEP") != "" {
		stride = 1
	}
	for n := 1 + time.Now().YearDay()%stride; n <= effects; n += stride {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			w := fresh(t)
			done, _ := startChild(t, w, n)
			w.open()
			tr := w.tree("acme/m")
			got := files(view(t, tr))
			ok := cmp.Equal(got, stepModel(done))
			if next := done + 1; !ok && done < len(steps) {
				ok = cmp.Equal(got, stepModel(next))
				if m, step := stepModel(done), steps[done]; step[0] == "save" {
					m[step[1]] = "" // created, not yet written
					ok = ok || cmp.Equal(got, m)
				} else if step[0] == "edit" {
					ok = ok || cmp.Equal(got, m) // made fresh, not yet written
				}
			}
			if !ok {
				t.Errorf("after %d steps: %s", done, cmp.Diff(stepModel(done), got))
			}
			if s := tr.Status(ctx); s.LastError != "" {
				t.Error(s.LastError)
			}
			commitAll(t, tr)
			r := w.hub.Repo("acme/m")
			if d := cmp.Diff(got, remoteFiles(r)); d != "" {
				t.Error(d)
			}
			syncs := 0
			for _, s := range steps[:min(done+1, len(steps))] {
				if s[0] == "sync" {
					syncs++
				}
			}
			if log := r.Log("main"); len(log) > 2+syncs+1 {
				t.Errorf("%d commits after %d steps", len(log), done)
			}
			if tr.Dirty() {
				t.Error(tr.Status(ctx))
			}
			if tr.st != nil {
				if ents, _ := os.ReadDir(tr.st.disk.path + "/files"); len(ents) != 0 {
					t.Error("left:", ents)
				}
			}
		})
	}
}

// The lock of a process that has lost its mount, or had none, is waited for.
func TestLock(t *testing.T) {
	w := newWorld(t)
	w.hub.Repo("acme/m").Put("a", "a")
	tr := w.tree("acme/m")
	save(t, tr, "b", "b")
	var told []string
	o := w.store.o
	o.Waiting = func(repo, holder string) { told = append(told, repo, holder) }
	second, err := Open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	looks := 0
	second.pause = func(ctx context.Context, d time.Duration) error {
		if looks++; looks == 3 {
			w.store.Close()
		}
		return ctx.Err()
	}
	if got := second.Staged(); len(got) != 0 {
		t.Error("another process's work:", got)
	}
	short, stop := context.WithCancel(ctx)
	stop()
	if _, err := second.Worktree(short, parse(t, "acme/m")); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	tr, err = second.Worktree(ctx, parse(t, "acme/m"))
	if err != nil || looks != 3 {
		t.Fatal(err, looks)
	}
	if len(told) != 2 || told[0] != "acme/m" || told[1] != fmt.Sprintf("process %d", os.Getpid()) {
		t.Error(told)
	}
	if got := content(t, tr, "b"); got != "b" {
		t.Error(got)
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
}

// fuseMount is a mount that counts as one of FUSE, and that nobody unmounts
// meanwhile: its control file system.
func fuseMount(t *testing.T) string {
	t.Helper()
	mnt := t.TempDir()
	if err := unix.Mount("fusectl", mnt, "fusectl", 0, ""); err != nil {
		proof.Missing(t, "a FUSE mount to point at:", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(mnt, 0); err != nil {
			t.Error(err)
		}
	})
	return mnt
}

// The lock of a process that is mounted makes the worktree read-only.
func TestLockOfMount(t *testing.T) {
	mnt := fuseMount(t)
	w := newWorld(t)
	w.hub.Repo("acme/m").Put("a", "a")
	w.close()
	w.opt.MountPoint = mnt
	w.open()
	tr := w.tree("acme/m")
	save(t, tr, "b", "b")
	second, err := Open(ctx, w.store.o)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	tr, err = second.Worktree(ctx, parse(t, "acme/m"))
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.Writable(ctx); !errors.Is(err, syscall.EROFS) || !strings.Contains(err.Error(), mnt) {
		t.Error(err)
	}
	if got := content(t, tr, "a"); got != "a" {
		t.Error(got)
	}
	if s := tr.Status(ctx); !s.ReadOnly || !strings.Contains(s.Reason, mnt) {
		t.Errorf("%+v", s)
	}
}
