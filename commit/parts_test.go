package commit

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hubfs/hubfs/remote"
	"github.com/hubfs/hubfs/remote/hubtest"
)

// What patterns leave out stays as it is, and no name is lost by what goes.
func TestPatternsLeaveStaged(t *testing.T) {
	for name, c := range map[string]struct {
		do            func(t *testing.T, w *Worktree)
		allow, ignore []string
		hub           map[string]string // after it, otherwise than at the start
		left          []string          // staged then
		now           map[string]string // what is shown, otherwise than at the start
	}{
		"files": {
			do: func(t *testing.T, w *Worktree) {
				save(t, w, "m.safetensors", "m")
				save(t, w, "t.log", "t")
				save(t, w, "a", "ours")
			},
			allow: []string{"*.safetensors"}, hub: map[string]string{"m.safetensors": "m"}, left: []string{"a", "t.log"},
			now: map[string]string{"m.safetensors": "m", "t.log": "t", "a": "ours"},
		},
		"deletions": {
			do: func(t *testing.T, w *Worktree) { rm(t, w, "a"); rm(t, w, "b") }, ignore: []string{"a"},
			hub: map[string]string{"b": ""}, left: []string{"a"}, now: map[string]string{"a": "", "b": ""},
		},
		"half of a deleted directory": {
			do: func(t *testing.T, w *Worktree) { rm(t, w, "d/x"); rm(t, w, "d/y"); rmdir(t, w, "d") }, ignore: []string{"d/x"},
			hub: map[string]string{"d/y": ""}, left: []string{"d"}, now: map[string]string{"d/x": "", "d/y": ""},
		},
		"a moved directory": {
			do: func(t *testing.T, w *Worktree) { mv(t, w, "d", "e"); save(t, w, "e/n", "n"); save(t, w, "q", "q") }, ignore: []string{"*/x"},
			hub: map[string]string{"q": "q", "e/n": "n"}, left: []string{"d", "e"},
			now: map[string]string{"d/x": "", "d/y": "", "e/x": "x", "e/y": "y", "e/n": "n", "q": "q"},
		},
		"where a moved directory was": {
			do: func(t *testing.T, w *Worktree) {
				mv(t, w, "d", "e")
				mkdir(t, w, "d")
				save(t, w, "d/x", "new")
				save(t, w, "q", "q")
			}, ignore: []string{"e/x"},
			hub: map[string]string{"q": "q"}, left: []string{"d", "d/x", "e"},
			now: map[string]string{"d/x": "new", "d/y": "", "e/x": "x", "e/y": "y", "q": "q"},
		},
		"out of a moved directory": {
			do: func(t *testing.T, w *Worktree) { mv(t, w, "d", "e"); mv(t, w, "e/x", "x2") }, ignore: []string{"e/y"},
			hub: map[string]string{"d/x": "", "x2": "x"}, left: []string{"d", "e"},
			now: map[string]string{"d/x": "", "d/y": "", "e/y": "y", "x2": "x"},
		},
		"a moved file, by its old name": {
			do: func(t *testing.T, w *Worktree) { mv(t, w, "a", "a2"); save(t, w, "q", "q") }, ignore: []string{"a"},
			hub: map[string]string{"q": "q"}, left: []string{"a", "a2"}, now: map[string]string{"a": "", "a2": "a", "q": "q"},
		},
		"a moved file, by its new name": {
			do: func(t *testing.T, w *Worktree) { mv(t, w, "a", "a2"); save(t, w, "q", "q") }, ignore: []string{"a2"},
			hub: map[string]string{"q": "q"}, left: []string{"a", "a2"}, now: map[string]string{"a": "", "a2": "a", "q": "q"},
		},
		"swapped directories": {
			do: func(t *testing.T, w *Worktree) {
				mkdir(t, w, "o")
				save(t, w, "o/z", "z")
				commitAll(t, w)
				if err := w.Root().Rename(ctx, "d", w.Root(), "o", Exchange); err != nil {
					t.Fatal(err)
				}
				save(t, w, "q", "q")
			}, ignore: []string{"o/x"},
			hub: map[string]string{"o/z": "z", "q": "q"}, left: []string{"d", "o"},
			now: map[string]string{"d/x": "", "d/y": "", "d/z": "z", "o/x": "x", "o/y": "y", "q": "q"},
		},
		"a directory made anew": {
			do: func(t *testing.T, w *Worktree) {
				rm(t, w, "d/x")
				rm(t, w, "d/y")
				rmdir(t, w, "d")
				mkdir(t, w, "d")
				save(t, w, "d/z", "z")
			}, ignore: []string{"d/x"},
			hub: map[string]string{"d/y": "", "d/z": "z"}, left: []string{"d"}, // it hides that d/x is there
			now: map[string]string{"d/x": "", "d/y": "", "d/z": "z"},
		},
		"a directory in the place of a file": {
			do: func(t *testing.T, w *Worktree) {
				rm(t, w, "a")
				mkdir(t, w, "a")
				save(t, w, "a/f", "f")
				save(t, w, "q", "q")
			}, ignore: []string{"a"},
			hub: map[string]string{"q": "q"}, left: []string{"a", "a/f"}, now: map[string]string{"a": "", "a/f": "f", "q": "q"},
		},
		"a file in the place of a directory": {
			do: func(t *testing.T, w *Worktree) {
				rm(t, w, "d/x")
				rm(t, w, "d/y")
				rmdir(t, w, "d")
				save(t, w, "d", "file")
				save(t, w, "q", "q")
			}, ignore: []string{"d/x"},
			hub: map[string]string{"q": "q", "d/y": ""}, left: []string{"d"}, now: map[string]string{"d/x": "", "d/y": "", "d": "file", "q": "q"},
		},
		"a link": {
			do: func(t *testing.T, w *Worktree) {
				if _, err := w.Root().Symlink(ctx, "ln", "d"); err != nil {
					t.Fatal(err)
				}
				save(t, w, "q", "q")
			}, ignore: []string{"ln/x"},
			hub: map[string]string{"q": "q"}, left: []string{"ln"}, now: map[string]string{"q": "q"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			r := w.hub.Repo("acme/m")
			r.Commit("main", "start", start())
			tr := w.tree("acme/m")
			view(t, tr)
			c.do(t, tr)
			res, err := tr.Commit(ctx, CommitOptions{Allow: c.allow, Ignore: c.ignore})
			if err != nil || res.Skipped == 0 {
				t.Fatalf("%+v, %v", res, err)
			}
			check := func() {
				t.Helper()
				if d := cmp.Diff(with(start(), c.hub), remoteFiles(r)); d != "" {
					t.Error("on the Hub:", d)
				}
				if d := cmp.Diff(with(start(), c.now), filesOf(t, tr)); d != "" {
					t.Error("shown:", d)
				}
			}
			check()
			var left []string
			for _, s := range tr.Status(ctx).Staged {
				left = append(left, s.Path)
				if s.Reason == "" {
					t.Errorf("no reason: %+v", s)
				}
			}
			if d := cmp.Diff(c.left, slices.Compact(left)); d != "" {
				t.Error("staged:", d)
			}
			w.crash()
			w.open()
			tr = w.tree("acme/m")
			check()
			// Again with the same, and then with all.
			if res, err := tr.Commit(ctx, CommitOptions{Allow: c.allow, Ignore: c.ignore}); err != nil || !res.Unchanged {
				t.Errorf("%+v, %v", res, err)
			}
			check()
			commitAll(t, tr)
			want := with(start(), c.now)
			if name == "a link" {
				want["ln/x"], want["ln/y"] = "x", "y"
			}
			if d := cmp.Diff(want, remoteFiles(r)); d != "" {
				t.Error("in the end:", d)
			}
			if tr.Dirty() {
				t.Errorf("%+v", tr.Status(ctx))
			}
		})
	}
}

func rmdir(t *testing.T, w *Worktree, p string) {
	t.Helper()
	d, name := at(t, w, p)
	if err := d.Rmdir(ctx, name); err != nil {
		t.Fatal(err)
	}
}

// filesOf is the content of all files that are shown, links left out.
func filesOf(t *testing.T, w *Worktree) map[string]string {
	t.Helper()
	out := make(map[string]string)
	var walk func(d *Dir, at string)
	walk = func(d *Dir, at string) {
		names, err := d.List(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range names {
			p := join(at, n.Name)
			switch {
			case n.Link != nil || p == attributes:
			case n.Dir != nil:
				walk(n.Dir, p)
			default:
				out[p] = readNode(t, w, n.Node)
			}
		}
	}
	walk(w.Root(), "")
	return out
}

// Others may change what was left out; that is seen when it is to be committed.
func TestPatternsAndOthers(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	r.Commit("main", "start", start())
	tr := w.tree("acme/m")
	view(t, tr)
	save(t, tr, "a", "ours")
	save(t, tr, "q", "q")
	r.Commit("main", "theirs", map[string]string{"a": "theirs"})
	var e *ConflictError
	if _, err := tr.Commit(ctx, CommitOptions{Allow: []string{"q"}}); !errors.As(err, &e) || !slices.Equal(e.Paths, []string{"a"}) {
		t.Fatal(err)
	}
	if _, err := tr.Commit(ctx, CommitOptions{Allow: []string{"q"}, CreatePR: true}); err != nil {
		t.Fatal(err)
	}
	if got := string(r.Read("refs/pr/1", "q")); got != "q" || content(t, tr, "a") != "ours" {
		t.Error(got)
	}
}

func TestSplit(t *testing.T) {
	many := func(t *testing.T, tr *Worktree) map[string]string {
		want := with(start(), map[string]string{"d/x": "", "d/y": "", "e/x": "x", "e/y": "y", "l.bin": "", "m.bin": start()["l.bin"], "b": ""})
		mv(t, tr, "d", "e")
		mv(t, tr, "l.bin", "m.bin")
		rm(t, tr, "b")
		mkdir(t, tr, "n")
		for i := range 10 {
			p, text := fmt.Sprintf("n/%02d.bin", i), fmt.Sprintf("\x00%d", i)
			save(t, tr, p, text)
			want[p] = text
			p, text = fmt.Sprintf("n/%02d.txt", i), strings.Repeat(fmt.Sprint(i), 30)
			save(t, tr, p, text)
			want[p] = text
		}
		return want
	}
	for _, kind := range []string{"", "fails", "crash", "lost", "pull request", "branch"} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t)
			r := w.hub.Repo("acme/m")
			r.Commit("main", "start", start())
			limits := func() { w.store.maxLarge, w.store.maxInline = 4, 100 }
			limits()
			w.hub.SetQuirks(hubtest.Quirks{CommitLFS: 4, CommitPayload: 100})
			tr := w.tree("acme/m")
			view(t, tr)
			want := many(t, tr)
			w.hub.ResetCounts()
			var e *TooLargeError
			if _, err := tr.Commit(ctx, CommitOptions{}); !errors.As(err, &e) || e.Large != 11 || e.Inline != 302 || !strings.Contains(err.Error(), "--split") {
				t.Fatal(err)
			}
			if n := w.hub.Counts(); n[hubtest.KindLFSPut].N != 0 || n[hubtest.KindLFSBatch].N != 0 {
				t.Error("something was uploaded")
			}
			o := CommitOptions{Split: true, Message: "All of it"}
			rev, commits := "main", 0
			requests := 0
			switch kind {
			case "pull request":
				o.CreatePR, rev = true, "refs/pr/1"
			case "branch":
				o.Branch, rev = "dev", "dev"
			case "lost":
				w.hub.Fault(lostFrom(2, false))
			case "fails", "crash":
				w.hub.Fault(func(q *http.Request) *hubtest.Fault {
					if isCommit(q) {
						if requests++; requests == 2 {
							return &hubtest.Fault{Status: 403}
						}
					}
					return nil
				})
				res, err := tr.Commit(ctx, o)
				if err == nil || res.Commits != 1 || !tr.Dirty() {
					t.Fatalf("%+v, %v", res, err)
				}
				if d := cmp.Diff(want, files(view(t, tr))); d != "" {
					t.Error(d)
				}
				commits = 1
				w.hub.Fault(nil)
				if kind == "crash" {
					w.crash()
					w.open()
					limits()
					tr = w.tree("acme/m")
					if d := cmp.Diff(want, files(view(t, tr))); d != "" {
						t.Error(d)
					}
				}
			}
			res, err := tr.Commit(ctx, o)
			commits += res.Commits
			if err != nil || commits < 4 || commits > 6 || r.Head(rev) != res.Commit || tr.Dirty() {
				t.Fatalf("%+v, %v, %+v", res, err, tr.Status(ctx))
			}
			if d := cmp.Diff(want, filesAt(r, rev)); d != "" {
				t.Error(d)
			}
			if rev == "main" {
				if d := cmp.Diff(want, files(view(t, tr))); d != "" {
					t.Error(d)
				}
			}
			log := r.Log(rev)
			if len(log) != commits+2 || kind == "" && (log[0].Title != fmt.Sprintf("All of it (part %d)", commits) || log[commits-1].Title != "All of it") {
				t.Errorf("%+v", log)
			}
			if n := w.hub.Counts()[hubtest.KindLFSPut].N; n != 10 {
				t.Errorf("%d uploads of 10 files", n)
			}
			if kind == "pull request" && (res.PullRequest == "" || res.Branch != rev) {
				t.Errorf("%+v", res)
			}
		})
	}
}

// What cannot be divided is said so.
func TestSplitImpossible(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	r.Commit("main", "start", map[string]string{"d/1.bin": "\x001", "d/2.bin": "\x002", "d/3.bin": "\x003"})
	w.store.maxLarge = 2
	tr := w.tree("acme/m")
	mv(t, tr, "d", "e")
	var e *TooLargeError
	if _, err := tr.Commit(ctx, CommitOptions{Split: true}); !errors.As(err, &e) || e.Path == "" || e.Large != 3 {
		t.Fatal(err)
	}
	save(t, tr, "n", "n")
	if res, err := tr.Commit(ctx, CommitOptions{Split: true}); !errors.As(err, &e) || res.Commits != 1 || !tr.Dirty() {
		t.Error(res, err)
	}
	if got := remoteFiles(r); got["n"] != "n" || got["d/1.bin"] == "" || content(t, tr, "e/1.bin") != "\x001" {
		t.Error(got)
	}
}

func TestModelCard(t *testing.T) {
	w := newWorld(t)
	tr, err := w.store.Create(ctx, parse(t, "alice/new"))
	if err != nil {
		t.Fatal(err)
	}
	if res, err := tr.Commit(ctx, CommitOptions{ModelCard: true}); err != nil || !res.Unchanged || !tr.New() {
		t.Fatalf("a card alone makes a repo: %+v, %v", res, err)
	}
	save(t, tr, "a", "a")
	if _, err := tr.Commit(ctx, CommitOptions{ModelCard: true}); err != nil {
		t.Fatal(err)
	}
	r := w.hub.Repo("alice/new")
	card := string(r.Read("main", "README.md"))
	if !strings.HasPrefix(card, "---\n") || !strings.Contains(card, "# new") || content(t, tr, "README.md") != card || tr.Dirty() {
		t.Errorf("%q", card)
	}
	if _, err := w.client.ValidateCard(ctx, remote.Model, card); err != nil {
		t.Error(err)
	}
	for name, repo := range map[string]string{"a data set": "datasets/alice/d", "with a card": "alice/two"} {
		tr, err := w.store.Create(ctx, parse(t, repo))
		if err != nil {
			t.Fatal(err)
		}
		save(t, tr, "a", "a")
		want := ""
		if name == "with a card" {
			want = "# mine\n"
			save(t, tr, "README.md", want)
		}
		if _, err := tr.Commit(ctx, CommitOptions{ModelCard: true}); err != nil {
			t.Fatal(err)
		}
		if got := filesAt(w.hub.Repo(repo), "main")["README.md"]; got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// A card that the Hub does not take stops the commit before anything is sent.
func TestInvalidCard(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	head := r.Commit("main", "start", start())
	tr := w.tree("acme/m")
	save(t, tr, "big.bin", "\x00"+pattern(5000))
	save(t, tr, "README.md", "---\nlicense: [\n---\n")
	w.hub.ResetCounts()
	var e *remote.CardError
	if _, err := tr.Commit(ctx, CommitOptions{}); !errors.As(err, &e) || len(e.Problems) == 0 {
		t.Fatal(err)
	}
	if n := w.hub.Counts(); n[hubtest.KindLFSPut].N+n[hubtest.KindLFSBatch].N != 0 || r.Head("main") != head {
		t.Error("something was sent")
	}
	save(t, tr, "README.md", "# no metadata\n")
	res := commitAll(t, tr)
	if len(res.Warnings) == 0 {
		t.Errorf("%+v", res)
	}
	if _, err := tr.Root().Lookup(ctx, "missing"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// Each phase tells bytes and files, and ends with all of them.
func TestProgress(t *testing.T) {
	w := newWorld(t)
	w.hub.Repo("acme/m").Commit("main", "start", start())
	tr := w.tree("acme/m")
	save(t, tr, "one.bin", "\x00"+pattern(70_000))
	save(t, tr, "two.bin", "\x00"+pattern(70_000)) // the same content
	save(t, tr, "three.bin", "\x00"+pattern(5000))
	save(t, tr, "a", strings.Repeat("a", 40_000))
	save(t, tr, "n", "n")
	mv(t, tr, "b", "b2") // its byte travels too
	last := make(map[string]Event)
	lost := lostFrom(1, false)
	w.hub.Fault(lost)
	_, err := tr.Commit(ctx, CommitOptions{Progress: func(e Event) {
		was := last[e.Phase]
		e.Path = ""
		if e.Done < was.Done && e.Phase != "upload" && e.Phase != "hash" || e.Done > e.Total || e.Files > e.TotalFiles {
			t.Errorf("%+v after %+v", e, was)
		}
		was.Done, was.Files = max(was.Done, e.Done), max(was.Files, e.Files)
		e.Done, e.Files = was.Done, was.Files
		last[e.Phase] = e
	}})
	if err != nil {
		t.Fatal(err)
	}
	for phase, want := range map[string]Event{
		"hash":   {Phase: "hash", Done: 185_004, Total: 185_004, Files: 5, TotalFiles: 5},
		"upload": {Phase: "upload", Done: 145_003, Total: 145_003, Files: 2, TotalFiles: 2},
		"commit": {Phase: "commit", Done: 40_002, Total: 40_002, Files: 7, TotalFiles: 7},
	} {
		if d := cmp.Diff(want, last[phase]); d != "" {
			t.Error(d)
		}
	}
}

// A moved directory of many files that goes to the next commit is looked at as a
// whole: file by file this would not end before the test's time is up.
func TestSplitLeavesManyTogether(t *testing.T) {
	const n = 30_000
	d := new(Dir)
	x := &differ{items: make(map[string]*item), deletes: make(map[string]bool), root: &shot{
		based: true, kids: map[string]*kid{"d": {dir: d}}, subs: map[*Dir]*shot{d: {path: "d", based: true, origin: "o"}},
	}}
	p := &plan{}
	add := func(it *item) {
		it.size = 1
		x.items[it.path] = it
		p.items = append(p.items, it)
	}
	add(&item{path: "a", file: new(File)})
	for i := range n {
		from := fmt.Sprintf("o/%d", i)
		x.deletes[from] = true
		p.deletes = append(p.deletes, from)
		add(&item{path: fmt.Sprintf("d/%d", i), from: remote.Entry{Path: from}})
	}
	p.choice = newChoice(x)
	c := &committing{w: &Worktree{s: &Store{maxLarge: 1, maxInline: n}}, o: CommitOptions{Split: true}, p: p}
	if err := c.limit(); err != nil || len(p.items) != 1 || len(p.deletes) != 0 || !p.more || !p.kept["d"] {
		t.Error(err, len(p.items), len(p.deletes), p.more, p.kept)
	}
}
