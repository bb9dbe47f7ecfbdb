package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/hubfs/hubfs/remote/hubtest"
)

// mounted is a world with the whole Hub mounted.
func mounted(t *testing.T, flags ...string) *world {
	t.Helper()
	needFuse(t)
	w := newWorld(t)
	w.must(append(append([]string{"mount"}, flags...), w.mnt)...)
	return w
}

func (w *world) path(parts ...string) string {
	return filepath.Join(append([]string{w.mnt}, parts...)...)
}

// write puts files below the mount; directories are made.
// Who uses the tool is told to the Hub by the daemon, too.
func TestOriginReachesTheHub(t *testing.T) {
	needFuse(t)
	w := newWorld(t)
	var mu sync.Mutex
	var agents []string
	w.hub.Fault(func(r *http.Request) *hubtest.Fault {
		mu.Lock()
		defer mu.Unlock()
		agents = append(agents, r.UserAgent())
		return nil
	})
	w.set("HF_HUB_USER_AGENT_ORIGIN=some-lab")
	w.must("mount", w.mnt)
	w.read("acme/model/config.json")
	mu.Lock()
	defer mu.Unlock()
	for _, a := range agents {
		if !strings.Contains(a, "origin/some-lab") {
			t.Errorf("a request of %q", a)
		}
	}
	if len(agents) < 3 {
		t.Errorf("requests of %q", agents)
	}
}

func (w *world) write(name, content string) {
	w.t.Helper()
	if err := os.MkdirAll(filepath.Dir(w.path(name)), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(w.path(name), []byte(content), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) read(name string) string {
	w.t.Helper()
	b, err := os.ReadFile(w.path(name))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(b)
}

func (w *world) status() mountStatus {
	w.t.Helper()
	r := w.must("status", "--json", w.mnt)
	var report statusReport
	if err := json.Unmarshal([]byte(r.out), &report); err != nil || len(report.Mounts) != 1 {
		w.t.Fatalf("status: %v\n%s", err, r.out)
	}
	return report.Mounts[0]
}

func (w *world) staged() []string {
	w.t.Helper()
	var out []string
	for _, wt := range w.status().Worktrees {
		for _, s := range wt.Staged {
			out = append(out, repoBranch(wt)+" "+s.Op+" "+s.Path)
		}
	}
	return out
}

// titles are the commits of a repo on the Hub, newest first.
func (w *world) titles(id string) []string {
	var out []string
	for _, c := range w.hub.Repo(id).Log("main") {
		out = append(out, c.Title)
	}
	return out
}

func (w *world) isMounted() bool {
	for _, m := range w.mounts() {
		if m == w.mnt {
			return true
		}
	}
	return false
}

// hasEnded checks that a process is no more.
func (w *world) hasEnded(pid int) {
	w.t.Helper()
	p, err := openProcess(pid)
	if err != nil {
		return
	}
	defer p.Close()
	if ended, err := p.ended(0); !ended {
		w.t.Errorf("process %d is still there: %v", pid, err)
	}
}

func TestMountSyncUmount(t *testing.T) {
	w := mounted(t)
	if n := w.hub.Requests(); n > 2 {
		t.Errorf("mounting made %d requests", n)
	}
	if got := w.read("acme/model/config.json"); got != "{}" {
		t.Errorf("config.json is %q", got)
	}
	w.write("me/new/a.txt", "hello")
	if got := strings.Join(w.staged(), "\n"); got != "me/new@main add a.txt" {
		t.Errorf("staged: %s", got)
	}
	if r := w.must("status", w.mnt); !contains(r.out, w.mnt, "as me", "me/new@main", "a.txt", "log ") {
		t.Errorf("status:\n%s", r.out)
	}

	r := w.must("sync", w.path("me/new"), "-m", "First", "-d", "More words")
	head := w.hub.Repo("me/new").Log("main")[0]
	if head.Title != "First" || !contains(head.Description, "More words") {
		t.Errorf("the commit is %+v", head)
	}
	if !contains(r.out, head.ID, "http") {
		t.Errorf("sync printed:\n%s", r.out)
	}
	if r := w.must("sync", w.path("me/new"), "-m", "Again"); !contains(r.out, "nothing to commit") {
		t.Errorf("a sync of nothing printed:\n%s", r.out)
	}
	if got := w.titles("me/new"); len(got) != 2 {
		t.Errorf("commits: %q", got)
	}

	if r := w.must("sync", w.mnt); !contains(r.out, "nothing to commit") {
		t.Errorf("a sync of nothing printed:\n%s", r.out)
	}
	w.fails(1, "none/none", "sync", w.path("none/none"))

	pid := w.status().PID
	w.must("umount", w.mnt)
	if w.isMounted() {
		t.Error("still mounted")
	}
	w.hasEnded(pid)
	w.fails(1, "is not in a hubfs mount", "status", w.mnt)
}

func TestUmountCommits(t *testing.T) {
	w := mounted(t, "--message", "By unmounting")
	w.write("me/one/a.txt", "a")
	w.write("datasets/me/two/b.txt", "b")
	w.must("umount", w.mnt)
	for _, id := range []string{"me/one", "datasets/me/two"} {
		if got := w.titles(id); len(got) != 2 || got[0] != "By unmounting" {
			t.Errorf("%s has the commits %q", id, got)
		}
	}
}

func TestOneRepo(t *testing.T) {
	needFuse(t)
	w := newWorld(t)
	w.hub.Repo("acme/model").Tag("v1", "main")
	if r := w.must("mount", "acme/model@v1/sub", w.mnt); !contains(r.out, "acme/model@v1/sub") {
		t.Error(r.out)
	}
	if n := w.hub.Requests(); n > 2 {
		t.Errorf("mounting made %d requests", n)
	}
	if got := w.read("a.txt"); got != "a" {
		t.Errorf("a.txt is %q", got)
	}
	if err := os.WriteFile(w.path("x"), nil, 0o644); err == nil {
		t.Error("a tag could be written")
	}
	w.fails(1, "is a hubfs mount already", "mount", w.mnt)
	w.fails(2, "to unmount that: hubfs umount "+w.mnt, "umount", w.path("a.txt"))
	w.must("umount", w.mnt)
}

func TestNoCommit(t *testing.T) {
	w := mounted(t, "--no-commit")
	w.write("me/new/a.txt", "a")
	if r := w.must("umount", w.mnt); !contains(r.err, "staged for the next mount: 1 change of me/new@main") {
		t.Error(r.err)
	}
	if n := w.hub.Counts(); n["commit"].N != 0 {
		t.Errorf("committed: %v", n)
	}
	w.must("mount", w.mnt)
	if got := strings.Join(w.staged(), "\n"); got != "me/new@main add a.txt" {
		t.Errorf("staged after another mount: %s", got)
	}
}

func TestInfo(t *testing.T) {
	w := mounted(t)
	w.hub.Repo("acme/old").Put("f", "f")
	w.hub.Repo("acme/old").Rename("acme/renamed")
	if r := w.must("info", w.path("acme/old/f")); !contains(r.out, "acme/renamed", "1 bytes") {
		t.Errorf("info of a repo's old name:\n%s", r.out)
	}
	w.hub.Repo("acme/closed").SetGated(true)
	w.write("me/new/a.txt", "hello")
	r := w.must("info", w.path("acme/model/config.json"))
	if !contains(r.out, "acme/model", "git:", "2 bytes", w.hub.Repo("acme/model").Head("main")) {
		t.Errorf("info:\n%s", r.out)
	}
	if r := w.must("info", w.path("me/new/a.txt")); !contains(r.out, "not committed yet") {
		t.Errorf("info of a staged file:\n%s", r.out)
	}
	w.read("acme/model/config.json")
	if r := w.must("info", w.path("acme/model/config.json")); !contains(r.out, "all of it") {
		t.Errorf("info of a file that was read:\n%s", r.out)
	}
	if r := w.run("info", w.path("acme/none")); r.code != 1 || !contains(r.out, "error") {
		t.Errorf("info of a missing repo: %d\n%s%s", r.code, r.out, r.err)
	}
	if r := w.must("info", "acme/model"); !contains(r.out, "model", "public", "no: ") {
		t.Errorf("info of a repo:\n%s", r.out)
	}
	if r := w.run("info", "acme/none"); r.code != 1 || !contains(r.out, "not found") || r.err != "" {
		t.Errorf("info of a missing repo: %d\n%s%s", r.code, r.out, r.err)
	}
	w.fails(1, "is not in a hubfs mount", "info", "/tmp")
	if r := w.must("info", "acme/model/config.json"); !contains(r.out, "config.json", "file", "git:", "2 bytes", w.hub.Repo("acme/model").Head("main")) {
		t.Errorf("info of a path of a repo:\n%s", r.out)
	}
	if r := w.must("info", "--json", "acme/model/sub"); !contains(r.out, `"kind": "dir"`, `"path": "sub"`) {
		t.Errorf("info of a folder of a repo:\n%s", r.out)
	}
	w.fails(1, "acme/model has no none.txt", "info", "acme/model/none.txt")
	w.fails(1, "acme/none", "info", "acme/none/a.txt")
}
