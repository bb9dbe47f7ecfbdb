package commit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hubfs/hubfs/blockcache"
	"github.com/hubfs/hubfs/remote"
)

// A kstep is one operation of a program, or one call of a caller on the
// descriptor that it has open. It is there as a whole or not at all.
//
//	create P H     makes a file, open as H
//	open P H       opens what is there for writing; trunc P H also empties it
//	write H N D    writes D at offset N
//	size H N       sets the length
//	close H
//	fsync P, chmod P N, mkdir P, rmdir P, rm P, mv P Q, swap P Q
//	sync           makes a commit; force: ours over theirs; conflict: has to be refused
//	theirs P D     another one's commit; empty D removes the file
//	discard P      drops what is staged there, which settles all conflicts
//	link P Q       makes a symbolic link
//	pr             opens a pull request; split: makes several commits
//	restart        ends and opens the store
//	new            stages the repo, which is not on the Hub
type kstep struct {
	Op, P, Q, H, D string
	N              int64
}

func (s kstep) String() string {
	return strings.Join(strings.Fields(fmt.Sprintf("%s %s %s %s %d", s.Op, s.P, s.Q, s.H, s.N)), " ")
}

// A kstate is what a program sees, and the Hub has, after some steps.
type kstate struct {
	root    *model
	base    map[string]string // what the view was made from
	hub     map[string]string
	onHub   bool
	handles map[string]*model
}

func newKstate(start map[string]string) *kstate {
	k := &kstate{root: newModel(), base: maps.Clone(start), hub: maps.Clone(start), onHub: start != nil, handles: map[string]*model{}}
	for p, c := range start {
		k.root.put(p, c)
	}
	return k
}

func (k *kstate) at(p string) (*model, string) {
	dir, name := parentOf(p), p[strings.LastIndexByte(p, '/')+1:]
	return k.root.find(dir), name
}

func (k *kstate) files() map[string]string { return files(k.root.view("", map[string]string{})) }

// conflicts are the paths that both sides have changed, and not to the same.
func (k *kstate) conflicts() (ps []string) {
	ours := k.files()
	for p := range union(k.base, k.hub) {
		if value(k.hub, p) != value(k.base, p) && value(ours, p) != value(k.base, p) && value(ours, p) != value(k.hub, p) {
			ps = append(ps, p)
		}
	}
	return ps
}

func union(a, b map[string]string) map[string]bool {
	all := make(map[string]bool)
	for _, m := range []map[string]string{a, b} {
		for p := range m {
			all[p] = true
		}
	}
	return all
}

// value of a path; "-" if there is none.
func value(m map[string]string, p string) string {
	if v, ok := m[p]; ok {
		return "+" + v
	}
	return "-"
}

// merge takes over what only the others have changed.
func (k *kstate) merge() {
	ours := k.files()
	for p := range union(k.base, k.hub) {
		if value(k.hub, p) == value(k.base, p) || value(ours, p) != value(k.base, p) {
			continue
		}
		if c, ok := k.hub[p]; ok {
			k.root.put(p, c)
			continue
		}
		d, name := k.at(p)
		delete(d.kids, name)
		k.prune(parentOf(p))
	}
}

// prune takes directories away that a base showed and shows no more.
func (k *kstate) prune(dir string) {
	for ; dir != "" && len(k.root.find(dir).kids) == 0; dir = parentOf(dir) {
		d, name := k.at(dir)
		delete(d.kids, name)
	}
}

func (k *kstate) do(s kstep) {
	switch s.Op {
	case "create":
		d, name := k.at(s.P)
		d.kids[name] = &model{}
		k.handles[s.H] = d.kids[name]
	case "open", "trunc":
		f := k.root.find(s.P)
		if s.Op == "trunc" {
			f.content = ""
		}
		k.handles[s.H] = f
	case "write":
		f := k.handles[s.H]
		b := append([]byte(f.content), make([]byte, max(0, int(s.N)+len(s.D)-len(f.content)))...)
		copy(b[s.N:], s.D)
		f.content = string(b)
	case "size":
		f := k.handles[s.H]
		f.content = string(append([]byte(f.content), make([]byte, max(0, int(s.N)-len(f.content)))...)[:s.N])
	case "close":
		delete(k.handles, s.H)
	case "mkdir":
		d, name := k.at(s.P)
		d.kids[name] = newModel()
	case "rmdir", "rm":
		d, name := k.at(s.P)
		delete(d.kids, name)
	case "mv", "swap":
		d, name := k.at(s.P)
		to, newName := k.at(s.Q)
		flags := uint(0)
		if s.Op == "swap" {
			flags = Exchange
		}
		if err := rename(d, name, to, newName, flags); err != nil {
			panic(fmt.Sprintf("%v: %v", s, err))
		}
	case "pr":
		k.root = newModel()
		k.place(k.base)
	case "discard":
		d, name := k.at(s.P)
		delete(d.kids, name)
		if c, ok := k.base[s.P]; ok {
			d.kids[name] = &model{content: c}
		}
		k.merge()
		k.base = maps.Clone(k.hub)
	case "link":
		d, name := k.at(s.P)
		d.kids[name] = &model{content: "-> " + s.Q}
	case "sync", "force", "split":
		k.onHub = true
		k.merge()
		k.follow()
		k.base = k.files()
		k.hub = maps.Clone(k.base)
	case "theirs":
		k.hub[s.P] = s.D
		if s.D == "" {
			delete(k.hub, s.P)
		}
	case "fsync", "chmod", "conflict", "restart", "new":
	default:
		panic(s.Op)
	}
}

// A kview is what may be seen after some steps, and what the Hub has then if
// the last of them was a sync.
type kview struct {
	view, merged map[string]string
	conflicts    bool
	hub          map[string]string
}

// kviews gives one more than there are steps.
func kviews(start map[string]string, steps []kstep) []kview {
	k := newKstate(start)
	var vs []kview
	for i := 0; ; i++ {
		v := kview{view: k.root.view("", map[string]string{}), conflicts: len(k.conflicts()) > 0}
		// What others committed meanwhile comes with the next commit, or at the
		// next opening if nothing is staged.
		m := newKstate(k.base)
		m.root, m.hub = newModel(), k.hub
		m.place(v.view)
		m.merge()
		v.merged = m.root.view("", map[string]string{})
		v.hub = maps.Clone(k.hub)
		vs = append(vs, v)
		if i == len(steps) {
			return vs
		}
		k.do(steps[i])
	}
}

// place puts files and directories into the tree.
func (k *kstate) place(view map[string]string) {
	for p, c := range view {
		if d, ok := strings.CutSuffix(p, "/"); ok {
			k.mkdirs(d)
		} else {
			k.mkdirs(parentOf(p))
			k.root.put(p, c)
		}
	}
}

// follow makes links what they lead to, as a commit does.
func (k *kstate) follow() {
	for p, c := range k.files() {
		if target, ok := strings.CutPrefix(c, "-> "); ok {
			k.root.put(p, k.root.find(target).content)
		}
	}
}

// followed is a view as a commit makes it.
func followed(view map[string]string) map[string]string {
	k := newKstate(nil)
	k.place(view)
	k.follow()
	return k.files()
}

func (k *kstate) mkdirs(p string) {
	if p == "" || k.root.find(p) != nil {
		return
	}
	k.mkdirs(parentOf(p))
	d, name := k.at(p)
	d.kids[name] = newModel()
}

// A kjob is what a child process is told.
type kjob struct {
	URL, Dir, Repo string
	Steps          []kstep
	Recover        bool // another process began: only open, and sync
}

const killEnv = "HUBFS_COMMIT_KILL_CHILD"

// killChild does the steps of a job, and says the number of each that is done.
func killChild() {
	var job kjob
	b, err := os.ReadFile(os.Getenv(killEnv))
	if err == nil {
		err = json.Unmarshal(b, &job)
	}
	t := childT{}
	if err != nil {
		t.Fatal(err)
	}
	compactAfter = 12
	r := &krun{t: t, job: job, open: map[string]*khandle{}}
	defer r.stop()
	if err := traceMe(); err != nil {
		t.Fatal("seccomp: ", err)
	}
	r.start()
	isNew := job.Steps[0].Op == "new"
	if !isNew {
		r.tree() // from now on it has its base
	}
	if job.Recover {
		if isNew && len(r.store.Staged()) == 0 {
			return // not even begun
		}
		r.tree()
		r.step(kstep{Op: "force"}, len(job.Steps))
		return
	}
	for i, s := range job.Steps {
		r.step(s, i)
		fmt.Println(i + 1)
	}
}

type khandle struct {
	f *File
	g *os.File
}

// krun is a process under way.
type krun struct {
	t      testing.TB
	job    kjob
	seam   seam
	client *remote.Client
	cache  *blockcache.Cache
	store  *Store
	w      *Worktree
	open   map[string]*khandle
}

func (r *krun) check(err error) {
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *krun) start() {
	var err error
	r.client, err = remote.New(remote.Options{Endpoint: r.job.URL, Token: token, Timeouts: remote.Timeouts{Backoff: time.Millisecond}})
	r.check(err)
	r.cache, err = blockcache.Open(filepath.Join(r.job.Dir, "cache"), blockcache.Options{})
	r.check(err)
	r.store, err = Open(ctx, Options{Dir: filepath.Join(r.job.Dir, "state"), Client: r.client, Cache: r.cache})
	r.check(err)
	r.store.seam = r.seam
}

func (r *krun) stop() {
	r.check(r.store.Close())
	r.cache.Close()
	r.client.Close()
	r.w = nil
}

func (r *krun) tree() *Worktree {
	if r.w == nil {
		var err error
		r.w, err = r.store.Worktree(ctx, parse(r.t, r.job.Repo))
		r.check(err)
	}
	return r.w
}

func (r *krun) step(s kstep, i int) {
	t := r.t
	switch s.Op {
	case "restart":
		r.stop()
		r.start()
		return
	case "new":
		var err error
		r.w, err = r.store.Create(ctx, parse(t, r.job.Repo))
		r.check(err)
		return
	case "theirs":
		req := remote.CommitRequest{Summary: "theirs", Files: []remote.InlineFile{{Path: s.P, Content: []byte(s.D)}}}
		if s.D == "" {
			req.Files, req.Deletes = nil, []string{s.P}
		}
		_, err := r.client.Commit(ctx, parse(t, r.job.Repo), req)
		r.check(err)
		return
	case "write":
		_, err := r.open[s.H].g.WriteAt([]byte(s.D), s.N)
		r.check(err)
		return
	case "size":
		r.check(r.open[s.H].g.Truncate(s.N))
		return
	case "close":
		r.check(r.open[s.H].g.Close())
		r.open[s.H].f.Closed()
		return
	}
	w := r.tree()
	d, name := (*Dir)(nil), ""
	if s.P != "" {
		d, name = at(t, w, s.P)
	}
	switch s.Op {
	case "create", "open", "trunc":
		var f *File
		var err error
		flags := os.O_RDWR
		if s.Op == "create" {
			f, err = d.Create(ctx, name, 0o644, true)
		} else {
			f, err = d.Edit(ctx, name, s.Op == "trunc")
		}
		r.check(err)
		if s.Op == "trunc" {
			flags |= os.O_TRUNC
		}
		g, err := f.Open(flags)
		r.check(err)
		r.open[s.H] = &khandle{f, g}
	case "fsync", "chmod":
		n, err := d.Lookup(ctx, name)
		r.check(err)
		switch {
		case n.File == nil:
		case s.Op == "fsync":
			r.check(n.File.Sync(ctx))
		default:
			r.check(n.File.Chmod(os.FileMode(s.N)))
		}
	case "mkdir":
		mkdir(t, w, s.P)
	case "rmdir":
		r.check(d.Rmdir(ctx, name))
	case "rm":
		rm(t, w, s.P)
	case "mv":
		mv(t, w, s.P, s.Q)
	case "swap":
		to, newName := at(t, w, s.Q)
		r.check(d.Rename(ctx, name, to, newName, Exchange))
	case "discard":
		_, err := w.Discard(ctx, s.P)
		r.check(err)
	case "link":
		_, err := d.Symlink(ctx, name, s.Q)
		r.check(err)
	case "sync", "force", "conflict", "pr", "split":
		if s.Op == "split" {
			r.store.maxLarge = 1
		}
		_, err := ksync(ctx, w, s.Op, i)
		r.store.maxLarge = maxLarge
		var c *ConflictError
		if r.job.Recover && errors.Is(err, remote.ErrUnknownOutcome) {
			return // of a pull request: it may still appear
		}
		if s.Op == "conflict" && !errors.As(err, &c) {
			t.Fatal("no conflict: ", err)
		} else if s.Op != "conflict" {
			r.check(err)
		}
	default:
		t.Fatal("no step ", s)
	}
}

// ksync makes the commit of step i: its title says so.
func ksync(ctx context.Context, w *Worktree, op string, i int) (Result, error) {
	return w.Commit(ctx, CommitOptions{Message: fmt.Sprint("sync ", i), Force: op == "force", CreatePR: op == "pr", Split: op == "split"})
}

// kpaths are the files of a view, sorted.
func kpaths(view map[string]string) []string { return slices.Sorted(maps.Keys(files(view))) }
