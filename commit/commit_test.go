package commit

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hubfs/hubfs/remote"
	"github.com/hubfs/hubfs/remote/hubtest"
)

func pattern(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8*13 + i>>16*31)
	}
	return string(b)
}

func TestCommit(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	r.Commit("main", "start", map[string]string{"a.txt": "a", "dir/b.txt": "b", "dir/sub/c.bin": pattern(1000), "old": "old"})
	tr := w.tree("acme/m")
	save(t, tr, "a.txt", "changed")
	save(t, tr, "new.safetensors", pattern(100_000))
	mkdir(t, tr, "d2")
	save(t, tr, "d2/x.json", "{}")
	save(t, tr, "empty.bin", "")
	rm(t, tr, "old")
	before := view(t, tr)
	w.hub.ResetCounts()
	res := commitAll(t, tr)
	if res.Unchanged || res.Files != 5 || res.Commit != r.Head("main") || !strings.HasSuffix(res.URL, "/acme/m/commit/"+res.Commit) || tr.BaseCommit() != res.Commit {
		t.Errorf("%+v", res)
	}
	if n := len(r.Log("main")); n != 3 {
		t.Errorf("%d commits", n)
	}
	if n := w.hub.Counts()[hubtest.KindLFSPut]; n.N != 1 || n.In != 100_000 {
		t.Errorf("uploads: %+v", n)
	}
	w.hub.ResetCounts()
	after := view(t, tr)
	if d := cmp.Diff(before, after); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(files(after), remoteFiles(r)); d != "" {
		t.Error(d)
	}
	if c := w.hub.Counts(); c[hubtest.KindTree].N != 1 || c.Total().N != 1 {
		t.Errorf("reading what was committed: %v", c)
	}
	if tr.Dirty() || len(tr.Status(ctx).Staged) != 0 {
		t.Error("still staged:", tr.Status(ctx))
	}
	// Again: nothing.
	w.hub.ResetCounts()
	if res := commitAll(t, tr); !res.Unchanged || res.Commit != tr.BaseCommit() || w.hub.Requests() != 0 {
		t.Errorf("%+v, %d requests", res, w.hub.Requests())
	}
	state := tr.st.disk.path
	w.close()
	if _, err := os.Stat(state); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a clean state stays on disk:", err)
	}
	w.open()
	if d := cmp.Diff(before, view(t, w.tree("acme/m"))); d != "" {
		t.Error(d)
	}
}

func TestUnchangedSave(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	r.Commit("main", "start", map[string]string{"a.txt": "a", "m.safetensors": pattern(50_000)})
	head := r.Head("main")
	tr := w.tree("acme/m")
	content(t, tr, "a.txt")
	content(t, tr, "m.safetensors")
	f := save(t, tr, "a.txt", "a")
	save(t, tr, "m.safetensors", pattern(50_000))
	var told []Change
	tr.OnChange(func(c []Change) { told = append(told, c...) })
	w.hub.ResetCounts()
	res := commitAll(t, tr)
	if !res.Unchanged || w.hub.Requests() > 1 || r.Head("main") != head || tr.Dirty() {
		t.Errorf("%+v, %v, dirty %t", res, w.hub.Counts(), tr.Dirty())
	}
	if len(told) != 2 {
		t.Errorf("told of %v", told)
	}
	if !f.Frozen() {
		t.Error("a retired file can be written")
	}
	if _, err := f.Open(os.O_RDWR); !errors.Is(err, ErrFrozen) {
		t.Error(err)
	}
	if g, err := f.Open(os.O_RDONLY); err != nil {
		t.Error(err)
	} else {
		g.Close()
	}
	// Edited, and closed with the same bytes.
	d := tr.Root()
	if _, err := d.Edit(ctx, "a.txt", false); err != nil {
		t.Fatal(err)
	}
	if got := content(t, tr, "a.txt"); got != "a" {
		t.Errorf("%q", got)
	}
	if res := commitAll(t, tr); !res.Unchanged || r.Head("main") != head {
		t.Errorf("%+v", res)
	}
}

func TestNewRepo(t *testing.T) {
	w := newWorld(t)
	repo := parse(t, "alice/new")
	if _, err := w.store.Worktree(ctx, repo); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	tr, err := w.store.Create(ctx, repo)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.Create(ctx, repo); !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
	if res := commitAll(t, tr); !res.Unchanged || w.hub.Has("alice/new") {
		t.Errorf("%+v", res)
	}
	mkdir(t, tr, "sub")
	if res := commitAll(t, tr); !res.Unchanged || w.hub.Has("alice/new") {
		t.Errorf("%+v", res)
	}
	if got := w.store.NewRepos(remote.Model, "alice"); !cmp.Equal(got, []string{"new"}) {
		t.Error(got)
	}
	w.reopen()
	if got := w.store.NewRepos(remote.Model, "alice"); !cmp.Equal(got, []string{"new"}) {
		t.Error(got)
	}
	if got := w.store.Staged(); !cmp.Equal(got, []remote.Repo{repo}) {
		t.Error(got)
	}
	if err := w.store.RemoveNew(repo); !errors.Is(err, syscall.ENOTEMPTY) {
		t.Error(err)
	}
	if err := w.store.RenameNew(repo, parse(t, "alice/newer")); err != nil {
		t.Fatal(err)
	}
	tr = w.tree("alice/newer")
	if !tr.New() || tr.Repo().ID != "alice/newer" {
		t.Error(tr.Repo())
	}
	save(t, tr, ".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n")
	save(t, tr, "sub/config.json", "{}")
	save(t, tr, "model.bin", pattern(5000))
	private := true
	res, err := tr.Commit(ctx, CommitOptions{Message: "First", Description: "of all", Private: &private})
	if err != nil {
		t.Fatal(err)
	}
	r := w.hub.Repo("alice/newer")
	log := r.Log("main")
	if len(log) != 2 || log[0].ID != res.Commit || log[0].Title != "First" || tr.New() {
		t.Errorf("%+v", log)
	}
	if d := cmp.Diff(files(view(t, tr)), remoteFiles(r)); d != "" {
		t.Error(d)
	}
	if err := w.store.RemoveNew(parse(t, "alice/newer")); !errors.Is(err, syscall.EPERM) {
		t.Error(err)
	}
	w.reopen()
	if tr := w.tree("alice/newer"); tr.New() || tr.Dirty() {
		t.Error("new again")
	}
	if _, err := w.store.Worktree(ctx, repo); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestRemoveNew(t *testing.T) {
	w := newWorld(t)
	repo := parse(t, "datasets/alice/d")
	if _, err := w.store.Create(ctx, repo); err != nil {
		t.Fatal(err)
	}
	w.reopen()
	if err := w.store.RemoveNew(repo); err != nil {
		t.Fatal(err)
	}
	if got := w.store.NewRepos(remote.Dataset, "alice"); len(got) != 0 {
		t.Error(got)
	}
	if _, err := w.store.Worktree(ctx, repo); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if _, err := w.store.Create(ctx, repo); err != nil {
		t.Error(err)
	}
}

func TestRenameTree(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	all := map[string]string{"a/model.safetensors": pattern(90_000), "a/s/config.json": "{}", "a/s/t/x.txt": "x", "keep": "k", "f.txt": "f"}
	r.Commit("main", "start", all)
	tr := w.tree("acme/m")
	mkdir(t, tr, "deep")
	d, _ := at(t, tr, "a/s/config.json")
	mv(t, tr, "a", "deep/b")
	w.hub.ResetCounts()
	mv(t, tr, "deep/b/s", "s2")
	mv(t, tr, "f.txt", "s2/g.txt")
	if d.Path() != "s2" {
		t.Error(d.Path())
	}
	save(t, tr, "s2/t/new", "new")
	before := view(t, tr)
	want := map[string]string{"deep/b/model.safetensors": all["a/model.safetensors"], "s2/config.json": "{}", "s2/t/x.txt": "x", "keep": "k", "s2/g.txt": "f", "s2/t/new": "new"}
	if d := cmp.Diff(want, files(before)); d != "" {
		t.Error(d)
	}
	w.reopen()
	tr = w.tree("acme/m")
	if d := cmp.Diff(before, view(t, tr)); d != "" {
		t.Error(d)
	}
	w.hub.ResetCounts()
	commitAll(t, tr)
	if n := w.hub.Counts()[hubtest.KindLFSPut].N; n != 0 {
		t.Errorf("%d uploads for a rename", n)
	}
	if d := cmp.Diff(want, remoteFiles(r)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(before, view(t, tr)); d != "" {
		t.Error(d)
	}
	if tr.Dirty() {
		t.Error(tr.Status(ctx))
	}
	if n := len(r.Log("main")); n != 3 {
		t.Error(n, "commits")
	}
}

func TestReadOnly(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	head := r.Put("a", "a")
	r.Tag("v1", "main")
	w.hub.Repo("other/m").Put("a", "a")
	for _, id := range []string{"acme/m@v1", "acme/m@" + head, "other/m"} {
		tr := w.tree(id)
		err := tr.Writable(ctx)
		if !errors.Is(err, syscall.EROFS) || len(err.Error()) < 15 {
			t.Error(id, err)
		}
		if _, err := tr.Root().Create(ctx, "b", 0o644, true); !errors.Is(err, syscall.EROFS) {
			t.Error(id, err)
		}
		if s := tr.Status(ctx); !s.ReadOnly || s.Reason == "" {
			t.Errorf("%+v", s)
		}
		if content(t, tr, "a") != "a" {
			t.Error(id)
		}
	}
	if ents, _ := os.ReadDir(w.store.o.Dir); len(ents) != 0 {
		t.Error("state of a read-only worktree:", ents)
	}
	w.close()
	w.opt.ReadOnly = true
	w.open()
	if err := w.tree("acme/m").Writable(ctx); !errors.Is(err, syscall.EROFS) {
		t.Error(err)
	}
}

func TestBranch(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	r.Put("a", "a")
	r.Branch("dev", "main")
	tr := w.tree("acme/m@dev")
	save(t, tr, "b", "b")
	main := w.tree("acme/m")
	save(t, main, "c", "c")
	commitAll(t, tr)
	if len(r.Log("dev")) != 3 || len(r.Log("main")) != 2 {
		t.Error(len(r.Log("dev")), len(r.Log("main")))
	}
	if got := string(r.Read("dev", "b")); got != "b" {
		t.Error(got)
	}
}

func TestLeftOut(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	r.Commit("main", "start", map[string]string{"a": "a", "d/x": "x", "huggingface/y": "y", "c/huggingface/z": "z"})
	tr := w.tree("acme/m")
	mkdir(t, tr, ".git")
	save(t, tr, ".git/HEAD", "ref")
	mkdir(t, tr, ".cache")
	mkdir(t, tr, ".cache/huggingface")
	save(t, tr, ".cache/huggingface/m", "m")
	save(t, tr, ".cache/other", "o")
	for _, c := range []struct{ p, q string }{{"d", ".git/d"}, {"huggingface", ".cache/huggingface/h"}} {
		d, name := at(t, tr, c.p)
		to, newName := at(t, tr, c.q)
		if err := d.Rename(ctx, name, to, newName, 0); !errors.Is(err, syscall.EXDEV) {
			t.Error(c, err)
		}
	}
	mv(t, tr, "d/x", ".git/x") // a file may: it stays here, as what it was
	before := view(t, tr)
	res := commitAll(t, tr)
	if res.Files != 2 {
		t.Errorf("%+v", res)
	}
	want := map[string]string{"a": "a", "huggingface/y": "y", "c/huggingface/z": "z", ".cache/other": "o"}
	if d := cmp.Diff(want, remoteFiles(r)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(before, view(t, tr)); d != "" {
		t.Error(d)
	}
	s := tr.Status(ctx)
	if len(s.Staged) != 3 {
		t.Errorf("%+v", s.Staged)
	}
	for _, p := range s.Staged {
		if p.Reason == "" {
			t.Errorf("%+v", p)
		}
	}
	if res := commitAll(t, tr); !res.Unchanged {
		t.Errorf("%+v", res)
	}
	w.reopen()
	if d := cmp.Diff(before, view(t, w.tree("acme/m"))); d != "" {
		t.Error(d)
	}
}
