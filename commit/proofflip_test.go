package commit

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hubfs/hubfs/integration/proof"
	"github.com/hubfs/hubfs/remote/hubtest"
)

// kinds are all that a journal may have.
var kinds = []string{opVersion, opBase, opPut, opMode, opRef, opDel, opMv, opSwap, opLink, opDir, opDiscard, opPlan, opIntent, opVoid}

// A specimen is a state directory as a process left it.
type specimen struct {
	repo    string
	name    string            // of the directory
	journal []byte            //
	line    []int             // where each line begins, and the end
	meta    map[string][]byte // repo.json and lock
	staged  map[string]string // content of files/
	views   []map[string]string
	lost    []bool // by prefix: content that it names is there no more
}

// flipWorld has the Hub and the cache that all replays share.
type flipWorld struct {
	*world
	dir  string
	next atomic.Int64
}

// specimenOf takes what a store that was given up left of a repo.
func (f *flipWorld) specimenOf(repo string) *specimen {
	t := f.t
	s := &specimen{repo: repo, name: f.store.stateName(normal(parse(t, repo))), meta: map[string][]byte{}, staged: map[string]string{}}
	dir := filepath.Join(f.world.dir, "state", s.name)
	get := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	s.journal = get(journalName)
	for _, name := range []string{identityName, lockName} {
		s.meta[name] = get(name)
	}
	ents, err := os.ReadDir(filepath.Join(dir, filesName))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range ents {
		s.staged[e.Name()] = string(get(filesName + "/" + e.Name()))
	}
	for at := 0; at < len(s.journal); at += bytes.IndexByte(s.journal[at:], '\n') + 1 {
		s.line = append(s.line, at)
	}
	s.line = append(s.line, len(s.journal))
	for n := range s.line {
		o := f.replay(s, s.journal[:s.line[n]], s.meta, false)
		if o.err != nil {
			t.Fatalf("the first %d lines of %s: %v", n, repo, o.err)
		}
		s.views = append(s.views, o.view)
		s.lost = append(s.lost, o.status != "")
	}
	return s
}

// An opened is what comes of a state that was opened.
type opened struct {
	view   map[string]string
	status string
	aside  map[string]string // content of the directory that was set aside
	sent   map[string]string // content of files of commits whose outcome is not known
	held   bool              // nothing of it is committed unasked
	err    error
}

// replay opens a state with this journal and metadata.
func (f *flipWorld) replay(s *specimen, journal []byte, meta map[string][]byte, twice bool) (o opened) {
	base := filepath.Join(f.dir, strconv.FormatInt(f.next.Add(1), 10))
	dir := filepath.Join(base, s.name)
	defer os.RemoveAll(base)
	put := func(name string, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			panic(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, filesName), 0o700); err != nil {
		panic(err)
	}
	put(journalName, journal)
	for name, b := range meta {
		put(name, b)
	}
	for name, c := range s.staged {
		put(filesName+"/"+name, []byte(c))
	}
	open := func() (*Store, *Worktree, error) {
		opt := f.opt
		opt.Dir, opt.Client, opt.Cache = base, f.client, f.cache
		store, err := Open(ctx, opt)
		if err != nil {
			panic(err)
		}
		repos := store.Staged()
		for _, r := range repos {
			if r.String() != s.repo {
				panic(fmt.Sprintf("what is staged in %s is said to be %s's", s.repo, r))
			}
		}
		w, err := store.Worktree(ctx, parse(f.t, s.repo))
		return store, w, err
	}
	errs := &failures{TB: f.t}
	store, w, err := open()
	defer func() { store.Close() }()
	if err != nil {
		o.err = err
		return o
	}
	o.view = view(errs, w)
	o.status = w.Status(ctx).LastError
	o.held = w.user == nobodyKnown
	o.sent = map[string]string{}
	for _, p := range w.pending {
		for _, it := range p.items {
			if it.file != nil {
				b, _ := os.ReadFile(filepath.Join(dir, it.file.name()))
				o.sent[strconv.FormatUint(it.file.seq, 10)] = string(b)
			}
		}
	}
	o.aside = map[string]string{}
	filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if rest, ok := strings.CutPrefix(p, dir+"/damaged-1/"); ok {
			b, _ := os.ReadFile(p)
			o.aside[rest] = string(b)
		}
		return nil
	})
	if errs.err != nil {
		panic(errs.err)
	}
	if twice {
		store.Close()
		if store, w, err = open(); err != nil {
			panic(fmt.Sprint("the second time: ", err))
		}
		if d := cmp.Diff(files(o.view), files(view(errs, w))); d != "" || errs.err != nil {
			panic(fmt.Sprint("the second time: ", errs.err, d))
		}
	}
	return o
}

// rich makes journals with every kind of record, by work and commits that fail.
func (f *flipWorld) rich() []*specimen {
	t, w := f.t, f.world
	r := w.hub.Repo("acme/m")
	r.Commit("main", "start", kstart)
	fail := func(tr *Worktree, fault hubtest.Fault) {
		w.hub.Fault(func(q *http.Request) *hubtest.Fault {
			if isCommit(q) {
				return &fault
			}
			return nil
		})
		if res, err := tr.Commit(ctx, CommitOptions{}); err == nil {
			t.Fatalf("%+v", res)
		}
		w.hub.Fault(nil)
	}
	work := func(tr *Worktree) {
		save(t, tr, "new.bin", "\x00 new")
		save(t, tr, "config.json", "{2}")
		do(t, tr, []string{"edit", "model.bin", "+"})
		if err := save(t, tr, "script", "#!").Chmod(0o700); err != nil {
			t.Fatal(err)
		}
		mkdir(t, tr, "d")
		mv(t, tr, "old", "d/old")
		mv(t, tr, "README.md", "d/card")
		mv(t, tr, "new.bin", "d/new.bin")
		rm(t, tr, "gone")
		if err := tr.Root().Rename(ctx, "script", tr.Root(), "config.json", Exchange); err != nil {
			t.Fatal(err)
		}
		if _, err := tr.Root().Symlink(ctx, "link", "d/card"); err != nil {
			t.Fatal(err)
		}
		save(t, tr, "dropped", "d")
		if _, err := tr.Discard(ctx, "dropped"); err != nil {
			t.Fatal(err)
		}
	}
	// Committed work, whose base is in the journal, and more on top of it, with a
	// commit that was refused and one of which nobody knows.
	tr := w.tree("acme/m")
	work(tr)
	fail(tr, hubtest.Fault{Status: 422})
	tr.st.disk.hook = func(op, name string) error {
		if op == "create" && strings.HasPrefix(name, journalName) {
			return syscall.EIO // so that the journal is not made short
		}
		return nil
	}
	commitAll(t, tr)
	save(t, tr, "later", "l")
	mv(t, tr, "later", "d/later")
	mv(t, tr, "d/old/x.bin", "x")
	save(t, tr, "config.json", "{3}")
	fail(tr, hubtest.Fault{Drop: true})
	save(t, tr, "config.json", "{4}")
	want := view(t, tr)
	// A new repo, whose commit was never sent.
	nw, err := w.store.Create(ctx, parse(t, "acme/new"))
	if err != nil {
		t.Fatal(err)
	}
	save(t, nw, "a", "a")
	mkdir(t, nw, "d")
	save(t, nw, "d/b", "b")
	// What a journal that was made short says.
	w.hub.Repo("acme/s").Commit("main", "start", kstart)
	sw := w.tree("acme/s")
	work(sw)
	if err := sw.checkpoint(); err != nil {
		t.Fatal(err)
	}
	store := w.store
	w.crash()
	w.store = store // for its names
	w.reconnect()
	ss := []*specimen{f.specimenOf("acme/m"), f.specimenOf("acme/new"), f.specimenOf("acme/s")}
	w.store = nil
	if d := cmp.Diff(want, ss[0].views[len(ss[0].views)-1]); d != "" {
		t.Fatal(d)
	}
	seen := make(map[string]bool)
	for _, s := range ss {
		lines(s.journal, func(r record) error { seen[r.Op] = true; return nil })
	}
	for _, k := range kinds {
		if !seen[k] {
			t.Errorf("no journal has the record %q", k)
		}
	}
	return ss
}

// A damage is what became of bytes; from says from where on they are not what
// they were.
type damage struct {
	what  string
	bytes []byte
	from  int
	bit   bool // a single one
}

func harm(r *rand.Rand, b []byte) damage {
	d := damage{bytes: bytes.Clone(b)}
	at := r.IntN(len(b))
	switch kind := r.IntN(20); {
	case kind < 15:
		bit := r.IntN(8)
		d.what = fmt.Sprintf("bit %d of byte %d", bit, at)
		d.bytes[at] ^= 1 << bit
		d.bit = true
	case kind == 15:
		n := 1 + r.IntN(min(64, len(b)-at))
		d.what = fmt.Sprintf("%d bytes at %d", n, at)
		for i := range n {
			d.bytes[at+i] = byte(r.Uint32())
		}
	case kind == 16:
		n := 1 + r.IntN(min(512, len(b)-at))
		d.what = fmt.Sprintf("%d zeros at %d", n, at)
		clear(d.bytes[at : at+n])
	case kind == 17:
		d.what = fmt.Sprintf("the end at %d", at)
		d.bytes = d.bytes[:at]
	case kind == 18:
		n := 1 + r.IntN(min(200, len(b)-at))
		d.what = fmt.Sprintf("%d bytes at %d twice", n, at)
		d.bytes = slices.Concat(b[:at+n], b[at:at+n], b[at+n:])
	default:
		n := 1 + r.IntN(min(200, len(b)-at))
		d.what = fmt.Sprintf("%d bytes at %d are missing", n, at)
		d.bytes = slices.Concat(b[:at], b[at+n:])
	}
	for d.from < min(len(b), len(d.bytes)) && b[d.from] == d.bytes[d.from] {
		d.from++
	}
	return d
}

// journalDamage opens a state whose journal is damaged: the good lines before
// the damage count, the rest is set aside and said to be.
func (f *flipWorld) journalDamage(s *specimen, d damage, twice bool) error {
	if bytes.Equal(d.bytes, s.journal) {
		return nil
	}
	n := 0
	for n+1 < len(s.line)-1 && s.line[n+1] <= d.from {
		n++
	}
	if s.line[n+1] <= d.from {
		n++ // all lines are whole: something was added
	}
	o := f.replay(s, d.bytes, s.meta, twice)
	if o.err != nil {
		return fmt.Errorf("%w, want the first %d lines", o.err, n)
	}
	if diff := cmp.Diff(s.views[n], o.view); diff != "" {
		return fmt.Errorf("not the first %d lines (-want +got):\n%s", n, diff)
	}
	rest := d.bytes[s.line[n]:]
	if !bytes.Contains(rest, []byte("\n")) && n > 0 && !d.bit {
		return nil // as an append that did not end, which nobody was promised
	}
	if len(rest) == 0 {
		return nil
	}
	if !strings.Contains(o.status, "damaged") && !strings.Contains(o.status, "no journal") {
		return fmt.Errorf("nothing is said: %q", o.status)
	}
	if got := o.aside[journalName]; got != string(rest) {
		return fmt.Errorf("set aside of the journal: %d bytes, want %d", len(got), len(rest))
	}
	return f.complete(s, o)
}

// complete reports whether each staged file is shown, set aside, or kept for a
// commit whose outcome is not known.
func (f *flipWorld) complete(s *specimen, o opened) error {
	shown := make(map[string]int)
	for _, c := range o.view {
		shown[c]++
	}
	for name, c := range s.staged {
		if o.aside[name] != c && o.sent[name] != c && shown[c] == 0 && !f.committed(c) {
			return fmt.Errorf("file %s, %q, is neither shown nor kept", name, c)
		}
	}
	return nil
}

// committed reports whether the Hub has the content.
func (f *flipWorld) committed(content string) bool {
	return slices.Contains(slices.Collect(maps.Values(remoteFiles(f.hub.Repo("acme/m")))), content)
}

// metaDamage opens a state whose repo.json or lock is damaged.
func (f *flipWorld) metaDamage(s *specimen, name string, d damage, twice bool) error {
	if bytes.Equal(d.bytes, s.meta[name]) || name == identityName && bytes.Equal(d.bytes, slices.Concat(s.meta[name][:1], s.meta[name][18:])) {
		return nil // just the sum is missing: it reads as one of those that had none
	}
	meta := maps.Clone(s.meta)
	meta[name] = d.bytes
	o := f.replay(s, s.journal, meta, twice)
	if o.err != nil {
		return o.err
	}
	if diff := cmp.Diff(s.views[len(s.views)-1], o.view); diff != "" {
		return fmt.Errorf("(-want +got):\n%s", diff)
	}
	if name == identityName && (!strings.Contains(o.status, identityName) || !o.held) {
		return fmt.Errorf("nothing is said: %q, held %t", o.status, o.held)
	}
	return nil
}

// reconnect makes client and cache anew, for what is left of a world.
func (w *world) reconnect() {
	store := w.store
	w.open()
	w.store.Close()
	w.store = store
}

// TestProofBitFlips damages journals with every kind of record, and what lies
// beside them: it is found and told, good records before it count, the rest is
// set aside, and what is shown is never something else.
func TestProofBitFlips(t *testing.T) {
	r := proof.Rand(proof.Seed(t))
	dir, err := os.MkdirTemp("/dev/shm", "hubfs-flip-") // nothing of it has to last
	if err != nil {
		dir = t.TempDir()
	}
	defer os.RemoveAll(dir)
	f := &flipWorld{world: newWorld(t), dir: dir}
	ss := f.rich()
	defer f.cache.Close()
	defer f.client.Close()
	if t.Failed() {
		return
	}
	type job struct {
		s     *specimen
		name  string
		d     damage
		twice bool
	}
	jobs := make(chan job)
	var wg sync.WaitGroup
	var journals, metas, flips atomic.Int64
	try := func(j job) (err error) {
		defer func() {
			if e := recover(); e != nil {
				err = fmt.Errorf("panic: %v", e)
			}
		}()
		watchdog := time.AfterFunc(30*time.Second, func() { panic("it hangs: " + j.d.what) })
		defer watchdog.Stop()
		if j.d.bit {
			flips.Add(1)
		}
		if j.name == journalName {
			journals.Add(1)
			return f.journalDamage(j.s, j.d, j.twice)
		}
		metas.Add(1)
		return f.metaDamage(j.s, j.name, j.d, j.twice)
	}
	for range 4 {
		wg.Go(func() {
			for j := range jobs {
				if err := try(j); err != nil {
					t.Errorf("%s of %s, %s: %v", j.name, j.s.repo, j.d.what, err)
				}
			}
		})
	}
	want := proof.N(300, 14_000, 100_000)
	for i := 0; i < want && !t.Failed(); i++ {
		s := ss[i%len(ss)]
		j := job{s: s, name: journalName, twice: i%16 == 0}
		switch i % 10 {
		case 3, 6:
			j.name = identityName
			j.d = harm(r, s.meta[identityName])
		case 9:
			j.name = lockName
			j.d = harm(r, s.meta[lockName])
		default:
			j.d = harm(r, s.journal)
		}
		jobs <- j
	}
	close(jobs)
	wg.Wait()
	if n := journals.Load() + metas.Load(); int(n) < want && !t.Failed() {
		t.Errorf("%d cases, want %d", n, want)
	}
	proof.Say(t, "%d damaged journals (%d lines in all), %d damaged repo.json and lock, %d of them single bits", journals.Load(), len(ss[0].line)+len(ss[1].line)+len(ss[2].line)-3, metas.Load(), flips.Load())
}
