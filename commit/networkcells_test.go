package commit

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hubfs/hubfs/blockcache"
	"github.com/hubfs/hubfs/integration/proof"
	"github.com/hubfs/hubfs/remote"
	"github.com/hubfs/hubfs/remote/hubtest"
)

// A lab runs cells against one Hub, one after the other.
type lab struct {
	t     *testing.T
	hub   *hubtest.Hub
	dir   string
	begun atomic.Int64 // requests at the Hub
	ended logLines
	hours atomic.Int64 // that have passed for the stores
}

// logLines counts what an access log says: one line for a request that has ended.
type logLines struct{ n atomic.Int64 }

func (l *logLines) Write(p []byte) (int, error) {
	l.n.Add(int64(bytes.Count(p, []byte("\n"))))
	return len(p), nil
}

func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{t: t, dir: t.TempDir()}
	var err error
	l.hub, err = hubtest.New(hubtest.Options{
		Dir: filepath.Join(l.dir, "hub"), AccessLog: &l.ended, MultipartOver: 50_000, PartSize: 40_000,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.hub.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.hub.Close() })
	l.hub.AddUser("alice", token, hubtest.User{Orgs: map[string]string{"acme": "write"}})
	return l
}

// hurried ends every wait soon; it may do so although nothing is wrong.
var hurried = remote.Timeouts{
	Header: 200 * time.Millisecond, Commit: 200 * time.Millisecond, Stall: 200 * time.Millisecond,
	Retry: 10 * time.Millisecond, Backoff: time.Millisecond,
}

// brisk repeats soon, and waits long.
var brisk = remote.Timeouts{Retry: 200 * time.Millisecond, Backoff: time.Millisecond}

// open opens a store whose requests go over a wire.
func (l *lab) open(dir string, over *wire, times remote.Timeouts) *world {
	l.t.Helper()
	w := &world{t: l.t, hub: l.hub, dir: dir}
	over.hub, over.seen = l.hub, map[string]int{}
	over.base = &http.Transport{MaxIdleConnsPerHost: 32}
	var err error
	if w.client, err = remote.New(remote.Options{Endpoint: l.hub.URL(), Token: token, Timeouts: times, Transport: over}); err != nil {
		l.t.Fatal(err)
	}
	if w.cache, err = blockcache.Open(filepath.Join(dir, "cache"), blockcache.Options{}); err != nil {
		l.t.Fatal(err)
	}
	if w.store, err = Open(ctx, Options{Dir: filepath.Join(dir, "state"), Client: w.client, Cache: w.cache}); err != nil {
		l.t.Fatal(err)
	}
	// A pull request that has not appeared by now never will.
	w.store.now = func() time.Time { return time.Now().Add(time.Duration(l.hours.Load()) * time.Hour) }
	l.hours.Add(1)
	return w
}

// tree is the worktree of a repo, which the Hub may not have yet.
func (l *lab) tree(w *world, id string) (*Worktree, error) {
	if l.hub.Has(id) {
		return w.store.Worktree(ctx, parse(l.t, id))
	}
	tr, err := w.store.Create(ctx, parse(l.t, id))
	if errors.Is(err, os.ErrExist) {
		return w.store.Worktree(ctx, parse(l.t, id))
	}
	return tr, err
}

// quiet waits until the Hub has ended every request that reached it.
func (l *lab) quiet() {
	for end := time.Now().Add(time.Minute); l.ended.n.Load() < l.begun.Load(); runtime.Gosched() {
		if time.Now().After(end) {
			l.t.Fatal("the Hub is still busy")
		}
	}
}

// run tries one cell, and gives the requests of its first sync. A cell without
// a fault must commit at once.
func (l *lab) run(c cell) (over *wire, ok bool) {
	l.t.Helper()
	bad := func(format string, args ...any) {
		l.t.Helper()
		ok = false
		l.t.Errorf("%s\n\t%s", c, fmt.Sprintf(format, args...))
	}
	ok = true
	id := fmt.Sprintf("acme/m%d", c.serial)
	var r *hubtest.Repo
	if !c.scene.fresh {
		r = l.hub.Repo(id)
		r.Commit("main", "start", startFiles)
	}
	over = &wire{target: c.target, nth: c.nth}
	count := func(req *http.Request) *hubtest.Fault {
		l.begun.Add(1)
		return over.fault(req)
	}
	l.hub.Fault(count)
	dir := filepath.Join(l.dir, fmt.Sprint("cell", c.serial))
	defer os.RemoveAll(dir)
	times, slow := brisk, c.fail != nil && c.fail.slow
	if slow {
		times = hurried
	}
	w := l.open(dir, over, brisk)
	defer func() { w.close() }()
	var tr *Worktree
	if c.scene.fresh {
		var err error
		if tr, err = w.store.Create(ctx, parse(l.t, id)); err != nil {
			l.t.Fatal(err)
		}
	} else {
		tr = w.tree(id)
		view(l.t, tr)
	}
	base := files(view(l.t, tr))
	c.scene.stage(l.t, tr)
	before, staged := view(l.t, tr), stagedPaths(tr)
	want := files(before)
	theirs := c.scene.behind || c.scene.passed
	o := c.scene.options
	o.Message = "ours"
	if c.scene.doubt != "" {
		mute := c.scene.mute()
		l.hub.Fault(func(req *http.Request) *hubtest.Fault {
			l.begun.Add(1)
			return mute(req)
		})
		if _, err := tr.Commit(ctx, o); !errors.Is(err, remote.ErrUnknownOutcome) {
			l.t.Fatalf("%s: the commit that is in doubt: %v", c, err)
		}
		l.hub.Fault(count)
	}
	if c.scene.behind {
		r.Commit("main", "theirs", map[string]string{"theirs.txt": "theirs"})
	}
	if c.scene.passed {
		var once atomic.Bool
		over.before = func(name string) {
			if strings.Contains(name, "/commit/") && once.CompareAndSwap(false, true) {
				r.Commit("main", "theirs", map[string]string{"theirs.txt": "theirs"})
			}
		}
	}
	over.mu.Lock()
	over.seen, over.order, over.fail = map[string]int{}, nil, c.fail
	over.mu.Unlock()

	// The first sync.
	var res Result
	var err error
	if c.scene.again || c.scene.doubt != "" || slow {
		w.close()
		if c.scene.again { // what is moved has to be read anew
			if err := os.RemoveAll(filepath.Join(dir, "cache")); err != nil {
				l.t.Fatal(err)
			}
		}
		w = l.open(dir, over, times)
		tr, err = l.tree(w, id)
	}
	if err == nil {
		res, err = tr.Commit(ctx, o)
	}
	over.clear()
	l.quiet()
	url := over.url
	if err != nil && tr != nil && strings.Contains(c.target, "/resolve") {
		// Wrong content is an error for a while, without asking again.
		w.close()
		w = l.open(dir, &wire{}, brisk)
		var oops error
		if tr, oops = l.tree(w, id); oops != nil {
			bad("the next process: %v", oops)
			return over, ok
		}
	}
	exact := func(rev string) {
		l.t.Helper()
		if d := cmp.Diff(withTheirs(want, theirs && rev == "main"), netFilesAt(r, rev)); d != "" {
			bad("the Hub has at %s (-want +got)\n%s", rev, d)
		}
	}
	if r == nil && l.hub.Has(id) {
		r = l.hub.Repo(id)
	}
	made := 0
	if r != nil {
		if made = ours(r); made > 1 {
			bad("%d commits", made)
		}
		if made == 1 {
			exact(c.scene.target)
		}
	}
	moved := c.scene.target != "main" // what was committed is not the base's
	switch {
	case err == nil:
		if made != 1 || res.Unchanged {
			bad("no error, %d commits, %+v", made, res)
		}
		if n := stagedPaths(tr); len(n) > 0 {
			bad("committed, and still staged: %v", n)
		}
		// A commit of ours that others went on from is shown as it is.
		shown := withTheirs(want, theirs && c.scene.doubt == "")
		if moved {
			shown = base
		}
		if d := cmp.Diff(shown, files(view(l.t, tr))); d != "" {
			bad("after the commit the view is (-want +got)\n%s", d)
		}
	case c.fail == nil:
		bad("without a fault: %v", err)
	case tr != nil:
		if n := stagedPaths(tr); !slices.Equal(n, staged) {
			bad("after %v\n\tstaged is %v, not %v", err, n, staged)
		}
		if d := cmp.Diff(files(before), files(view(l.t, tr))); d != "" {
			bad("after %v\n\tthe view is (-want +got)\n%s", err, d)
		}
	}
	// In a hurry another request may be late, too.
	late := slow && errors.Is(err, os.ErrDeadlineExceeded)
	if err != nil && c.fail != nil && url != "" && !late && !over.names(err) {
		bad("the error does not name %s: %v", url, err)
	}
	if c.fail != nil && over.hit == 0 && !slow {
		bad("no request was struck")
	}

	// The second, without faults; in half of the cells by another process.
	if tr == nil || c.serial%2 == 0 || slow {
		w.close()
		w = l.open(dir, &wire{}, brisk)
		var oops error
		if tr, oops = l.tree(w, id); oops != nil {
			bad("the next process: %v", oops)
			return over, ok
		}
	}
	l.hours.Add(1)
	if _, again := tr.Commit(ctx, o); again != nil {
		bad("the second sync: %v (the first: %v)", again, err)
		return over, ok
	}
	if r == nil {
		r = l.hub.Repo(id)
	}
	if n := ours(r); n != 1 {
		bad("%d commits after the second sync (the first: %v)", n, err)
	}
	if n := pulls(r); moved && strings.HasPrefix(c.scene.target, "refs/pr/") && n != 1 {
		bad("%d pull requests", n)
	}
	exact(c.scene.target)
	if n := stagedPaths(tr); len(n) > 0 {
		bad("after the second sync still staged: %v", n)
	}
	return over, ok
}

const (
	smallCells = 50 // of all scenes
	deepCells  = 5_000
	labs       = 6 // side by side: cells mostly wait, for deadlines and for the disk
)

// Every request of a sync fails in every way, once and always. There are never
// two commits, nor one of other content; after a failure all is still staged,
// and a second sync ends with one commit.
func TestProofNetworkCells(t *testing.T) {
	rnd := proof.Rand(proof.Seed(t))
	// The requests of each scene, as a sync without faults makes them.
	var all []cell
	var found strings.Builder
	requests := 0
	first := newLab(t)
	for i, s := range netScenes() {
		clean, ok := first.run(cell{scene: s, serial: i})
		if !ok {
			return
		}
		requests += len(clean.order)
		fmt.Fprintln(&found, strings.Join(clean.order, "\n"))
		slices.Sort(clean.order) // they came side by side: the seed is to choose, not chance
		for _, target := range clean.order {
			for _, f := range netFaults() {
				all = append(all, cell{scene: s, target: target, fail: f})
				for nth := range min(clean.seen[target], f.often()) {
					all = append(all, cell{scene: s, target: target, fail: f, nth: nth + 1})
				}
			}
		}
	}
	for _, want := range []string{
		"/whoami-v2", "GET /api/models/REPO\n", "/revision/", "/tree/", "/commits/", "/resolve/", "/discussions", "/repos/create", "/branch/", "/validate-yaml",
		"/preupload/", "/objects/batch", "PUT /upload/", "PUT /part", "/complete_multipart", "/lfs/verify", "/commit/main", "/commit/dev",
	} {
		if !strings.Contains(found.String(), want) {
			t.Errorf("no sync makes the request %q", want)
		}
	}
	whole := len(all)
	rnd.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	all = all[:min(len(all), proof.N(smallCells, whole, whole))]
	var next, done, struck atomic.Int64
	var running sync.WaitGroup
	for range labs {
		l := newLab(t)
		running.Go(func() {
			for n := int(next.Add(1)); n <= len(all); n = int(next.Add(1)) {
				c := all[n-1]
				c.serial = n
				over, _ := l.run(c)
				if done.Add(1); over.hit > 0 {
					struck.Add(1)
				}
			}
		})
	}
	running.Wait()
	proof.Say(t, "%d cells of %d, from %d requests in %d scenes", done.Load(), whole, requests, len(netScenes()))
	if want := proof.N(smallCells, deepCells, deepCells); int(struck.Load()) < want && !t.Failed() {
		t.Errorf("%d cells, want %d", struck.Load(), want)
	}
}
