package commit

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hubfs/hubfs/blockcache"
	"github.com/hubfs/hubfs/remote"
	"github.com/hubfs/hubfs/remote/hubtest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		child()
		return
	}
	if os.Getenv(killEnv) != "" {
		killChild()
		return
	}
	flag.Set("rapid.checks", "40")
	flag.Set("rapid.seed", "1") // a change is not held up by chance: -rapid.seed 0 chooses another
	goleak.VerifyTestMain(m)
}

const token = "hf_aliceAliceAliceAlice01"

// A world is a Hub, a cache and a state directory.
type world struct {
	t        testing.TB
	hub      *hubtest.Hub
	dir      string
	client   *remote.Client
	cache    *blockcache.Cache
	store    *Store
	opt      Options                                          // added to those of open
	token    string                                           // of open; "" = alice's, "-" = none
	seam     seam                                             // of open
	adopting func(op, from, to string, do func() error) error // of the cache of open
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := makeWorld(t, t.TempDir())
	t.Cleanup(w.end)
	return w
}

// makeWorld is newWorld for tests that make thousands: end is theirs to call.
func makeWorld(t testing.TB, dir string) *world {
	t.Helper()
	w := hubOnly(t, dir)
	w.open()
	return w
}

// hubOnly is makeWorld with nothing opened yet.
func hubOnly(t testing.TB, dir string) *world {
	t.Helper()
	hub, err := hubtest.New(hubtest.Options{Dir: filepath.Join(dir, "hub")})
	if err != nil {
		t.Fatal(err)
	}
	if err := hub.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	hub.AddUser("alice", token, hubtest.User{Orgs: map[string]string{"acme": "write"}})
	return &world{t: t, hub: hub, dir: dir}
}

func (w *world) end() {
	w.close()
	w.hub.Close()
}

func (w *world) open() {
	w.t.Helper()
	var err error
	if w.client, err = remote.New(remote.Options{
		Endpoint: w.hub.URL(), Token: strings.TrimPrefix(cmp.Or(w.token, token), "-"),
		Timeouts: remote.Timeouts{Backoff: time.Millisecond, Retry: 5 * time.Second},
	}); err != nil {
		w.t.Fatal(err)
	}
	if w.cache, err = blockcache.Open(filepath.Join(w.dir, "cache"), blockcache.Options{Around: w.adopting}); err != nil {
		w.t.Fatal(err)
	}
	o := w.opt
	o.Dir, o.Client, o.Cache = filepath.Join(w.dir, "state"), w.client, w.cache
	if w.store, err = openWith(context.Background(), o, w.seam); err != nil {
		w.t.Fatal(err)
	}
	w.store.pause = func(ctx context.Context, d time.Duration) error { return sleep(ctx, time.Millisecond) }
}

func (w *world) close() {
	if w.store == nil {
		return
	}
	if err := w.store.Close(); err != nil {
		w.t.Error(err)
	}
	w.cache.Close()
	w.client.Close()
	w.store = nil
}

// crash gives everything up as a kill would: nothing is written any more.
func (w *world) crash() {
	s := w.store
	s.cancel()
	s.work.Wait()
	for _, t := range s.Opened() {
		t.mu.Lock()
		t.closed = true
		st := t.st
		t.mu.Unlock()
		if st != nil {
			st.release()
		}
	}
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	w.cache.Close()
	w.client.Close()
	w.store = nil
}

func (w *world) reopen() { w.close(); w.open() }

func (w *world) tree(id string) *Worktree {
	w.t.Helper()
	t, err := w.store.Worktree(context.Background(), parse(w.t, id))
	if err != nil {
		w.t.Fatal(err)
	}
	return t
}

func parse(t testing.TB, id string) remote.Repo {
	t.Helper()
	repo, _, err := remote.ParseRepo(id)
	if err != nil {
		t.Fatal(err)
	}
	return repo
}

var ctx = context.Background()

// at finds the directory of a path, and its last name.
func at(t testing.TB, w *Worktree, p string) (*Dir, string) {
	t.Helper()
	d := w.Root()
	for {
		name, rest, more := strings.Cut(p, "/")
		if !more {
			return d, name
		}
		n, err := d.Lookup(ctx, name)
		if err != nil || n.Dir == nil {
			t.Fatalf("%s is no directory: %v", name, err)
		}
		d, p = n.Dir, rest
	}
}

func mkdir(t testing.TB, w *Worktree, p string) *Dir {
	t.Helper()
	d, name := at(t, w, p)
	nd, err := d.Mkdir(ctx, name, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	return nd
}

// save writes a file as programs do: open for writing, truncate.
func save(t testing.TB, w *Worktree, p, content string) *File {
	t.Helper()
	d, name := at(t, w, p)
	f, err := d.Create(ctx, name, 0o644, true)
	if errors.Is(err, fs.ErrExist) {
		f, err = d.Edit(ctx, name, true)
	}
	if err != nil {
		t.Fatal(err)
	}
	write(t, f, content, os.O_TRUNC)
	return f
}

func write(t testing.TB, f *File, content string, flags int) {
	t.Helper()
	g, err := f.Open(os.O_WRONLY | flags)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.WriteString(content); err != nil {
		t.Fatal(err)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
}

func mv(t testing.TB, w *Worktree, p, q string) {
	t.Helper()
	d, name := at(t, w, p)
	to, newName := at(t, w, q)
	if err := d.Rename(ctx, name, to, newName, 0); err != nil {
		t.Fatal(err)
	}
}

func rm(t testing.TB, w *Worktree, p string) {
	t.Helper()
	d, name := at(t, w, p)
	if err := d.Unlink(ctx, name); err != nil {
		t.Fatal(err)
	}
}

// read gives the content of a node.
func readNode(t testing.TB, w *Worktree, n Node) string {
	t.Helper()
	if n.Link != nil {
		return "-> " + n.Link.Target
	}
	if n.File != nil {
		g, err := n.File.Open(os.O_RDONLY)
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		b, err := io.ReadAll(g)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	b, err := w.Blob(ctx, n.Entry)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	buf := make([]byte, n.Entry.Size)
	if m, err := b.ReadAt(ctx, buf, 0); m != len(buf) || err != nil && err != io.EOF {
		t.Fatalf("%s: %d bytes, %v", n.Entry.Path, m, err)
	}
	return string(buf)
}

func content(t testing.TB, w *Worktree, p string) string {
	t.Helper()
	d, name := at(t, w, p)
	n, err := d.Lookup(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	return readNode(t, w, n)
}

// view is everything a worktree shows: files with their content, and
// directories, which end in a slash.
func view(t testing.TB, w *Worktree) map[string]string {
	t.Helper()
	out := make(map[string]string)
	var walk func(d *Dir, at string)
	walk = func(d *Dir, at string) {
		if got := d.Path(); got != at {
			t.Errorf("the directory at %q says it is at %q", at, got)
		}
		names, err := d.List(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range names {
			p := join(at, n.Name)
			m, err := d.Lookup(ctx, n.Name)
			if err != nil || m.Dir != n.Dir || m.File != n.File || m.Link != n.Link || m.Entry != n.Entry {
				t.Errorf("%s: List and Lookup differ: %+v, %+v, %v", p, n.Node, m, err)
			}
			if n.Dir != nil {
				out[p+"/"] = ""
				walk(n.Dir, p)
				continue
			}
			out[p] = readNode(t, w, n.Node)
		}
	}
	walk(w.Root(), "")
	return out
}

func commitAll(t testing.TB, w *Worktree) Result {
	t.Helper()
	res, err := w.Commit(ctx, CommitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// remoteFiles is what the Hub has, but for .gitattributes.
func remoteFiles(r *hubtest.Repo) map[string]string {
	out := make(map[string]string)
	for p := range r.Files("main") {
		if p != ".gitattributes" {
			out[p] = string(r.Read("main", p))
		}
	}
	return out
}

func files(view map[string]string) map[string]string {
	out := make(map[string]string)
	for p, c := range view {
		if !strings.HasSuffix(p, "/") && p != ".gitattributes" {
			out[p] = c
		}
	}
	return out
}
