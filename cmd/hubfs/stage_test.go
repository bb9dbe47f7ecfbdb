package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hubfs/hubfs/commit"
)

// left is a world where an earlier mount left staged work in acme/model and
// me/new, and nothing is mounted.
func left(t *testing.T) *world {
	t.Helper()
	w := mounted(t)
	w.write("me/new/a.txt", "mine")
	w.write("me/new/dir/b.txt", "bb")
	w.must("umount", "--force", w.mnt)
	return w
}

func (w *world) stageLs() (rep stageReport) {
	w.t.Helper()
	if err := json.Unmarshal([]byte(w.must("stage", "ls", "--json").out), &rep); err != nil {
		w.t.Fatal(err)
	}
	return rep
}

func TestStageLs(t *testing.T) {
	w := left(t)
	rep := w.stageLs()
	if len(rep.Staged) != 1 || rep.Staged[0].Repo != "me/new" || rep.Staged[0].Bytes != 6 || !rep.Staged[0].New || rep.Staged[0].Mount != "" {
		t.Fatalf("%+v", rep)
	}
	if out := w.must("stage", "ls", "--long").out; !contains(out, w.hub.URL(), "me/new@main: 2 changes, 6 B, a new repo, by me", "add     dir/b.txt") {
		t.Error(out)
	}
	w.must("mount", w.mnt)
	w.read("me/new/a.txt")
	if rep := w.stageLs(); rep.Staged[0].Mount != w.mnt || rep.Staged[0].PID == 0 {
		t.Errorf("%+v", rep)
	}
	// Another Hub's work is told, too.
	w.must("umount", "--force", w.mnt)
	if out := w.must("stage", "ls").out; !contains(out, w.hub.URL()) {
		t.Error(out)
	}
	w.fails(exitFailed, "--endpoint "+w.hub.URL(), "stage", "sync", "--endpoint", "http://127.0.0.1:1", "me/new")
}

func TestStageExport(t *testing.T) {
	w := left(t)
	dir := filepath.Join(w.dir, "out")
	w.must("stage", "export", dir)
	for name, want := range map[string]string{"a.txt": "mine", "dir/b.txt": "bb"} {
		if b, err := os.ReadFile(filepath.Join(dir, "me/new@main/files", name)); err != nil || string(b) != want {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	var e commit.Exported
	b, err := os.ReadFile(filepath.Join(dir, "me/new@main/changes.json"))
	if err == nil {
		err = json.Unmarshal(b, &e)
	}
	if err != nil || e.Repo != "me/new" || len(e.Files) != 2 {
		t.Errorf("%+v, %v", e, err)
	}
	w.fails(exitFailed, "is not overwritten", "stage", "export", dir, "me/new")
	w.fails(exitFailed, "nothing is staged of me/other", "stage", "export", dir, "me/other")
}

func TestStageSync(t *testing.T) {
	w := left(t)
	w.must("mount", w.mnt)
	w.read("me/new/a.txt")
	w.fails(exitBusy, "in use by the mount at "+w.mnt, "stage", "sync", "me/new")
	w.fails(exitBusy, "in use by the mount at "+w.mnt, "stage", "drop", "--yes", "me/new")
	w.must("umount", "--force", w.mnt)
	r := w.must("stage", "sync", "me/new", "-m", "Rescued")
	if log := w.hub.Repo("me/new").Log(""); log[0].Title != "Rescued" || !contains(r.out, log[0].ID) {
		t.Errorf("%+v\n%s", log, r.out)
	}
	if rep := w.stageLs(); len(rep.Staged) != 0 {
		t.Errorf("%+v", rep)
	}
	w.fails(exitFailed, "nothing is staged of me/new", "stage", "sync", "me/new")
}

// The commands that are offered find the work that the flags of the first one
// named.
func TestStageSyncOffersItsFlags(t *testing.T) {
	w := left(t)
	token := filepath.Join(w.dir, "a token")
	if err := os.WriteFile(token, []byte(canary), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := []string{"--endpoint", w.hub.URL(), "--token-file", token, "--state-dir", filepath.Join(w.dir, "state"), "--cache-dir", filepath.Join(w.dir, "cache2")}
	w.hub.Repo("me/new").Commit("main", "Theirs", map[string]string{"a.txt": "theirs"})
	w.set("HF_ENDPOINT=http://127.0.0.1:1", "HF_TOKEN=", "HUBFS_STATE_DIR="+filepath.Join(w.dir, "none"))
	r := w.fails(exitConflict, "hubfs mount --endpoint ", append([]string{"stage", "sync", "me/new"}, flags...)...)
	w.follow(r.err, "hubfs stage sync --endpoint")
	if got := string(w.hub.Repo("me/new").Read("", "a.txt")); got != "mine" {
		t.Errorf("the Hub has %q", got)
	}
}

func TestStageDrop(t *testing.T) {
	w := left(t)
	w.fails(exitUsage, "say --yes", "stage", "drop", "me/new")
	if rep := w.stageLs(); len(rep.Staged) != 1 {
		t.Fatal("dropped without a yes")
	}
	if out := w.must("stage", "drop", "--yes", "me/new").out; !contains(out, "dropped 2 changes of me/new@main") {
		t.Error(out)
	}
	if rep := w.stageLs(); len(rep.Staged) != 0 || w.hub.Has("me/new") {
		t.Errorf("%+v", rep)
	}
}

// A second mount over the same state is refused the worktree, and is told whose
// it is.
func TestTwoMountsOneState(t *testing.T) {
	w := mounted(t)
	w.write("me/new/a.txt", "first")
	w.must("sync", w.path("me/new"))
	w.write("me/new/a.txt", "mine")
	second := filepath.Join(w.dir, "second")
	if err := os.Mkdir(second, 0o755); err != nil {
		t.Fatal(err)
	}
	w.must("mount", second)
	defer w.run("umount", "--force", second)
	if err := os.WriteFile(filepath.Join(second, "me/new/b.txt"), []byte("x"), 0o644); err == nil {
		t.Error("two mounts write one worktree")
	}
	if out := w.must("status", second).out; !contains(out, "read-only", w.mnt) {
		t.Error(out)
	}
	w.must("umount", second)
	w.must("umount", w.mnt)
	if got := string(w.hub.Repo("me/new").Read("main", "a.txt")); !strings.Contains(got, "mine") {
		t.Errorf("the Hub has %q", got)
	}
}
