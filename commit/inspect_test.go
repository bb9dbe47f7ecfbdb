package commit

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// stageSome stages one change of each kind in acme/m, and a new repo.
func stageSome(t *testing.T, w *world) (base string) {
	t.Helper()
	base = w.hub.Repo("acme/m").Commit("main", "start", map[string]string{"a": "a", "gone": "x", "dir/f": "f", "edit": "old"})
	tr := w.tree("acme/m")
	save(t, tr, "new.txt", "12345")
	save(t, tr, "edit", "new")
	rm(t, tr, "gone")
	mv(t, tr, "a", "b")
	mv(t, tr, "dir", "moved")
	mkdir(t, tr, "empty")
	nw, err := w.store.Create(ctx, parse(t, "alice/new"))
	if err != nil {
		t.Fatal(err)
	}
	mkdir(t, nw, "sub")
	save(t, nw, "sub/x", "x")
	return base
}

func states(t *testing.T, w *world) map[string]State {
	t.Helper()
	ss, err := Inspect(ctx, filepath.Join(w.dir, "state"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]State{}
	for _, s := range ss {
		out[s.Repo] = s
	}
	return out
}

// What is staged is told while a process has it and after it has gone, and
// looking changes nothing.
func TestInspect(t *testing.T) {
	w := newWorld(t)
	w.opt.MountPoint = "/somewhere"
	w.reopen()
	base := stageSome(t, w)
	check := func(pid int, mount string) {
		t.Helper()
		m := states(t, w)["acme/m"]
		ops := map[string]string{}
		for _, p := range m.Staged {
			ops[p.Path] = p.Op
		}
		want := map[string]string{
			"new.txt": "add", "edit": "add", "gone": "delete", "a": "delete", "b": "move", "dir": "delete", "moved": "move", "empty": "mkdir",
		}
		if d := cmp.Diff(want, ops); d != "" {
			t.Error(d)
		}
		if m.Base != base || m.Branch != "main" || m.Endpoint != w.hub.URL() || m.User != "alice" ||
			m.Files != 2 || m.Bytes != 8 || m.PID != pid || m.Mount != mount || m.Error != "" {
			t.Errorf("%+v", m)
		}
		if n := states(t, w)["alice/new"]; !n.New || n.Files != 1 || n.Base != "" {
			t.Errorf("%+v", n)
		}
	}
	check(os.Getpid(), "/somewhere")
	w.close()
	before := diskTree(t, filepath.Join(w.dir, "state"))
	w.hub.Close()
	check(0, "")
	if d := cmp.Diff(before, diskTree(t, filepath.Join(w.dir, "state"))); d != "" {
		t.Error("looking changed the state: " + d)
	}
}

func diskTree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			var b []byte
			b, err = os.ReadFile(p)
			out[p] = string(b)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A state that cannot be read, or not all of it, is told with the reason, and
// the others are told all the same.
func TestInspectDamaged(t *testing.T) {
	w := newWorld(t)
	stageSome(t, w)
	dir := filepath.Join(w.dir, "state", stateNameAt(w.hub.URL(), parse(t, "acme/m")))
	w.close()
	journal := filepath.Join(dir, journalName)
	b, err := os.ReadFile(journal)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(b), "\n")
	lines[3] = "00000000 {}\n"
	if err := os.WriteFile(journal, []byte(strings.Join(lines, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	ss := states(t, w)
	if s := ss["acme/m"]; !strings.Contains(s.Error, "damaged") || len(s.Staged) == 0 {
		t.Errorf("%+v", s)
	}
	if s := ss["alice/new"]; s.Error != "" || len(s.Staged) == 0 {
		t.Errorf("%+v", s)
	}
	if err := os.WriteFile(filepath.Join(dir, identityName), []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, s := range states(t, w) {
		found = found || s.Dir == dir && s.Error != ""
	}
	if !found {
		t.Error("an unreadable state is not told")
	}
	if ss, err := Inspect(ctx, filepath.Join(w.dir, "none")); err != nil || len(ss) != 0 {
		t.Errorf("%v, %v", ss, err)
	}
}

func TestExport(t *testing.T) {
	w := newWorld(t)
	base := stageSome(t, w)
	w.close()
	to := filepath.Join(w.dir, "out")
	state := filepath.Join(w.dir, "state")
	got, err := Export(ctx, state, w.hub.URL(), parse(t, "acme/m@main"), to)
	if err != nil {
		t.Fatal(err)
	}
	tree := diskTree(t, to)
	var said Exported
	if err := json.Unmarshal([]byte(tree[filepath.Join(to, "changes.json")]), &said); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(got, said); d != "" {
		t.Error(d)
	}
	delete(tree, filepath.Join(to, "changes.json"))
	if d := cmp.Diff(map[string]string{filepath.Join(to, "files/new.txt"): "12345", filepath.Join(to, "files/edit"): "new"}, tree); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"a", "dir", "gone"}, said.Deletions); d != "" || said.Base != base || len(said.Renames) != 2 {
		t.Errorf("%s %+v", d, said)
	}
	if fi, err := os.Stat(filepath.Join(to, "files/empty")); err != nil || !fi.IsDir() {
		t.Error(err)
	}
	if _, err := Export(ctx, state, w.hub.URL(), parse(t, "acme/m"), to); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over what is there: %v", err)
	}
	if _, err := Export(ctx, state, w.hub.URL(), parse(t, "acme/other"), to+"2"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing staged: %v", err)
	}
	w.open()
	commitAll(t, w.tree("acme/m")) // all of it is still there
}

// Each thing that is done shows, and nothing else does.
func TestActivity(t *testing.T) {
	w := newWorld(t)
	w.hub.Repo("acme/m").Commit("main", "start", map[string]string{"a": "a"})
	tr := w.tree("acme/m")
	last := tr.Activity()
	if last != (Activity{}) {
		t.Errorf("%+v", last)
	}
	changes := func(what string) {
		t.Helper()
		now := tr.Activity()
		if now == last {
			t.Errorf("%s does not show", what)
		}
		if tr.Activity() != now {
			t.Error("looking shows")
		}
		last = now
	}
	f := save(t, tr, "b", "1")
	changes("a new file")
	g, err := f.Open(os.O_WRONLY)
	if err != nil {
		t.Fatal(err)
	}
	if tr.Activity() != last {
		t.Error("opening shows")
	}
	if _, err := g.WriteAt([]byte("2x"), 0); err != nil {
		t.Fatal(err)
	}
	g.Close()
	changes("a write that only the kernel sees")
	mv(t, tr, "b", "c")
	changes("a rename")
	rm(t, tr, "a")
	changes("a removal")
}

// The journal of a newer version is not called damaged.
func TestInspectNewer(t *testing.T) {
	w := newWorld(t)
	w.hub.Repo("acme/m").Put("a", "a")
	save(t, w.tree("acme/m"), "b", "b")
	dir := w.store.stateName(parse(t, "acme/m"))
	w.crash()
	b, _, err := encode([]record{{Op: opVersion, V: journalVersion + 1}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.dir, "state", dir, journalName), b, 0o600); err != nil {
		t.Fatal(err)
	}
	states, err := Inspect(ctx, filepath.Join(w.dir, "state"))
	if err != nil || len(states) != 1 || states[0].Error != errNewer.Error() {
		t.Errorf("%+v, %v", states, err)
	}
	w.open()
}
