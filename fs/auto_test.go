package fs

import (
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hubfs/hubfs/remote/hubtest"
)

// auto is a mount of me/m that commits idle work. look is told how many tenths
// of the idle time have passed.
func auto(t *testing.T, files map[string]string) (f *fixture, look func(after time.Duration)) {
	t.Helper()
	const every = 10 * time.Minute // the clock of the mount itself never gets there
	f = mountHub(t, opts{
		Repo: "me/m", Fill: func(h *hubtest.Hub) { h.Repo("me/m").Commit("main", "all", files) },
		Options: Options{CommitEvery: every},
	})
	start := time.Now()
	return f, func(after time.Duration) {
		t.Helper()
		f.srv.m.auto.look(t.Context(), at(start.Add(after*(every/10))))
	}
}

func at(now time.Time) func() time.Time { return func() time.Time { return now } }

// wantHub is what the Hub has as a file of me/m; "" is none.
func (f *fixture) wantHub(t *testing.T, name, content string) {
	t.Helper()
	files := f.hub.Repo("me/m").Files("")
	if _, ok := files[name]; !ok {
		if content != "" {
			t.Errorf("the Hub has no %s", name)
		}
		return
	}
	if got := string(f.hub.Repo("me/m").Read("", name)); got != content {
		t.Errorf("the Hub has %q in %s, want %q", got, name, content)
	}
}

// What nobody touches is committed once it was left alone for long enough, and
// each change, also a write past the daemon, begins the time anew.
func TestIdleWorkIsCommitted(t *testing.T) {
	f, look := auto(t, map[string]string{"a": "1"})
	write(t, f.path("b"), "first")
	f.idle("b")
	look(0)
	look(9)
	f.wantHub(t, "b", "")
	w := must1(os.OpenFile(f.path("b"), os.O_WRONLY, 0))(t)
	must1(w.WriteAt([]byte("second"), 0))(t)
	must(t, w.Close())
	f.idle("b")
	look(10) // due, but for the write
	f.wantHub(t, "b", "")
	look(19)
	f.wantHub(t, "b", "")
	look(20)
	f.wantHub(t, "b", "second")
	n := len(f.hub.Repo("me/m").Log(""))
	look(40)
	look(60)
	if len(f.hub.Repo("me/m").Log("")) != n {
		t.Error("committed again with nothing staged")
	}
}

// A file that is held open is left out, and comes with a commit after its close.
func TestIdleButOpen(t *testing.T) {
	f, look := auto(t, map[string]string{"a": "1"})
	w := must1(os.Create(f.path("log")))(t)
	must1(w.WriteString("x"))(t)
	write(t, f.path("b"), "2")
	f.idle("b")
	look(0)
	look(10)
	f.wantHub(t, "b", "2")
	f.wantHub(t, "log", "")
	must(t, w.Close())
	f.idle("log")
	look(20)
	f.wantHub(t, "log", "x")
}

// A conflict is told and left to people: it is tried less and less often, and
// again after the next change.
func TestIdleConflict(t *testing.T) {
	f, look := auto(t, map[string]string{"a": "1"})
	write(t, f.path("a"), "mine")
	f.idle("a")
	f.hub.Repo("me/m").Put("a", "theirs")
	look(0)
	attempts := func(from, to time.Duration) (at []time.Duration) {
		for tenth := from; tenth <= to; tenth += 10 {
			if f.requests(func() { look(tenth) }) > 0 {
				at = append(at, tenth)
			}
		}
		return at
	}
	if got := attempts(10, 100); !slices.Equal(got, []time.Duration{10, 30, 70}) {
		t.Errorf("tried at %v", got)
	}
	st := f.srv.Status()
	if len(st.Worktrees) != 1 || !slices.Equal(st.Worktrees[0].Conflicts, []string{"a"}) || st.Worktrees[0].LastError == "" {
		t.Errorf("%+v", st.Worktrees)
	}
	if st.CommitEvery != "10m0s" {
		t.Errorf("commit_every %q", st.CommitEvery)
	}
	write(t, f.path("b"), "2")
	f.idle("b")
	if got := attempts(110, 150); !slices.Equal(got, []time.Duration{120, 140}) {
		t.Errorf("after a change tried at %v", got)
	}
	f.wantHub(t, "a", "theirs")
	wantContent(t, f.path("a"), "mine")
}

// After an unmount that keeps everything staged, which may take until the last
// file is closed, nothing is committed.
func TestIdleWorkIsKept(t *testing.T) {
	f, look := auto(t, map[string]string{"a": "1"})
	write(t, f.path("b"), "2")
	f.idle("b")
	look(0)
	must(t, f.srv.Sync(t.Context(), SyncRequest{Unmount: true, Keep: true}, nil))
	look(10)
	f.wantHub(t, "b", "")
}

// A commit that takes long does not make work idle that was changed meanwhile.
func TestIdleAfterALongCommit(t *testing.T) {
	const every = 10 * time.Minute
	f := mountHub(t, opts{Options: Options{CommitEvery: every}})
	repos := []string{"me/a", "me/b"}
	for _, repo := range repos {
		must(t, os.Mkdir(f.path(repo), 0o755))
		write(t, f.path(repo+"/x"), "1")
		f.idle(repo + "/x")
	}
	start := time.Now()
	now, first := start, ""
	clock := func() time.Time {
		for _, repo := range repos {
			if first == "" && f.hub.Has(repo) { // its commit has taken half a day
				first, now = repo, start.Add(12*time.Hour)
				for _, repo := range repos {
					write(t, f.path(repo+"/x"), "changed")
					f.idle(repo + "/x")
				}
			}
		}
		return now
	}
	changed := func() (n int) {
		for _, repo := range repos {
			if f.hub.Has(repo) && string(f.hub.Repo(repo).Read("", "x")) == "changed" {
				n++
			}
		}
		return n
	}
	look := func() { f.srv.m.auto.look(t.Context(), clock) }
	look()
	now = start.Add(every)
	look()
	if first == "" {
		t.Fatal("nothing was committed")
	}
	now = now.Add(every / 2)
	look()
	if n := changed(); n != 0 {
		t.Errorf("%d repos committed half the idle time after the change", n)
	}
	now = now.Add(every / 2)
	look()
	if n := changed(); n != len(repos) {
		t.Errorf("%d repos committed", n)
	}
}

// The rules of commits that nobody asked for hold: most of a repo is not
// deleted, and nothing is created for nothing.
func TestIdleIsAutomatic(t *testing.T) {
	f, look := auto(t, map[string]string{"a": "1", "b": "2", "c": "3"})
	for _, name := range []string{"a", "b", "c"} {
		must(t, os.Remove(f.path(name)))
	}
	look(0)
	look(10)
	f.wantHub(t, "a", "1")
	if st := f.srv.Status(); !strings.Contains(st.Worktrees[0].LastError, "held") {
		t.Errorf("%+v", st.Worktrees)
	}

	g := mountHub(t, opts{Options: Options{CommitEvery: 10 * time.Minute}})
	must(t, os.Mkdir(g.path("me/new"), 0o755))
	start := time.Now()
	g.srv.m.auto.look(t.Context(), at(start))
	g.srv.m.auto.look(t.Context(), at(start.Add(10*time.Minute)))
	if g.hub.Has("me/new") {
		t.Error("an empty repo was created")
	}
	write(t, g.path("me/new/x"), "1")
	g.idle("me/new/x")
	g.srv.m.auto.look(t.Context(), at(start.Add(20*time.Minute)))
	g.srv.m.auto.look(t.Context(), at(start.Add(30*time.Minute)))
	if got := string(g.hub.Repo("me/new").Read("", "x")); got != "1" {
		t.Errorf("the Hub has %q", got)
	}
}

// A field that does not exist is no request: what it asks for would not be done.
func TestUnknownFieldsAreNamed(t *testing.T) {
	f := mine(t, map[string]string{"a": "1"})
	write(t, f.path("b"), "2")
	f.idle("b")
	lines := f.ask("sync", map[string]any{"all": true, "creat_pr": true})
	if len(lines) != 1 || !strings.Contains(lines[0], `creat_pr`) || !strings.Contains(lines[0], `"usage"`) {
		t.Errorf("%q", lines)
	}
	f.wantHub(t, "b", "")
	w := must1(os.OpenFile(f.path(".hubfs/sync"), os.O_WRONLY, 0))(t)
	must1(w.WriteString(`{"all":true} {"all":true}`))(t)
	wantErrno(t, w.Close(), syscall.EINVAL)
	if lines := f.ask("info", map[string]any{"path": "a", "x": 1}); len(lines) != 1 || !strings.Contains(lines[0], `\"x\"`) {
		t.Errorf("%q", lines)
	}
}

// A pull request that a commit has opened is there at once, though it was looked
// for in vain just before.
func TestPullRequestAppears(t *testing.T) {
	f := mountHub(t, opts{Fill: func(h *hubtest.Hub) { h.Repo("me/m").Commit("main", "all", map[string]string{"a": "1"}) }})
	for _, name := range []string{"me/m@refs/pr/1/a", "me/m@refs%2Fpr%2F1/a", "me/m@trial/a"} {
		if _, err := os.Stat(f.path(name)); err == nil {
			t.Fatalf("%s is there", name)
		}
	}
	write(t, f.path("me/m/a"), "mine")
	f.idle("me/m/a")
	must(t, f.srv.Sync(t.Context(), SyncRequest{All: true, CommitOptions: CommitOptions{CreatePR: true}}, nil))
	wantContent(t, f.path("me/m@refs/pr/1/a"), "mine")
	wantContent(t, f.path("me/m@refs%2Fpr%2F1/a"), "mine")
	write(t, f.path("me/m/a"), "tried")
	f.idle("me/m/a")
	must(t, f.srv.Sync(t.Context(), SyncRequest{All: true, CommitOptions: CommitOptions{Branch: "trial"}}, nil))
	wantContent(t, f.path("me/m@trial/a"), "tried")
	wantContent(t, f.path("me/m/a"), "1")
}

// What an earlier mount left is idle work, too.
func TestIdleLeftovers(t *testing.T) {
	const every = 10 * time.Minute
	f := mountHub(t, opts{Options: Options{CommitEvery: every}})
	must(t, os.Mkdir(f.path("me/new"), 0o755))
	write(t, f.path("me/new/x"), "1")
	f.end()
	f.mount()
	start := time.Now()
	f.srv.m.auto.look(t.Context(), at(start))
	f.srv.m.auto.look(t.Context(), at(start.Add(every)))
	if got := string(f.hub.Repo("me/new").Read("", "x")); got != "1" {
		t.Errorf("the Hub has %q", got)
	}
}
