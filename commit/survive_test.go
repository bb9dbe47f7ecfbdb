package commit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hubfs/hubfs/remote/hubtest"
	"golang.org/x/sys/unix"
)

// The removal of a state may be cut off at any point: the repo is still there.
func TestEraseCutOff(t *testing.T) {
	for n := 1; n < 8; n++ {
		w := newWorld(t)
		w.hub.Repo("acme/m").Put("a", "a")
		tr := w.tree("acme/m")
		save(t, tr, "b", "b")
		rm(t, tr, "b")
		count := 0
		tr.st.disk.hook = func(op, name string) error {
			if op == "remove" {
				if count++; count >= n {
					return syscall.EIO
				}
			}
			return nil
		}
		w.store.Close()
		w.cache.Close()
		w.client.Close()
		w.open()
		tr = w.tree("acme/m")
		if got := content(t, tr, "a"); got != "a" {
			t.Error(n, got)
		}
		save(t, tr, "c", "c")
		commitAll(t, tr)
		w.close()
	}
}

// Staged content that no journal speaks of is set aside, not removed.
func TestNoJournal(t *testing.T) {
	for _, cut := range []func(string) error{os.Remove, func(p string) error { return os.Truncate(p, 0) }} {
		w := newWorld(t)
		w.hub.Repo("acme/m").Put("a", "a")
		tr := w.tree("acme/m")
		save(t, tr, "b", "precious")
		dir := tr.st.disk.path
		w.crash()
		if err := cut(filepath.Join(dir, journalName)); err != nil {
			t.Fatal(err)
		}
		w.open()
		tr = w.tree("acme/m")
		if s := tr.Status(ctx); !strings.Contains(s.LastError, dir) {
			t.Error(s.LastError)
		}
		if res := commitAll(t, tr); !res.Unchanged || tr.Status(ctx).LastError == "" {
			t.Errorf("after a commit of nothing: %+v, %q", res, tr.Status(ctx).LastError)
		}
		w.close()
		if ss, err := Inspect(ctx, filepath.Join(w.dir, "state")); err != nil || len(ss) != 1 || len(ss[0].Aside) != 1 || ss[0].Aside[0] != filepath.Join(dir, "damaged-1") {
			t.Errorf("%+v %v", ss, err)
		}
		if b, err := os.ReadFile(filepath.Join(dir, "damaged-1", "1")); string(b) != "precious" {
			t.Error(string(b), err)
		}
	}
}

// The mode of a file whose commit the journal has forgotten is not for it.
func TestChmodAfterCommit(t *testing.T) {
	w := newWorld(t)
	w.hub.Repo("acme/m").Put("a", "a")
	tr := w.tree("acme/m")
	f := save(t, tr, "b", "b")
	on := true
	tr.st.disk.hook = func(op, name string) error {
		if on && op == "create" && strings.HasPrefix(name, journalName) || on && op == "sync" && len(tr.pending) == 0 && !tr.planning {
			return syscall.EIO
		}
		return nil
	}
	commitAll(t, tr)
	on = false
	if g, err := f.Open(os.O_WRONLY); !errors.Is(err, ErrFrozen) {
		t.Error("a file without a name can be written:", err)
		g.Close()
	}
	if err := tr.checkpoint(); err != nil {
		t.Fatal(err)
	}
	if err := f.Chmod(0o600); err != nil {
		t.Error(err)
	}
	save(t, tr, "c", "c")
	want := view(t, tr)
	w.crash()
	w.open()
	tr = w.tree("acme/m")
	if d := cmp.Diff(want, view(t, tr)); d != "" {
		t.Error(d)
	}
	if s := tr.Status(ctx); s.LastError != "" {
		t.Error(s.LastError)
	}
}

// A commit that could not be noted anywhere stops the journal, and is found by
// the next process.
func TestCommitNotNoted(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	r.Put("a", "a")
	tr := w.tree("acme/m")
	f := save(t, tr, "b", "b")
	full := false
	w.hub.Fault(func(q *http.Request) *hubtest.Fault {
		if isCommit(q) {
			full = true
		}
		return nil
	})
	tr.st.disk.hook = func(op, name string) error {
		if full && (op == "create" || op == "write") {
			return syscall.ENOSPC
		}
		return nil
	}
	commitAll(t, tr)
	if g, err := f.Open(os.O_RDWR); !errors.Is(err, ErrFrozen) {
		t.Error("a file without a name can be written:", err)
		g.Close()
	}
	if got := content(t, tr, "b"); got != "b" {
		t.Error(got)
	}
	if _, err := tr.Root().Mkdir(ctx, "x", 0o755); !errors.Is(err, syscall.ENOSPC) {
		t.Error(err)
	}
	w.hub.Fault(nil)
	full = false
	save(t, tr, "c", "c")
	w.crash()
	w.open()
	tr = w.tree("acme/m")
	if d := cmp.Diff(map[string]string{"a": "a", "b": "b", "c": "c"}, files(view(t, tr))); d != "" {
		t.Error(d)
	}
	commitAll(t, tr)
	if n := len(r.Log("main")); n != 4 {
		t.Error(n, "commits")
	}
}

// A look at whether a lock is taken is no holder, whatever its file still says.
func TestLockProbe(t *testing.T) {
	w := newWorld(t)
	w.hub.Repo("acme/m").Put("a", "a")
	w.opt.MountPoint = fuseMount(t)
	w.reopen()
	tr := w.tree("acme/m")
	save(t, tr, "b", "b")
	dir := tr.st.disk.path
	w.crash()
	w.open()
	probe, err := os.Open(filepath.Join(dir, lockName))
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(probe.Fd()), unix.LOCK_SH); err != nil {
		t.Fatal(err)
	}
	w.store.pause = func(context.Context, time.Duration) error { return probe.Close() }
	tr = w.tree("acme/m")
	if got := content(t, tr, "b"); got != "b" {
		t.Error(got)
	}
	save(t, tr, "c", "c")
}

// What stopped because memory and journal differ leaves the journal alone.
func TestBroken(t *testing.T) {
	w := newWorld(t)
	w.hub.Repo("acme/m").Put("a", "a")
	tr := w.tree("acme/m")
	save(t, tr, "b", "b")
	tr.mu.Lock()
	clear(tr.root.kids)
	tr.must(errors.New("they differ"))
	tr.mu.Unlock()
	w.reopen()
	if got := content(t, w.tree("acme/m"), "b"); got != "b" {
		t.Error(got)
	}
}

// After Close nothing waits for ever.
func TestAfterClose(t *testing.T) {
	w := newWorld(t)
	tr, err := w.store.Create(ctx, parse(t, "acme/new"))
	if err != nil {
		t.Fatal(err)
	}
	s := w.store
	w.close()
	if _, err := tr.Commit(ctx, CommitOptions{}); !errors.Is(err, fs.ErrClosed) {
		t.Error(err)
	}
	if err := s.RemoveNew(parse(t, "acme/new")); err == nil {
		t.Error("removed")
	}
	w.open()
	tr = w.tree("acme/new")
	if err := w.store.RemoveNew(parse(t, "acme/new")); err != nil {
		t.Fatal(err)
	}
	if _, err := tr.Commit(ctx, CommitOptions{}); !errors.Is(err, fs.ErrClosed) {
		t.Error(err)
	}
}

// The first commit of a repo without one goes over nobody else's.
func TestFirstCommitOfTwo(t *testing.T) {
	w := newWorld(t)
	r := w.hub.EmptyRepo("acme/empty")
	tr := w.tree("acme/empty")
	save(t, tr, "a", "ours")
	r.Commit("main", "theirs", map[string]string{"a": "theirs"})
	var c *ConflictError
	if _, err := tr.Commit(ctx, CommitOptions{}); !errors.As(err, &c) || len(c.Paths) != 1 || c.Paths[0] != "a" {
		t.Error(err)
	}
	if got := string(r.Read("main", "a")); got != "theirs" {
		t.Error(got)
	}
	mv(t, tr, "a", "b")
	commitAll(t, tr)
	if d := cmp.Diff(map[string]string{"a": "theirs", "b": "ours"}, remoteFiles(r)); d != "" {
		t.Error(d)
	}
}

// The Hub's own files of a new repo come to be known.
func TestNewRepoTells(t *testing.T) {
	w := newWorld(t)
	tr, err := w.store.Create(ctx, parse(t, "acme/new"))
	if err != nil {
		t.Fatal(err)
	}
	save(t, tr, "a", "a")
	told := map[string]bool{}
	tr.OnChange(func(cs []Change) {
		for _, c := range cs {
			told[join(c.Dir.Path(), c.Name)] = true
		}
	})
	commitAll(t, tr)
	if !told[attributes] {
		t.Error(told)
	}
}

// A directory of very many files is moved without one descriptor for each.
func TestMoveManyFiles(t *testing.T) {
	w := newWorld(t)
	files := map[string]string{}
	for i := range 300 {
		files[fmt.Sprintf("d/%d", i)] = fmt.Sprint(i)
	}
	r := w.hub.Repo("acme/m")
	r.Commit("main", "start", files)
	tr := w.tree("acme/m")
	mv(t, tr, "d", "e")
	most := 0
	var mu sync.Mutex
	count := func() {
		mu.Lock()
		defer mu.Unlock()
		fds, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Error(err)
		}
		most = max(most, len(fds))
	}
	count()
	before := most
	w.hub.Fault(func(q *http.Request) *hubtest.Fault { count(); return nil })
	commitAll(t, tr)
	if most > before+200 {
		t.Error(before, most)
	}
	if got := remoteFiles(r)["e/7"]; got != "7" {
		t.Error(got)
	}
}

// A state directory that others use too is refused, and left as it is.
func TestSharedStateDir(t *testing.T) {
	w := newWorld(t)
	o := w.store.o
	o.Dir = t.TempDir()
	os.Chmod(o.Dir, 0o777)
	s, err := Open(ctx, o)
	if err != nil {
		t.Fatal(err) // empty: ours from now on
	}
	s.Close()
	if st, _ := os.Stat(o.Dir); st.Mode().Perm() != 0o700 {
		t.Error(st.Mode())
	}
	os.WriteFile(filepath.Join(o.Dir, "theirs"), nil, 0o600)
	os.Chmod(o.Dir, 0o777)
	if _, err := Open(ctx, o); err == nil || !strings.Contains(err.Error(), "theirs") {
		t.Error(err)
	}
	if st, _ := os.Stat(o.Dir); st.Mode().Perm() != 0o777 {
		t.Error(st.Mode())
	}
}

// A commit that was planned on top of another one's and never sent, because the
// process ended, does not stand in the way of the next.
func TestRebasedAndNeverSent(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	r.Put("a", "a")
	tr := w.tree("acme/m")
	save(t, tr, "b", "b")
	r.Put("theirs", "x")
	sent := 0
	w.hub.Fault(func(q *http.Request) *hubtest.Fault {
		if !isCommit(q) {
			return nil
		}
		if sent++; sent == 2 {
			w.crash() // the first was refused: the branch had moved
			return &hubtest.Fault{Status: 500}
		}
		return nil
	})
	short, stop := context.WithTimeout(ctx, time.Second)
	defer stop()
	if res, err := tr.Commit(short, CommitOptions{}); err == nil {
		t.Fatalf("%+v", res)
	}
	w.hub.Fault(nil)
	w.open()
	tr = w.tree("acme/m")
	commitAll(t, tr)
	if d := cmp.Diff(map[string]string{"a": "a", "b": "b", "theirs": "x"}, remoteFiles(r)); d != "" {
		t.Error(d)
	}
	if n := len(r.Log("main")); n != 4 {
		t.Error(n, "commits")
	}
}

// A repo that a process made on the Hub, and did not live to note in repo.json,
// is no new one when the next process has committed it and its state goes away.
func TestMadeAndNotNoted(t *testing.T) {
	w := newWorld(t)
	tr, err := w.store.Create(ctx, parse(t, "acme/new"))
	if err != nil {
		t.Fatal(err)
	}
	save(t, tr, "a", "a")
	tr.st.disk.hook = func(op, name string) error {
		if op == "rename" && name == identityName {
			return syscall.EIO
		}
		return nil
	}
	if res, err := tr.Commit(ctx, CommitOptions{}); !errors.Is(err, syscall.EIO) {
		t.Fatal(res, err)
	}
	w.crash()
	w.open()
	tr = w.tree("acme/new")
	commitAll(t, tr)
	dir := tr.st.disk.path
	tr.st.disk.hook = func(op, name string) error {
		if op == "remove" && name == identityName {
			return syscall.EIO
		}
		return nil
	}
	if err := w.store.Close(); !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	if id, err := readIdentity(dir); err != nil || id.New {
		t.Errorf("%+v, %v", id, err)
	}
	w.cache.Close()
	w.client.Close()
	w.open()
	if got := content(t, w.tree("acme/new"), "a"); got != "a" {
		t.Error(got)
	}
}

// A file that had lost its name, and got it again in what was damaged, is set
// aside and not taken for one that nobody needs.
func TestDamageOfTheNameThatCameBack(t *testing.T) {
	w := newWorld(t)
	w.hub.Repo("acme/m").Put("a", "a")
	tr := w.tree("acme/m")
	f := save(t, tr, "b", "precious")
	tr.mu.Lock()
	err := tr.append(record{Op: opDel, P: "b"}, record{Op: opPut, P: "c", S: f.seq, M: 0o644})
	tr.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	dir := tr.st.disk.path
	w.crash()
	journal := filepath.Join(dir, journalName)
	b, err := os.ReadFile(journal)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-3] ^= 1
	if err := os.WriteFile(journal, b, 0o600); err != nil {
		t.Fatal(err)
	}
	w.open()
	w.tree("acme/m")
	w.close()
	if b, err := os.ReadFile(filepath.Join(dir, "damaged-1", "1")); string(b) != "precious" {
		t.Errorf("%q %v", b, err)
	}
}
