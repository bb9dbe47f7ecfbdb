package commit

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// staging makes a worktree with all kinds of changes.
func staging(t *testing.T, w *world) *Worktree {
	t.Helper()
	w.hub.Repo("acme/m").Commit("main", "start", map[string]string{"a": "a", "d/x": "x", "d/y/z": "z", "e": "e"})
	tr := w.tree("acme/m")
	save(t, tr, "n", "new")
	mv(t, tr, "d", "dd")
	mv(t, tr, "a", "dd/y/a")
	rm(t, tr, "e")
	mkdir(t, tr, "empty")
	save(t, tr, "dd/x", "x2")
	if err := tr.Root().Rename(ctx, "n", tr.Root(), "empty", Exchange); err != nil {
		t.Fatal(err)
	}
	f := save(t, tr, "m", "mode")
	if err := f.Chmod(0o640); err != nil {
		t.Fatal(err)
	}
	return tr
}

// Every prefix of a journal is a state that was, and a cut line is none.
func TestJournalPrefixes(t *testing.T) {
	w := newWorld(t)
	tr := staging(t, w)
	path := filepath.Join(tr.st.disk.path, journalName)
	full, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := view(t, tr)
	w.crash()
	ends := []int{}
	for i, c := range full {
		if c == '\n' {
			ends = append(ends, i+1)
		}
	}
	views := map[int]map[string]string{}
	keep := t.TempDir()
	if err := os.CopyFS(keep, os.DirFS(filepath.Dir(path))); err != nil {
		t.Fatal(err)
	}
	restore := func(journal []byte) {
		os.RemoveAll(filepath.Dir(path))
		if err := os.CopyFS(filepath.Dir(path), os.DirFS(keep)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, journal, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, end := range ends {
		restore(full[:end])
		w.open()
		views[end] = view(t, w.tree("acme/m"))
		w.crash()
	}
	if d := cmp.Diff(want, views[len(full)]); d != "" {
		t.Error(d)
	}
	for i, end := range ends[1:] {
		cut := full[:end-1-(end-ends[i])/2]
		restore(cut)
		w.open()
		tr := w.tree("acme/m")
		if !maps.Equal(views[ends[i]], view(t, tr)) {
			t.Errorf("cut inside line %d: %s", i+1, cmp.Diff(views[ends[i]], view(t, tr)))
		}
		if s := tr.Status(ctx); s.LastError != "" {
			t.Error("a torn last line is reported:", s.LastError)
		}
		if got, _ := os.ReadFile(path); !bytes.HasPrefix(got, full[:ends[i]]) || i > 0 && len(got) != ends[i] {
			t.Error("not cut")
		}
		w.crash()
	}
	// Flipped bits are found, what is before them stays, what is behind is set aside.
	for i := ends[1] + 3; i < len(full); i += 61 {
		bad := bytes.Clone(full)
		bad[i] ^= 1 << (i % 8)
		line := 0
		for ends[line] <= i {
			line++
		}
		restore(bad)
		w.open()
		tr := w.tree("acme/m")
		if !maps.Equal(views[ends[line-1]], view(t, tr)) {
			t.Errorf("bit of byte %d: %s", i, cmp.Diff(views[ends[line-1]], view(t, tr)))
		}
		if s := tr.Status(ctx); line < len(ends)-1 && !strings.Contains(s.LastError, "damaged") {
			t.Errorf("byte %d: not reported: %q", i, s.LastError)
		}
		if line < len(ends)-1 {
			aside, err := os.ReadFile(filepath.Join(filepath.Dir(path), "damaged-1", journalName))
			if err != nil || !bytes.Equal(aside, bad[ends[line-1]:]) {
				t.Error("the tail is lost:", err)
			}
		}
		w.crash()
	}
	restore(full)
	w.open()
}

// A checkpoint says the same as the journal it replaces.
func TestCheckpoint(t *testing.T) {
	w := newWorld(t)
	tr := staging(t, w)
	want := view(t, tr)
	if err := tr.checkpoint(); err != nil {
		t.Fatal(err)
	}
	w.crash()
	w.open()
	tr = w.tree("acme/m")
	if d := cmp.Diff(want, view(t, tr)); d != "" {
		t.Error(d)
	}
	if n, err := tr.Root().Lookup(ctx, "m"); err != nil || n.File.mode != 0o640 {
		t.Error(n, err)
	}
	w.reopen()
	if d := cmp.Diff(want, view(t, w.tree("acme/m"))); d != "" {
		t.Error(d)
	}
}

func TestNewerJournal(t *testing.T) {
	w := newWorld(t)
	tr := staging(t, w)
	path := filepath.Join(tr.st.disk.path, journalName)
	w.crash()
	b, _, err := encode([]record{{Op: opVersion, V: journalVersion + 1}, {Op: "what"}})
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile(path, b, 0o600)
	w.open()
	if _, err := w.store.Worktree(ctx, parse(t, "acme/m")); !errors.Is(err, errNewer) {
		t.Error(err)
	}
	if got, _ := os.ReadFile(path); !bytes.Equal(got, b) {
		t.Error("it was changed")
	}
}

// A disk that is full, or fails, fails the operation and nothing else.
func TestFullDisk(t *testing.T) {
	for _, op := range []string{"create", "write", "sync"} {
		w := newWorld(t)
		tr := staging(t, w)
		want := view(t, tr)
		on := true
		tr.st.disk.hook = func(what, name string) error {
			if on && what == op {
				return syscall.ENOSPC
			}
			return nil
		}
		d := tr.Root()
		switch op {
		case "sync":
			f := tr.Root().kids["m"].file
			if err := f.Sync(ctx); !errors.Is(err, syscall.ENOSPC) {
				t.Error(err)
			}
			if err := d.Sync(ctx); !errors.Is(err, syscall.ENOSPC) {
				t.Error(err)
			}
		default:
			if _, err := d.Create(ctx, "q", 0o644, true); !errors.Is(err, syscall.ENOSPC) {
				t.Error(err)
			}
			if _, err := d.Edit(ctx, ".gitattributes", true); !errors.Is(err, syscall.ENOSPC) {
				t.Error(err)
			}
		}
		if op == "write" {
			if _, err := d.Mkdir(ctx, "q", 0o755); !errors.Is(err, syscall.ENOSPC) {
				t.Error(err)
			}
			if err := d.Unlink(ctx, "m"); !errors.Is(err, syscall.ENOSPC) {
				t.Error(err)
			}
			if err := d.Rename(ctx, "m", d, "mm", 0); !errors.Is(err, syscall.ENOSPC) {
				t.Error(err)
			}
			if _, err := tr.Discard(ctx, ""); !errors.Is(err, syscall.ENOSPC) {
				t.Error(err)
			}
		}
		if d := cmp.Diff(want, view(t, tr)); d != "" {
			t.Error(d)
		}
		on = false
		if err := d.Sync(ctx); err != nil {
			t.Error(op, err)
		}
		save(t, tr, "after", "after")
		want["after"] = "after"
		w.crash()
		w.open()
		if d := cmp.Diff(want, view(t, w.tree("acme/m"))); d != "" {
			t.Error(d)
		}
		commitAll(t, w.tree("acme/m"))
	}
}

// Content that a power cut took is reported, and its name shows the base again.
func TestLostContent(t *testing.T) {
	w := newWorld(t)
	tr := staging(t, w)
	f := tr.Root().kids["m"].file
	g := save(t, tr, "dd/y/z", "edited")
	dir := tr.st.disk.path
	w.crash()
	for _, f := range []*File{f, g} {
		if err := os.Remove(filepath.Join(dir, f.name())); err != nil {
			t.Fatal(err)
		}
	}
	w.open()
	tr = w.tree("acme/m")
	if _, err := tr.Root().Lookup(ctx, "m"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if got := content(t, tr, "dd/y/z"); got != "z" {
		t.Error(got)
	}
	if s := tr.Status(ctx); !strings.Contains(s.LastError, "dd/y/z was lost") {
		t.Error(s.LastError)
	}
}

// Files nobody named are taken away by the next opening.
func TestOrphans(t *testing.T) {
	w := newWorld(t)
	tr := staging(t, w)
	dir := tr.st.disk.path
	n, _ := os.ReadDir(filepath.Join(dir, filesName))
	w.crash()
	os.WriteFile(filepath.Join(dir, filesName, "99"), []byte("orphan"), 0o600)
	w.open()
	tr = w.tree("acme/m")
	if m, _ := os.ReadDir(filepath.Join(dir, filesName)); len(m) != len(n) {
		t.Errorf("%d files, want %d", len(m), len(n))
	}
	if f := save(t, tr, "q", "q"); f.Seq() <= 99 {
		t.Error(f.Seq())
	}
}

func TestGroupCommit(t *testing.T) {
	w := newWorld(t)
	tr := staging(t, w)
	begun, release := make(chan bool), make(chan bool)
	syncs := 0
	tr.st.disk.hook = func(op, name string) error {
		if op == "sync" && name == journalName {
			syncs++
			begun <- true
			<-release
		}
		return nil
	}
	const n = 20
	done := make(chan error, n)
	go func() { done <- tr.syncJournal() }()
	<-begun
	mkdir(t, tr, "after")
	for range n - 1 {
		go func() { done <- tr.syncJournal() }()
	}
	for tr.st.journal.barrier.waiting() < n-1 {
		runtime.Gosched()
	}
	release <- true
	<-begun
	release <- true
	for range n {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if syncs != 2 {
		t.Errorf("%d syncs for %d callers", syncs, n)
	}
}

func FuzzJournal(f *testing.F) {
	b, _, _ := encode([]record{
		{Op: opVersion, V: 1}, {Op: opPut, P: "a", S: 1}, {Op: opDir, P: "d"}, {Op: opMv, P: "a", Q: "d/b"}, {Op: opPlan},
		{Op: opIntent, Adds: []added{{P: "d/b", S: 1, ID: "git:x"}}}, {Op: opBase, S: 1, C: strings.Repeat("a", 40)}, {Op: opDel, P: "d/b"}, {Op: opDiscard},
	})
	f.Add(b)
	f.Fuzz(func(t *testing.T, script []byte) {
		// The script chooses records, so that checksums are no hurdle.
		names := []string{"a", "b", "a/b", "b/a", "a/b/c", "", "x"}
		ops := []string{opPut, opDir, opDel, opMv, opSwap, opRef, opPlan, opIntent, opBase, opVoid, opDiscard, opMode}
		w := newWorktree(&Store{o: Options{}}, parse(t, "acme/m"))
		w.st = &state{}
		w.replaying = true
		w.s.o.Logger = nil
		at := func(i int) int {
			if i < len(script) {
				return int(script[i])
			}
			return 0
		}
		w.base = nil
		for i := 0; i < len(script); i += 4 {
			r := record{Op: ops[at(i)%len(ops)], P: names[at(i+1)%len(names)], Q: names[at(i+2)%len(names)], S: uint64(at(i+3) % 4), D: at(i+3)&16 > 0, G: at(i+3)&32 > 0}
			if at(i+3)&64 > 0 {
				r.E = &moved{Path: "e", Commit: strings.Repeat("c", 40), ID: "git:e"}
				r.F = r.E
			}
			if r.Op == opIntent {
				r.Adds = []added{{P: r.P, S: r.S, ID: "git:q"}}
				r.Dels = []string{r.Q}
			}
			if err := w.applyAny(r, false); err != nil {
				continue
			}
			walkAll(t, w.root)
		}
		if _, _, err := encode(w.records()); err != nil {
			t.Error(err)
		}
	})
}

// walkAll checks that the tree hangs together.
func walkAll(t *testing.T, d *Dir) {
	for name, k := range d.kids {
		if k.dir == nil {
			continue
		}
		if k.dir.parent != d || k.dir.name != name || k.dir.dead {
			t.Fatalf("%q of %q does not know its place", name, d.path())
		}
		walkAll(t, k.dir)
	}
}

// A disk that has no room for noting down that a repo was made keeps it from
// being made: it would be left on the Hub with nothing in it.
func TestFullDiskFirstCommit(t *testing.T) {
	for _, op := range []string{"create", "write", "sync"} {
		w := newWorld(t)
		tr, err := w.store.Create(ctx, parse(t, "alice/new"))
		if err != nil {
			t.Fatal(err)
		}
		save(t, tr, "a", "a")
		on := true
		tr.st.disk.hook = func(what, name string) error {
			if on && what == op && strings.HasSuffix(name, ".tmp") {
				return syscall.ENOSPC
			}
			return nil
		}
		if _, err := tr.Commit(ctx, CommitOptions{}); !errors.Is(err, syscall.ENOSPC) {
			t.Error(op, err)
		}
		if w.hub.Has("alice/new") || !tr.New() || !tr.Dirty() {
			t.Errorf("%s: %v, %+v", op, w.hub.Has("alice/new"), tr.Status(ctx))
		}
		on = false
		commitAll(t, tr)
		if names, _ := filepath.Glob(filepath.Join(tr.st.disk.path, "*.tmp")); len(names) > 0 {
			t.Error(names)
		}
	}
}
