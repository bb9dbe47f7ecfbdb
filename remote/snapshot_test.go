package remote_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hubfs/hubfs/remote"
	"github.com/hubfs/hubfs/remote/hubtest"
)

// many is a repo's worth of files: n files in n/10 folders.
func many(n int) map[string]string {
	files := map[string]string{}
	for i := range n {
		files[fmt.Sprintf("d%03d/f%d.txt", i/10, i)] = fmt.Sprint(i)
	}
	return files
}

func paths(entries []remote.Entry) []string {
	var out []string
	for _, e := range entries {
		p := e.Path
		if e.Dir {
			p += "/"
		}
		out = append(out, p)
	}
	return out
}

func TestSnapshotIsAnFS(t *testing.T) {
	hub := newHub(t, hubtest.Options{})
	hub.Repo("acme/m").Commit("main", "files", map[string]string{
		"README.md": "hello", "a/b/c.txt": "deep", "a/empty": "", "model.safetensors": pattern(2_000), "z": "z",
	})
	c := newClient(t, hub.URL(), aliceToken)
	s := snapshot(t, c, model("acme/m"))
	want := []string{".gitattributes", "README.md", "a/b/c.txt", "a/empty", "model.safetensors", "z"}
	if err := fstest.TestFS(s, want...); err != nil {
		t.Error(err)
	}
	if err := fstest.TestFS(s.FS(t.Context()), want...); err != nil {
		t.Error(err)
	}
	if b, err := fs.ReadFile(s, "model.safetensors"); err != nil || string(b) != pattern(2_000) {
		t.Errorf("model.safetensors: %d bytes, %v", len(b), err)
	}
}

func TestListingBudget(t *testing.T) {
	hub := newHub(t, hubtest.Options{})
	hub.Repo("acme/m").Commit("main", "files", many(1000))
	c := newClient(t, hub.URL(), aliceToken)
	hub.ResetCounts()
	s := snapshot(t, c, model("acme/m"))
	if n := hub.Requests(); n != 1 {
		t.Errorf("snapshot: %d requests, want 1", n)
	}
	for range 2 {
		all, err := s.Walk(t.Context())
		if err != nil || len(all) != 1101 {
			t.Fatalf("%d entries, %v", len(all), err)
		}
		for _, e := range all {
			if got := stat(t, s, e.Path); got != e {
				t.Fatalf("Stat(%s) = %v, want %v", e.Path, got, e)
			}
		}
		if entries, err := s.List(t.Context(), "d042"); err != nil || len(entries) != 10 {
			t.Errorf("d042: %v, %v", entries, err)
		}
	}
	if n := hub.Counts()[hubtest.KindTree].N; n != 2 { // 1,101 entries at 1,000 a page
		t.Errorf("%d tree requests, want 2", n)
	}
	if n, m := hub.Requests(), c.Requests(); n != 3 || m != 3 {
		t.Errorf("%d requests served, %d counted, want 3", n, m)
	}
	if s.Date().IsZero() || s.Commit() != hub.Repo("acme/m").Head("main") {
		t.Errorf("commit %s of %s", s.Commit(), s.Date())
	}
}

// A tree that does not end within five pages is asked for by directory.
func TestLargeTree(t *testing.T) {
	hub := newHub(t, hubtest.Options{PageSize: 10})
	files := many(200)
	files["deep/er/still/x"] = "x"
	hub.Repo("acme/m").Commit("main", "files", files)
	c := newClient(t, hub.URL(), aliceToken)
	s := snapshot(t, c, model("acme/m"))
	hub.ResetCounts()
	if e := stat(t, s, "deep/er/still/x"); e.Size != 1 {
		t.Errorf("%+v", e)
	}
	if n := hub.Requests(); n != 6 { // five pages in vain, one of the directory
		t.Errorf("%d requests for the first file, want 6", n)
	}
	hub.ResetCounts()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if entries, err := s.List(context.Background(), "d003"); err != nil || len(entries) != 10 {
				t.Errorf("%v, %v", entries, err)
			}
		})
	}
	wg.Wait()
	if n := hub.Requests(); n != 1 {
		t.Errorf("%d requests for one directory by 20 readers, want 1", n)
	}
	root, err := s.List(t.Context(), "")
	if err != nil || len(root) != 22 { // three pages
		t.Errorf("%d entries of the root, %v", len(root), err)
	}
	if _, err := s.List(t.Context(), "nothing"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	all, err := s.Walk(t.Context())
	if err != nil || len(all) != 200+20+1+3+1 {
		t.Errorf("%d entries in all, %v", len(all), err)
	}
	if err := fstest.TestFS(s, "d000/f0.txt", "deep/er/still/x"); err != nil {
		t.Error(err)
	}
	// The same commit again: nothing to ask.
	hub.ResetCounts()
	again := c.SnapshotAt(s.Repo(), s.Commit(), s.Date())
	if e := stat(t, again, "deep/er/still/x"); e.Size != 1 {
		t.Errorf("%+v", e)
	}
	if n := hub.Requests(); n != 0 {
		t.Errorf("%d requests for what is known", n)
	}
}

func TestMissing(t *testing.T) {
	hub := newHub(t, hubtest.Options{})
	hub.Repo("acme/m").Put("a/f", "x")
	c := newClient(t, hub.URL(), aliceToken)
	s := snapshot(t, c, model("acme/m"))
	for path, want := range map[string]error{
		"b": fs.ErrNotExist, "a/g": fs.ErrNotExist, "../a": fs.ErrNotExist, "a/f/g": syscall.ENOTDIR, "a/f/g/h": syscall.ENOTDIR,
	} {
		if _, err := s.Stat(t.Context(), path); !errors.Is(err, want) {
			t.Errorf("Stat(%q): %v, want %v", path, err, want)
		}
	}
	if _, err := s.List(t.Context(), "a/f"); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("list of a file: %v", err)
	}
	for repo, want := range map[remote.Repo]error{
		model("acme/none"): fs.ErrNotExist,
		{Type: remote.Model, ID: "acme/m", Rev: "none"}: remote.ErrRevisionNotFound,
		{Type: remote.Dataset, ID: "acme/m"}:            fs.ErrNotExist,
	} {
		if _, err := c.Snapshot(t.Context(), repo); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", repo, err, want)
		}
	}
}

func TestRenamedAndOneWord(t *testing.T) {
	hub := newHub(t, hubtest.Options{})
	r := hub.Repo("acme/old")
	r.Put("f", "x")
	r.Rename("acme/new")
	hub.Alias("gpt2", "acme/new")
	c := newClient(t, hub.URL(), aliceToken)
	for _, id := range []string{"acme/old", "gpt2"} {
		s := snapshot(t, c, model(id))
		if s.Repo().ID != "acme/new" {
			t.Errorf("%s is %s", id, s.Repo().ID)
		}
		if b, err := fs.ReadFile(s, "f"); err != nil || string(b) != "x" {
			t.Errorf("%q, %v", b, err)
		}
	}
}

func TestEmptyRepo(t *testing.T) {
	hub := newHub(t, hubtest.Options{})
	hub.EmptyRepo("acme/none")
	c := newClient(t, hub.URL(), aliceToken)
	s := snapshot(t, c, model("acme/none"))
	if entries, err := s.List(t.Context(), ""); s.Commit() != "" || len(entries) != 0 || err != nil {
		t.Errorf("commit %q, %v, %v", s.Commit(), entries, err)
	}
	if _, err := s.Stat(t.Context(), "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if err := fstest.TestFS(s); err != nil {
		t.Error(err)
	}
}

func TestOtherServersTrees(t *testing.T) {
	for name, q := range map[string]hubtest.Quirks{
		"files only": {TreeFilesOnly: true}, "long commits": {LongCommits: true}, "no codes": {NoErrorCodes: true, NoRateHeaders: true},
	} {
		t.Run(name, func(t *testing.T) {
			hub := newHub(t, hubtest.Options{})
			hub.SetQuirks(q)
			hub.Repo("acme/m").Commit("main", "x", map[string]string{"a/b/c": "1", "a/d": "2", "e": "3"})
			s := snapshot(t, newClient(t, hub.URL(), aliceToken), model("acme/m"))
			all, err := s.Walk(t.Context())
			want := []string{".gitattributes", "a/", "a/b/", "a/b/c", "a/d", "e"}
			if diff := cmp.Diff(want, paths(all)); diff != "" || err != nil {
				t.Errorf("%v\n%s", err, diff)
			}
			if _, err := s.Stat(t.Context(), "x/y"); !errors.Is(err, fs.ErrNotExist) {
				t.Error(err)
			}
			if b, err := fs.ReadFile(s, "a/b/c"); string(b) != "1" || err != nil {
				t.Errorf("%q, %v", b, err)
			}
			if _, err := newClient(t, hub.URL(), aliceToken).Info(t.Context(), model("acme/none")); !errors.Is(err, fs.ErrNotExist) {
				t.Error(err)
			}
		})
	}
}

func TestHostileNames(t *testing.T) {
	hub := newHub(t, hubtest.Options{})
	r := hub.Repo("acme/m")
	r.Commit("main", "x", map[string]string{"good": "1", "dir/good": "2", "both/inner": "3"})
	oid := strings.Repeat("a", 40)
	bad := []string{"../evil", "/abs", "a//b", "dir/../x", ".", "..", "x\x00y", strings.Repeat("n", 256), strings.Repeat(strings.Repeat("n", 200)+"/", 21) + "x", ""}
	var entries []hubtest.TreeEntry
	for _, p := range bad {
		entries = append(entries, hubtest.TreeEntry{Type: "file", Path: p, Size: 1, OID: oid})
	}
	entries = append(entries,
		hubtest.TreeEntry{Type: "file", Path: "both", Size: 1, OID: oid}, // also a directory
		hubtest.TreeEntry{Type: "file", Path: "twice", Size: 1, OID: oid},
		hubtest.TreeEntry{Type: "file", Path: "twice", Size: 2, OID: oid},
		hubtest.TreeEntry{Type: "file", Path: "negative", Size: -1, OID: oid},
		hubtest.TreeEntry{Type: "file", Path: "noid", Size: 1, OID: "../../x"},
		hubtest.TreeEntry{Type: "unknown", Path: "submodule", Size: 1, OID: oid},
	)
	r.Inject(entries...)
	s := snapshot(t, newClient(t, hub.URL(), aliceToken), model("acme/m"))
	all, err := s.Walk(t.Context())
	want := []string{".gitattributes", "dir/", "dir/good", "good"}
	if diff := cmp.Diff(want, paths(all)); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	// both (file and directory: one name) and both/inner; twice, twice; three
	// that make no sense.
	if n := s.Hidden(); n != len(bad)+8 {
		t.Errorf("%d hidden, want %d", n, len(bad)+8)
	}
	for _, p := range append(bad, "both", "both/inner", "twice", "negative", "noid", "submodule") {
		if p != "" && p != "/abs" {
			if e, err := s.Stat(t.Context(), p); err == nil {
				t.Errorf("Stat(%q) = %v", p, e)
			}
		}
	}
	if err := fstest.TestFS(s, "good", "dir/good"); err != nil {
		t.Error(err)
	}
}

// The listing of one directory cannot bring entries of another, however large
// the tree; and a directory that goes on for ever is an error.
func TestHostileDirectories(t *testing.T) {
	const oid = `"oid":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","size":1`
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		next := func(path string) {
			n, _ := strconv.Atoi(r.URL.Query().Get("cursor"))
			w.Header().Set("Link", fmt.Sprintf(`<http://%s%s?recursive=%s&cursor=%d>; rel="next"`, r.Host, path, r.URL.Query().Get("recursive"), n+1))
		}
		_, dir, _ := strings.Cut(r.URL.Path, "/tree/"+strings.Repeat("c", 40))
		switch {
		case r.URL.Query().Get("recursive") == "true", dir == "/endless":
			next(r.URL.Path)
			fmt.Fprint(w, `[]`)
		case dir == "/dir":
			fmt.Fprint(w, `[{"type":"file","path":"dir/f",`+oid+`},{"type":"file","path":"f",`+oid+`},{"type":"file","path":"dir/sub/f",`+oid+`},
				{"type":"file","path":"dirt",`+oid+`},{"type":"directory","path":"dir"},{"type":"file","path":"dir/../f",`+oid+`}]`)
		default:
			fmt.Fprint(w, `[{"type":"directory","path":"dir"},{"type":"directory","path":"endless"}]`)
		}
	})
	snap := newClient(t, s.URL, "").SnapshotAt(model("a/b"), strings.Repeat("c", 40), time.Time{})
	entries, err := snap.List(t.Context(), "dir")
	if diff := cmp.Diff([]string{"dir/f"}, paths(entries)); diff != "" || err != nil || snap.Hidden() != 5 {
		t.Errorf("%d hidden, %v\n%s", snap.Hidden(), err, diff)
	}
	if _, err := snap.List(t.Context(), "endless"); err == nil {
		t.Error("an endless directory has an end")
	}
	if entries, err := snap.List(t.Context(), ""); len(entries) != 2 || err != nil {
		t.Errorf("%v, %v", entries, err)
	}
}

// A server whose tree does not tell large files: the repo's info does, at the
// price of one request. If that is silent too, they cannot be read as what the
// tree says they are, and the error says so; small ones are fine.
func TestTreeWithoutLFS(t *testing.T) {
	hub := newHub(t, hubtest.Options{})
	hub.SetQuirks(hubtest.Quirks{TreeNoLFS: true})
	big := pattern(50_000)
	hub.Repo("acme/m").Commit("main", "x", map[string]string{"small": "s", "big.bin": big})
	c := newClient(t, hub.URL(), aliceToken)
	s := snapshot(t, c, model("acme/m"))
	if oid, ok := stat(t, s, "big.bin").Blob.LFS(); !ok || oid != sha(big) || c.Requests() != 3 {
		t.Errorf("big.bin is %v after %d requests", stat(t, s, "big.bin").Blob, c.Requests())
	}
	for name, want := range map[string]string{"small": "s", "big.bin": big} {
		if b, err := fs.ReadFile(s, name); string(b) != want || err != nil {
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
	}

	for _, f := range []hubtest.Fault{
		{Status: 400, Body: `{"error":"what blobs?"}`}, {Status: 200, Body: "<html>"}, {Status: 200, Body: `{"siblings":[{"lfs":true}]}`},
		{Status: 200, Body: `{"sha":"` + strings.Repeat("0", 40) + `","siblings":[{"rfilename":"big.bin","lfs":{"sha256":"` + sha("other") + `","size":5}}]}`},
	} {
		hub.Fault(func(r *http.Request) *hubtest.Fault {
			if r.URL.Query().Get("blobs") != "" {
				return &f
			}
			return nil
		})
		s = snapshot(t, newClient(t, hub.URL(), aliceToken), model("acme/m"))
		if b, err := fs.ReadFile(s, "small"); string(b) != "s" || err != nil {
			t.Errorf("%q: %q, %v", f.Body, b, err)
		}
		if b, err := fs.ReadFile(s, "big.bin"); !errors.Is(err, remote.ErrMismatch) || len(b) != 0 {
			t.Errorf("%q: %d bytes, %v", f.Body, len(b), err)
		}
	}
}

// A tree that tells its large files, or has none, costs no further request.
func TestTreeWithLFS(t *testing.T) {
	hub := newHub(t, hubtest.Options{})
	hub.Repo("acme/m").Commit("main", "x", map[string]string{"config.json": "{}", "small.bin": pattern(50_000)})
	hub.Repo("acme/text").Commit("main", "x", map[string]string{"config.json": "{}", "empty.bin": ""})
	for _, id := range []string{"acme/m", "acme/text"} {
		c := newClient(t, hub.URL(), aliceToken)
		stat(t, snapshot(t, c, model(id)), "config.json")
		if c.Requests() != 2 {
			t.Errorf("%s: %d requests", id, c.Requests())
		}
	}
}
