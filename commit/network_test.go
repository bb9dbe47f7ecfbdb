package commit

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hubfs/hubfs/remote"
	"github.com/hubfs/hubfs/remote/hubtest"
)

// A wire stands between a store and its Hub. It names requests, and lets one
// kind of them fail.
type wire struct {
	hub  *hubtest.Hub
	base http.RoundTripper

	mu     sync.Mutex
	seen   map[string]int // requests by name
	order  []string       // names as they came first
	target string         // name of those that fail
	nth    int            // which of them; 0 = all
	fail   *netFault
	url    string // of the first that failed, without query
	hit    int
	done   bool              // no more are listed
	lied   bool              // a request was answered 200 that was not acted on
	before func(name string) // called for each request on the Hub, may be nil
}

// A netFault is one way of a request to fail.
type netFault struct {
	name    string
	refused bool          // no connection: it fails at the client
	fault   hubtest.Fault // at the Hub
	body    bool          // is about the body of the answer
	slow    bool          // waits for a deadline
	loop    bool          // leads back to where it is
}

// often is which of several requests of one name fail, each in a cell.
func (f *netFault) often() int {
	if f.name == "oversized" {
		return 1 // 34 MB each time
	}
	return 3
}

func status(code int) *netFault {
	return &netFault{name: fmt.Sprint(code), fault: hubtest.Fault{Status: code, Body: `{"error":"no such luck"}`}}
}

const html = "<html><body>Sign in to the network</body></html>"

// huge is longer than any answer may be, and JSON as far as it goes.
var huge = sync.OnceValue(func() string { return `{"x":"` + strings.Repeat("a", 34<<20) })

// netFaults are all ways to fail. After means that the Hub acted.
func netFaults() []*netFault {
	page := http.Header{"Content-Type": {"text/html"}}
	return []*netFault{
		{name: "refused", refused: true},
		{name: "reset before", fault: hubtest.Fault{Drop: true}},
		{name: "reset after", fault: hubtest.Fault{After: true}},
		{name: "stall", slow: true, fault: hubtest.Fault{Delay: time.Hour, Drop: true}},
		{name: "stall, then the Hub acts", slow: true, fault: hubtest.Fault{Delay: time.Hour, After: true}},
		{name: "stall after the head", slow: true, fault: hubtest.Fault{Stall: true, CutAfter: -1}},
		status(400), status(401), status(403), status(404), status(409), status(412), status(413), status(500), status(503), status(507),
		{name: "502 after", fault: hubtest.Fault{After: true, Status: 502}},
		{name: "429", fault: hubtest.Fault{Status: 429, Header: http.Header{"Retry-After": {"0"}}}},
		{name: "307 to itself", loop: true, fault: hubtest.Fault{Status: 307}},
		{name: "cut body", body: true, fault: hubtest.Fault{CutAfter: 3}},
		{name: "malformed", fault: hubtest.Fault{Status: 200, Body: `{"`}},
		{name: "malformed after", fault: hubtest.Fault{After: true, Status: 200, Body: `{"`}},
		{name: "empty object", fault: hubtest.Fault{Status: 200, Body: `{}`}},
		{name: "oversized", body: true, fault: hubtest.Fault{After: true, Status: 200, Body: huge()}},
		{name: "a page", fault: hubtest.Fault{Status: 200, Body: html, Header: page}},
		{name: "a page after", fault: hubtest.Fault{After: true, Status: 200, Body: html, Header: page}},
		{name: "wrong content type", body: true, fault: hubtest.Fault{Header: page}},
	}
}

var (
	wireHex  = regexp.MustCompile(`[0-9a-f]{32,}`)
	wireRepo = regexp.MustCompile(`(acme|alice)/m[0-9]+`)
	wirePart = regexp.MustCompile(`/part/[0-9a-f]+/[0-9]+`)
)

// name tells requests apart by what they are for.
func (w *wire) name(r *http.Request) string { return r.Method + " " + plainPath(r.URL.EscapedPath()) }

func plainPath(p string) string {
	return wireRepo.ReplaceAllString(wireHex.ReplaceAllString(wirePart.ReplaceAllString(p, "/part"), "HEX"), "REPO")
}

// names reports whether an error tells which request went wrong: by its URL, or
// by what it was for.
func (w *wire) names(err error) bool {
	_, path, _ := strings.Cut(w.target, " ")
	if strings.Contains(plainPath(err.Error()), path) {
		return true
	}
	if strings.Contains(path, "/preupload/") && strings.Contains(err.Error(), "preupload") {
		return true
	}
	if strings.Contains(path, "/resolve") && strings.Contains(err.Error(), "moved.txt: ") {
		return true
	}
	if errors.Is(err, remote.ErrConflict) {
		return strings.Contains(err.Error(), "the branch")
	}
	// What is said to have been done, and was not, is missed by a later request.
	return w.lied && strings.Contains(err.Error(), "http://")
}

// strikes counts a request, and gives the fault it has if it is one that fails.
func (w *wire) strikes(r *http.Request, refused bool) *netFault {
	w.mu.Lock()
	defer w.mu.Unlock()
	name := w.name(r)
	if w.fail == nil || w.fail.refused != refused || w.target != name {
		return nil
	}
	w.hit++
	if w.nth != 0 && w.hit != w.nth {
		return nil
	}
	if w.url == "" {
		w.url = r.URL.EscapedPath()
	}
	w.lied = w.fail.fault.Status == 409 || w.fail.fault.Status == 200 && !w.fail.fault.After
	return w.fail
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	name := w.name(r)
	w.mu.Lock()
	if w.seen[name]++; w.seen[name] == 1 && !w.done {
		w.order = append(w.order, name)
	}
	w.mu.Unlock()
	if w.strikes(r, true) != nil {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	return w.base.RoundTrip(r)
}

// CloseIdleConnections is what Client.CloseIdle looks for.
func (w *wire) CloseIdleConnections() { w.base.(*http.Transport).CloseIdleConnections() }

func (w *wire) fault(r *http.Request) *hubtest.Fault {
	if w.before != nil {
		w.before(w.name(r))
	}
	struck := w.strikes(r, false)
	if struck == nil {
		return nil
	}
	f := struck.fault
	if struck.loop {
		f.Header = http.Header{"Location": {r.URL.RequestURI()}}
	}
	return &f
}

// clear ends the faults, and the list of requests.
func (w *wire) clear() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fail, w.done = nil, true
}

// A netScene is staged work and the sync of it.
type netScene struct {
	name    string
	fresh   bool   // the repo does not exist
	behind  bool   // others committed to the branch since
	passed  bool   // others commit to it while the sync is under way
	again   bool   // by another process than the one that staged, with nothing cached
	doubt   string // an earlier sync got no answer, although it was "made", or not: "lost"
	options CommitOptions
	target  string // revision that gets the commit
}

func netScenes() []netScene {
	return []netScene{
		{name: "plain", target: "main"},
		{name: "new repo", fresh: true, target: "main"},
		{name: "behind", behind: true, target: "main"},
		{name: "overtaken", passed: true, target: "main"},
		{name: "pull request", options: CommitOptions{CreatePR: true}, target: "refs/pr/1"},
		{name: "branch", options: CommitOptions{Branch: "dev"}, target: "dev"},
		{name: "next process", again: true, target: "main"},
		{name: "made, in doubt", doubt: "made", target: "main"},
		{name: "lost, in doubt", doubt: "lost", target: "main"},
		{name: "overtaken, in doubt", doubt: "made", behind: true, target: "main"},
		{name: "pull request made, in doubt", doubt: "made", options: CommitOptions{CreatePR: true}, target: "refs/pr/1"},
		{name: "pull request lost, in doubt", doubt: "lost", options: CommitOptions{CreatePR: true}, target: "refs/pr/1"},
		{name: "branch made, in doubt", doubt: "made", options: CommitOptions{Branch: "dev"}, target: "dev"},
	}
}

// A cell is one request of one scene that fails in one way.
type cell struct {
	scene  netScene
	target string
	fail   *netFault
	nth    int
	serial int
}

func (c cell) String() string {
	if c.fail == nil {
		return c.scene.name
	}
	often := "always"
	if c.nth > 0 {
		often = fmt.Sprintf("the %d.", c.nth)
	}
	return fmt.Sprintf("%s: %s, %s, %s", c.scene.name, c.target, c.fail.name, often)
}

const card = "---\nlicense: mit\n---\n# A model\n"

var startFiles = map[string]string{
	"a.txt": "a", "gone.txt": "gone", "moved.txt": "moved", "dir/large.bin": pattern(5_000), "dir/b.txt": "b",
}

// stage makes the work of a scene.
func (s netScene) stage(t *testing.T, tr *Worktree) {
	t.Helper()
	save(t, tr, "README.md", card)
	save(t, tr, "small.bin", "\x00"+pattern(20_000))
	save(t, tr, "big.bin", "\x00"+pattern(100_000))
	mkdir(t, tr, "new")
	save(t, tr, "new/text.json", "{}")
	if !s.fresh {
		save(t, tr, "a.txt", "changed")
		rm(t, tr, "gone.txt")
		mv(t, tr, "moved.txt", "new/moved.txt")
		mv(t, tr, "dir/large.bin", "new/large.bin")
	}
}

// ours counts the commits that are not the start nor another's, on all refs.
func ours(r *hubtest.Repo) (n int) {
	seen := map[string]bool{}
	refs := []string{"main", "dev"}
	for i := 1; r.Head(fmt.Sprint("refs/pr/", i)) != ""; i++ {
		refs = append(refs, fmt.Sprint("refs/pr/", i))
	}
	for _, ref := range refs {
		if ref != "main" && r.Head(ref) == "" {
			continue
		}
		for _, c := range r.Log(ref) {
			if !seen[c.ID] && c.Title != "start" && c.Title != "theirs" && c.Title != "initial commit" {
				n++
			}
			seen[c.ID] = true
		}
	}
	return n
}

// pulls counts the pull requests.
func pulls(r *hubtest.Repo) (n int) {
	for r.Head(fmt.Sprint("refs/pr/", n+1)) != "" {
		n++
	}
	return n
}

func netFilesAt(r *hubtest.Repo, rev string) map[string]string {
	out := map[string]string{}
	for p := range r.Files(rev) {
		if p != ".gitattributes" {
			out[p] = string(r.Read(rev, p))
		}
	}
	return out
}

// mute makes the commit get no answer, made or not, and nothing after it either.
func (s netScene) mute() func(*http.Request) *hubtest.Fault {
	var sent atomic.Bool
	return func(r *http.Request) *hubtest.Fault {
		if strings.Contains(r.URL.Path, "/commit/") && sent.CompareAndSwap(false, true) {
			return &hubtest.Fault{After: s.doubt == "made", Status: 504}
		}
		if sent.Load() {
			return &hubtest.Fault{Drop: true}
		}
		return nil
	}
}

// stagedPaths is what is staged. Whether a file is new or changed is not known
// as long as the base's listing cannot be had.
func stagedPaths(tr *Worktree) (paths []string) {
	for _, s := range tr.Status(ctx).Staged {
		paths = append(paths, strings.Replace(s.Op, "change", "add", 1)+" "+s.Path)
	}
	slices.Sort(paths)
	return paths
}

// withTheirs is m and what others did.
func withTheirs(m map[string]string, theirs bool) map[string]string {
	m = maps.Clone(m)
	if theirs {
		m["theirs.txt"] = "theirs"
	}
	return m
}
