package commit

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hubfs/hubfs/remote/hubtest"
)

func ln(t testing.TB, w *Worktree, target, p string) {
	t.Helper()
	d, name := at(t, w, p)
	if _, err := d.Symlink(ctx, name, target); err != nil {
		t.Fatal(err)
	}
}

// reasons are those of the links that Status names.
func reasons(t testing.TB, w *Worktree) map[string]string {
	t.Helper()
	out := make(map[string]string)
	for _, s := range w.Status(ctx).Staged {
		if s.Op == "link" {
			out[s.Path] = s.Reason
		}
	}
	return out
}

func TestLinkNames(t *testing.T) {
	w := newWorld(t)
	w.hub.Repo("acme/m").Commit("main", "start", map[string]string{"a": "a", "d/x": "x", "c": "c"})
	tr := w.tree("acme/m")
	ln(t, tr, "nothing", "l")
	root := tr.Root()
	if _, err := root.Symlink(ctx, "l", "a"); !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
	if _, err := root.Symlink(ctx, "a", "l"); !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
	for target, want := range map[string]error{"": syscall.ENOENT, strings.Repeat("x", 4096): syscall.ENAMETOOLONG, "\xff": syscall.EILSEQ} {
		if _, err := root.Symlink(ctx, "bad", target); !errors.Is(err, want) {
			t.Errorf("%.10q: %v", target, err)
		}
	}
	if err := root.Rmdir(ctx, "l"); !errors.Is(err, syscall.ENOTDIR) {
		t.Error(err)
	}
	if _, err := root.Edit(ctx, "l", false); !errors.Is(err, syscall.ELOOP) {
		t.Error(err)
	}
	if err := root.Rename(ctx, "l", root, "a", NoReplace); !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
	if err := root.Rename(ctx, "l", root, "d", 0); !errors.Is(err, syscall.EISDIR) {
		t.Error(err)
	}
	mv(t, tr, "l", "c") // over a committed file
	save(t, tr, "f", "f")
	ln(t, tr, "x", "over")
	mv(t, tr, "f", "over") // a file over a link
	ln(t, tr, "one", "e1")
	if err := root.Rename(ctx, "e1", root, "d", Exchange); err != nil {
		t.Error(err)
	}
	ln(t, tr, "gone", "g")
	rm(t, tr, "g")
	want := map[string]string{"a": "a", "c": "-> nothing", "over": "f", "e1/x": "x", "d": "-> one"}
	if d := cmp.Diff(want, files(view(t, tr))); d != "" {
		t.Error(d)
	}
	node, _ := root.Lookup(ctx, "d")
	before := node.Link.Mtime
	again := func(how string) {
		t.Helper()
		tr = w.tree("acme/m")
		if d := cmp.Diff(want, files(view(t, tr))); d != "" {
			t.Errorf("%s: %s", how, d)
		}
		node, err := tr.Root().Lookup(ctx, "d")
		if err != nil || !node.Link.Mtime.Equal(before) {
			t.Errorf("%s: %+v, %v", how, node, err)
		}
	}
	w.crash()
	w.open()
	again("after a crash")
	if err := tr.checkpoint(); err != nil {
		t.Fatal(err)
	}
	w.crash()
	w.open()
	again("after a checkpoint")
	w.reopen()
	again("after a close")
	if _, err := tr.Discard(ctx, "d"); err != nil {
		t.Error(err)
	}
	if _, err := tr.Discard(ctx, "c"); err != nil {
		t.Error(err)
	}
	if got := content(t, tr, "c"); got != "c" {
		t.Error(got)
	}
}

// What a link leads to is what its name means after the commit.
func TestLinksBecomeCopies(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	big := pattern(90_000)
	r.Commit("main", "start", map[string]string{"model.safetensors": big, "a": "a", "d/x": "x", "d/s/big.safetensors": big, "m/y": "y", "file": "f", "dir/z": "z"})
	tr := w.tree("acme/m")
	tr.ShowAt("/mnt/acme/m", "")
	var told []string
	tr.OnChange(func(cs []Change) {
		for _, c := range cs {
			told = append(told, join(c.Dir.Path(), c.Name))
		}
	})
	save(t, tr, "staged.bin", pattern(50_000))
	save(t, tr, "small", "small")
	mkdir(t, tr, "n")
	save(t, tr, "n/one", "1")
	mv(t, tr, "m", "moved")
	mv(t, tr, "a", "moved/a")
	for p, target := range map[string]string{
		"l-big": "model.safetensors", "l-committed": "d/x", "l-staged": "staged.bin", "n/l-up": "../small",
		"l-abs": "/mnt/acme/m/small", "l-out-in": "../../acme/m/small", "chain": "l-staged", "chain2": "./chain",
		"l-dir": "d", "l-moved": "moved", "l-ref": "moved/a", "through": "l-dir/s/../x",
		"d/in": "../n", "l-mix": "d/in",
	} {
		ln(t, tr, target, p)
	}
	rm(t, tr, "file")
	ln(t, tr, "n", "file") // a link to a directory where a file was
	rm(t, tr, "dir/z")
	if err := tr.Root().Rmdir(ctx, "dir"); err != nil {
		t.Fatal(err)
	}
	ln(t, tr, "small", "dir") // a link to a file where a directory was
	for p, why := range reasons(t, tr) {
		if why != "" {
			t.Errorf("%s: %s", p, why)
		}
	}
	w.crash()
	w.open()
	tr = w.tree("acme/m")
	tr.ShowAt("/mnt/acme/m", "")
	tr.OnChange(func(cs []Change) {
		for _, c := range cs {
			told = append(told, join(c.Dir.Path(), c.Name))
		}
	})
	w.hub.ResetCounts()
	res := commitAll(t, tr)
	if n := w.hub.Counts()[hubtest.KindLFSPut].N; n != 1 {
		t.Errorf("%d uploads, want that of staged.bin", n)
	}
	n := map[string]string{"one": "1", "l-up": "small"}
	want := map[string]string{
		"model.safetensors": big, "d/x": "x", "d/s/big.safetensors": big, "moved/y": "y", "moved/a": "a",
		"staged.bin": pattern(50_000), "small": "small",
		"l-big": big, "l-committed": "x", "l-staged": pattern(50_000), "l-abs": "small", "l-out-in": "small",
		"chain": pattern(50_000), "chain2": pattern(50_000), "l-dir/x": "x", "l-dir/s/big.safetensors": big,
		"l-moved/y": "y", "l-moved/a": "a", "l-ref": "a", "through": "x", "dir": "small",
	}
	for _, at := range []string{"n", "d/in", "l-dir/in", "l-mix", "file"} {
		for p, c := range n {
			want[at+"/"+p] = c
		}
	}
	if d := cmp.Diff(want, remoteFiles(r)); d != "" {
		t.Error(d)
	}
	check := func() {
		t.Helper()
		if d := cmp.Diff(want, files(view(t, tr))); d != "" {
			t.Error(d)
		}
		if tr.Dirty() {
			t.Errorf("%+v", tr.Status(ctx).Staged)
		}
	}
	check()
	for _, p := range []string{"l-big", "l-dir", "n/l-up", "d/in", "file", "dir"} {
		if !strings.Contains(strings.Join(told, " ")+" ", p+" ") {
			t.Errorf("nobody was told of %s: %q", p, told)
		}
	}
	if res.Files == 0 {
		t.Errorf("%+v", res)
	}
	w.reopen()
	tr = w.tree("acme/m")
	check()
}

func TestLinksThatStay(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	start := map[string]string{"a": "a", "d/x": "x", "was": "was", "wasdir/f": "f"}
	r.Commit("main", "start", start)
	tr := w.tree("acme/m")
	tr.ShowAt("/mnt/acme/m", "")
	stay := map[string]string{
		"dangling": "nothing", "out": "/etc/passwd", "up": "../other", "away": "/mnt/acme/m2/a", "loop1": "loop2", "loop2": "loop1", "self": "self",
		"deep": "a/b", "here": ".", "d/in": "..", "dots": "d/in/d/in", ".git": "a", "trail": "a/", "was": "/etc/hosts", "wasdir": "gone", "empty": "e",
		"bad": "b",
	}
	mkdir(t, tr, "e")
	mkdir(t, tr, "b")
	ln(t, tr, "../nothing", "b/l")
	save(t, tr, "b/f", "f")
	stay["b/l"] = "../nothing"
	rm(t, tr, "was")
	rm(t, tr, "wasdir/f")
	if err := tr.Root().Rmdir(ctx, "wasdir"); err != nil {
		t.Fatal(err)
	}
	for p, target := range stay {
		if p != "b/l" {
			ln(t, tr, target, p)
		}
	}
	ln(t, tr, "a", "good")
	before := view(t, tr)
	commitAll(t, tr)
	start["good"], start["b/f"] = "a", "f"
	if d := cmp.Diff(start, remoteFiles(r)); d != "" {
		t.Error(d)
	}
	before["good"] = "a"
	if d := cmp.Diff(before, view(t, tr)); d != "" {
		t.Error(d)
	}
	got := reasons(t, tr)
	for p := range stay {
		if got[p] == "" {
			t.Errorf("%s has no reason", p)
		}
		t.Log(p, "→", stay[p], "|", got[p])
	}
	if res := commitAll(t, tr); !res.Unchanged {
		t.Errorf("%+v", res)
	}
	if n := len(r.Log("main")); n != 3 {
		t.Error(n, "commits")
	}
	w.reopen()
	tr = w.tree("acme/m")
	if d := cmp.Diff(before, view(t, tr)); d != "" {
		t.Error(d)
	}
	// They are made good: with what they lead to they are committed.
	save(t, tr, "nothing", "now")
	commitAll(t, tr)
	if got := string(r.Read("main", "dangling")); got != "now" {
		t.Error(got)
	}
}

// A link to what is busy stays whole, and a copy is made of what was there when
// the commit was made.
func TestLinkToBusyFile(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	r.Put("a", "a")
	tr := w.tree("acme/m")
	mkdir(t, tr, "d")
	save(t, tr, "d/f", "f")
	f := save(t, tr, "d/busy", "1")
	ln(t, tr, "d", "l")
	g, err := f.Open(os.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	res := commitAll(t, tr)
	if d := cmp.Diff([]string{"d/busy", "l"}, res.Busy); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]string{"a": "a", "d/f": "f"}, remoteFiles(r)); d != "" {
		t.Error(d)
	}
	if _, err := g.WriteString("22"); err != nil {
		t.Fatal(err)
	}
	g.Close()
	commitAll(t, tr)
	want := map[string]string{"a": "a", "d/f": "f", "d/busy": "22", "l/f": "f", "l/busy": "22"}
	if d := cmp.Diff(want, remoteFiles(r)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(want, files(view(t, tr))); d != "" {
		t.Error(d)
	}
	write(t, save(t, tr, "l/busy", "own"), "own", os.O_TRUNC)
	if got := content(t, tr, "d/busy"); got != "22" {
		t.Error("a copy is a file of its own:", got)
	}
}

// The answer to a commit with links is lost, the process dies, and the next one
// finds out; and what is linked anew meanwhile stays.
func TestLinksSettledLater(t *testing.T) {
	for _, made := range []bool{true, false} {
		t.Run(fmt.Sprint(made), func(t *testing.T) {
			w := newWorld(t)
			r := w.hub.Repo("acme/m")
			r.Put("a", "a")
			tr := w.tree("acme/m")
			save(t, tr, "f", "f")
			mkdir(t, tr, "d")
			save(t, tr, "d/g", "g")
			ln(t, tr, "f", "l")
			ln(t, tr, "d", "ld")
			ln(t, tr, "f", "anew")
			ln(t, tr, "nothing", "stays")
			sent := false
			w.hub.Fault(func(q *http.Request) *hubtest.Fault {
				switch {
				case isCommit(q):
					sent = true
					return &hubtest.Fault{After: made, Status: 502}
				case sent:
					return &hubtest.Fault{Status: 400}
				}
				return nil
			})
			if _, err := tr.Commit(ctx, CommitOptions{}); err == nil {
				t.Fatal("the commit did not fail")
			}
			w.hub.Fault(nil)
			rm(t, tr, "anew")
			ln(t, tr, "a", "anew")
			before := view(t, tr)
			w.crash()
			w.open()
			tr = w.tree("acme/m")
			if d := cmp.Diff(before, view(t, tr)); d != "" {
				t.Error(d)
			}
			want := map[string]string{"a": "a", "f": "f", "d/g": "g", "l": "f", "ld/g": "g", "anew": "a"}
			for try := 0; tr.Dirty() && try < 3; try++ {
				commitAll(t, tr)
			}
			if d := cmp.Diff(want, remoteFiles(r)); d != "" {
				t.Error(d)
			}
			shown := maps.Clone(want)
			shown["stays"] = "-> nothing"
			if d := cmp.Diff(shown, files(view(t, tr))); d != "" {
				t.Error(d)
			}
		})
	}
}

// Others put something where a link is that may become a copy.
func TestLinkConflict(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	r.Put("a", "a")
	tr := w.tree("acme/m")
	save(t, tr, "f", "f")
	ln(t, tr, "f", "l")
	r.Put("l", "theirs")
	_, err := tr.Commit(ctx, CommitOptions{})
	var c *ConflictError
	if !errors.As(err, &c) || len(c.Paths) != 1 || c.Paths[0] != "l" {
		t.Fatal(err)
	}
	if got := string(r.Read("main", "l")); got != "theirs" {
		t.Error(got)
	}
}

// What the Hub ignores of a directory keeps the link to it staged.
func TestLinkToIgnored(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	r.Commit("main", "start", map[string]string{".gitignore": "*.tmp\n", "l/old": "old"})
	tr := w.tree("acme/m")
	mkdir(t, tr, "d")
	save(t, tr, "d/f", "f")
	save(t, tr, "d/g.tmp", "g")
	rm(t, tr, "l/old")
	if err := tr.Root().Rmdir(ctx, "l"); err != nil {
		t.Fatal(err)
	}
	ln(t, tr, "d", "l")
	commitAll(t, tr)
	want := map[string]string{".gitignore": "*.tmp\n", "l/old": "old", "d/f": "f"}
	if d := cmp.Diff(want, remoteFiles(r)); d != "" {
		t.Error(d)
	}
	if got := reasons(t, tr)["l"]; got == "" {
		t.Error("no reason")
	}
	rm(t, tr, "d/g.tmp")
	commitAll(t, tr)
	delete(want, "l/old")
	want["l/f"] = "f"
	if d := cmp.Diff(want, remoteFiles(r)); d != "" {
		t.Error(d)
	}
}

// A link whose copy goes to another branch, or is left out by a pattern in part,
// goes or stays as a whole.
func TestLinksOfPartialCommits(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	r.Put("a", "a")
	tr := w.tree("acme/m")
	mkdir(t, tr, "d")
	save(t, tr, "d/f.txt", "f")
	save(t, tr, "d/g.tmp", "g")
	ln(t, tr, "d", "ld")
	ln(t, tr, "d/f.txt", "lf")
	if _, err := tr.Commit(ctx, CommitOptions{Ignore: []string{"*.tmp"}}); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"a": "a", "d/f.txt": "f", "lf": "f"}
	if d := cmp.Diff(want, remoteFiles(r)); d != "" {
		t.Error(d)
	}
	shown := map[string]string{"a": "a", "d/f.txt": "f", "d/g.tmp": "g", "lf": "f", "ld": "-> d"}
	check := func() {
		t.Helper()
		if d := cmp.Diff(shown, files(view(t, tr))); d != "" {
			t.Error(d)
		}
	}
	check()
	if reasons(t, tr)["ld"] == "" {
		t.Errorf("%+v", tr.Status(ctx).Staged)
	}
	w.crash()
	w.open()
	tr = w.tree("acme/m")
	check()
	if _, err := tr.Commit(ctx, CommitOptions{Branch: "other"}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, remoteFiles(r)); d != "" {
		t.Error(d)
	}
	for p, c := range map[string]string{"ld/f.txt": "f", "ld/g.tmp": "g", "d/g.tmp": "g"} {
		if got := string(r.Read("other", p)); got != c {
			t.Errorf("%s on the other branch: %q", p, got)
		}
	}
	shown = want
	check()
	w.crash()
	w.open()
	tr = w.tree("acme/m")
	check()
	if tr.Dirty() {
		t.Errorf("%+v", tr.Status(ctx).Staged)
	}
}

// An export has the links, and a discard takes one away.
func TestLinksExportedAndDiscarded(t *testing.T) {
	w := newWorld(t)
	w.hub.Repo("acme/m").Put("a", "a")
	tr := w.tree("acme/m")
	mkdir(t, tr, "d")
	ln(t, tr, "../a", "d/l")
	to := t.TempDir() + "/out"
	if _, err := Export(ctx, w.store.Dir(), w.client.Endpoint(), parse(t, "acme/m"), to); err != nil {
		t.Fatal(err)
	}
	if got, err := os.Readlink(to + "/files/d/l"); got != "../a" {
		t.Error(got, err)
	}
	deltas, err := tr.Diff(ctx, "d")
	if err != nil || len(deltas) != 1 || deltas[0].Path != "d/l" {
		t.Errorf("%+v, %v", deltas, err)
	}
	if _, err := tr.Discard(ctx, "d/l"); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]string{"a": "a"}, files(view(t, tr))); d != "" {
		t.Error(d)
	}
}

// What a link is a copy of may itself be in no commit: it stays staged, and can
// be written on.
func TestLinkToWhatIsNeverCommitted(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	r.Put("a", "a")
	tr := w.tree("acme/m")
	mkdir(t, tr, ".git")
	f := save(t, tr, ".git/big.bin", pattern(50_000))
	ln(t, tr, ".git/big.bin", "l.bin")
	commitAll(t, tr)
	want := map[string]string{"a": "a", "l.bin": pattern(50_000)}
	if d := cmp.Diff(want, remoteFiles(r)); d != "" {
		t.Error(d)
	}
	write(t, f, "!", os.O_APPEND)
	want[".git/big.bin"] = pattern(50_000) + "!"
	if d := cmp.Diff(want, files(view(t, tr))); d != "" {
		t.Error(d)
	}
	w.crash()
	w.open()
	tr = w.tree("acme/m")
	if d := cmp.Diff(want, files(view(t, tr))); d != "" {
		t.Error(d)
	}
}
