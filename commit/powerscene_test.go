package commit

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/hubfs/hubfs/remote/hubtest"
)

var errKilled = errors.New("the process was killed")

func contentOf(t testing.TB, f *os.File) []byte {
	st, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, st.Size())
	if _, err := f.ReadAt(b, 0); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	return b
}

// A scene is a worktree at work on a recorded disk, with what it must show.
type scene struct {
	*world
	tape *tape
	repo string
	hubs *hubtest.Repo // nil until the repo is made
	tr   *Worktree
	all  *lane // what one thread did that has the whole worktree
}

// A lane is what one thread did below one directory, one operation after the
// other. Other threads have other directories.
type lane struct {
	s     *scene
	under string // "" = everything
	views []map[string]*made
}

// made is one file that was written here, or a committed one.
type made struct {
	committed bool
	born      int // the operation that made it
	versions  []string
}

// Marks on the tape.
type (
	begun struct { // operation op of a lane has begun
		lane *lane
		op   int
	}
	synced struct { // up to operation op the names are durable, with dir the names of the files too
		lane *lane
		op   int
		dir  bool
	}
	wrote struct { // a version of a file is about to be there
		file    *made
		version int
	}
	durable struct{ upTo map[*made]int } // these versions are durable

)

func newScene(t testing.TB, dir, repo string, start map[string]string) *scene {
	w := hubOnly(t, dir)
	s := &scene{world: w, repo: repo}
	if start != nil {
		s.hubs = w.hub.Repo(repo)
		s.hubs.Commit("main", "start", start)
	}
	s.tape = newTape(t, dir)
	s.tape.now = func() string {
		if !w.hub.Has(repo) {
			return ""
		}
		return w.hub.Repo(repo).Head("main")
	}
	s.openOn(s.tape)
	s.all = s.lane("")
	first := make(map[string]*made)
	for p, c := range start {
		first[p] = &made{committed: true, versions: []string{c}}
	}
	s.all.views = []map[string]*made{first}
	return s
}

func (s *scene) lane(under string) *lane {
	return &lane{s: s, under: under, views: []map[string]*made{{}}}
}

// openOn is open with everything recorded, or with a nil tape unsynced.
func (w *world) openOn(p *tape) {
	w.seam.around = func(e effect, do func() error) error {
		if e.op == effSync {
			return nil
		}
		return do()
	}
	w.adopting = func(op, from, to string, do func() error) error {
		if op == "sync" {
			return nil
		}
		return do()
	}
	if p != nil {
		w.adopting, w.seam.around = p.adoption(w.dir+"/cache"), p.around
	}
	w.open()
}

func (s *scene) start() {
	if s.hubs == nil && !s.hub.Has(s.repo) {
		t, err := s.store.Create(ctx, parse(s.t, s.repo))
		if errors.Is(err, os.ErrExist) {
			t, err = s.store.Worktree(ctx, parse(s.t, s.repo))
		}
		if err != nil {
			s.t.Fatal(err)
		}
		s.tr = t
		return
	}
	s.tr = s.tree(s.repo)
}

// do is one operation and what it makes of the view.
func (l *lane) do(change func(v map[string]*made), do func()) {
	op := len(l.views)
	v := maps.Clone(l.views[op-1])
	change(v)
	l.views = append(l.views, v)
	l.s.tape.mark(begun{l, op})
	do()
}

func (l *lane) now() map[string]*made { return l.views[len(l.views)-1] }

// create makes an empty file, or empties the one that is there.
func (l *lane) create(p string) (m *made, f *File) {
	d, name := at(l.s.t, l.s.tr, p)
	there := l.now()[p]
	if there != nil && !there.committed {
		m, f = l.edit(p)
		l.truncate(m, f, 0)
		return m, f
	}
	m = &made{born: len(l.views), versions: []string{""}}
	l.do(func(v map[string]*made) { v[p] = m }, func() {
		var err error
		if there == nil {
			f, err = d.Create(ctx, name, 0o644, true)
		} else {
			f, err = d.Edit(ctx, name, true)
		}
		l.must(err)
	})
	return m, f
}

func (l *lane) must(err error) {
	if err != nil && !errors.Is(err, errKilled) {
		l.s.t.Helper()
		l.s.t.Fatal(err)
	}
}

// write puts content at off, by a descriptor as a program has it.
func (l *lane) write(m *made, f *File, content string, off int) {
	old := m.versions[len(m.versions)-1]
	next := []byte(old)
	if n := off + len(content); n > len(next) {
		next = append(next, make([]byte, n-len(next))...)
	}
	copy(next[off:], content)
	l.version(m, string(next))
	g, err := f.Open(os.O_RDWR)
	if err == nil {
		defer g.Close()
		err = l.s.tape.around(effect{op: effWrite, file: g, off: int64(off), data: []byte(content)}, func() error {
			_, err := g.WriteAt([]byte(content), int64(off))
			return err
		})
	}
	if errors.Is(err, errKilled) {
		m.versions = m.versions[:len(m.versions)-1]
	}
	l.must(err)
}

func (l *lane) version(m *made, content string) {
	l.s.tape.mark(wrote{m, len(m.versions)})
	m.versions = append(m.versions, content)
}

func (l *lane) truncate(m *made, f *File, size int) {
	old := m.versions[len(m.versions)-1]
	next := make([]byte, size)
	copy(next, old)
	l.version(m, string(next))
	err := f.Truncate(int64(size))
	if errors.Is(err, errKilled) {
		m.versions = m.versions[:len(m.versions)-1]
	}
	l.must(err)
}

func (l *lane) save(p, content string) (*made, *File) {
	m, f := l.create(p)
	l.write(m, f, content, 0)
	return m, f
}

// edit opens what is there to change it in place.
func (l *lane) edit(p string) (*made, *File) {
	d, name := at(l.s.t, l.s.tr, p)
	m := l.now()[p]
	n, err := d.Lookup(ctx, name)
	l.must(err)
	if n.File != nil && !m.committed && !n.File.Frozen() {
		return m, n.File
	}
	copied := &made{born: len(l.views), versions: []string{m.versions[len(m.versions)-1]}}
	var f *File
	l.do(func(v map[string]*made) { v[p] = copied }, func() {
		f, err = d.Edit(ctx, name, false)
		l.must(err)
	})
	return copied, f
}

func (l *lane) fsync(m *made, f *File) {
	op, v := len(l.views)-1, len(m.versions)-1
	if err := f.Sync(ctx); err != nil {
		l.must(err)
		return
	}
	l.s.tape.mark(durable{map[*made]int{m: v}})
	l.s.tape.mark(synced{l, op, false})
}

func (l *lane) dirsync() {
	op := len(l.views) - 1
	d := l.s.tr.Root()
	if err := d.Sync(ctx); err != nil {
		l.must(err)
		return
	}
	l.s.tape.mark(synced{l, op, true})
}

func (l *lane) mv(p, q string, flags uint) {
	l.do(func(v map[string]*made) {
		moved := make(map[string]*made)
		take := func(from, to string) {
			for o, m := range v {
				if o == from || strings.HasPrefix(o, from+"/") {
					moved[to+o[len(from):]] = m
					delete(v, o)
				}
			}
		}
		if flags == Exchange {
			take(q, p+"\x00")
		}
		take(p, q)
		for o, m := range moved {
			v[strings.ReplaceAll(o, "\x00", "")] = m
		}
	}, func() {
		d, name := at(l.s.t, l.s.tr, p)
		to, newName := at(l.s.t, l.s.tr, q)
		l.must(d.Rename(ctx, name, to, newName, flags))
	})
}

func (l *lane) rm(p string) {
	l.do(func(v map[string]*made) { delete(v, p) }, func() {
		d, name := at(l.s.t, l.s.tr, p)
		l.must(d.Unlink(ctx, name))
	})
}

func (l *lane) mkdir(p string) {
	l.do(func(v map[string]*made) {}, func() {
		d, name := at(l.s.t, l.s.tr, p)
		_, err := d.Mkdir(ctx, name, 0o755)
		l.must(err)
	})
}

// discard drops what is staged at p, a committed file whose content is c.
func (l *lane) discard(p, c string) {
	l.do(func(v map[string]*made) { v[p] = &made{committed: true, versions: []string{c}} }, func() {
		_, err := l.s.tr.Discard(ctx, p)
		l.must(err)
	})
}

// checkpoint has the journal replaced, if there is one.
func (l *lane) checkpoint() {
	if l.s.tr.st != nil {
		l.must(l.s.tr.checkpoint())
	}
}

// commit makes everything committed content, when it has returned.
func (l *lane) commit() {
	l.do(func(v map[string]*made) {}, func() {})
	versions := make(map[*made]int)
	for _, m := range l.now() {
		versions[m] = len(m.versions) - 1
	}
	op := len(l.views) - 1
	l.s.tape.mark(planned{l, op, versions})
	res, err := l.s.tr.Commit(ctx, CommitOptions{})
	if err != nil {
		l.must(err)
		return
	}
	if res.Unchanged {
		l.s.t.Fatal("nothing was committed")
	}
	l.s.tape.mark(durable{versions})
	l.s.tape.mark(synced{l, op, true})
	// What is changed from here is a copy.
	l.do(func(v map[string]*made) {
		for p, m := range v {
			v[p] = &made{committed: true, versions: m.versions[len(m.versions)-1:]}
		}
	}, func() {})
	l.s.tape.mark(synced{l, len(l.views) - 1, true})
}

// planned is what a commit is about; it holds as soon as the hub has it.
type planned struct {
	lane     *lane
	op       int
	versions map[*made]int
}

// kill ends the process and starts another on the same disk.
func (s *scene) kill() {
	s.tape.mu.Lock()
	s.tape.dead = true
	s.tape.mu.Unlock()
	s.crash()
	s.tape.mu.Lock()
	s.tape.dead, s.tape.dies = false, 0
	s.tape.mu.Unlock()
	s.openOn(s.tape)
	s.start()
	// What was under way is done or not.
	l := s.all
	got := files(view(s.t, s.tr))
	for op := len(l.views) - 1; op >= 0 && op >= len(l.views)-2; op-- {
		k := &known{durable: map[*made]int{}, reached: map[*made]int{}}
		for _, m := range l.views[op] {
			k.durable[m], k.reached[m] = len(m.versions)-1, len(m.versions)-1
		}
		if _, why := k.fits(l, l.views[op], &reach{}, got); why == "" {
			now := maps.Clone(l.views[op])
			l.do(func(v map[string]*made) { clear(v); maps.Copy(v, now) }, func() {})
			return
		}
	}
	s.t.Errorf("after a kill: %v\n%s", got, s.tape.list(len(s.tape.events)))
}

// until does operations one by one until the process is killed in the middle of
// one, or they are done.
func (s *scene) until(effects int, ops ...func()) {
	s.tape.mu.Lock()
	s.tape.dies = effects
	s.tape.mu.Unlock()
	for _, op := range ops {
		op()
		s.tape.mu.Lock()
		dead := s.tape.dead
		s.tape.mu.Unlock()
		if dead {
			break
		}
	}
	s.kill()
}

// reopen ends the process in good order.
func (s *scene) again() {
	s.close()
	s.openOn(s.tape)
	s.start()
}

// filler is n bytes that tell from where they are.
func filler(tag string, n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "%s %d;", tag, i)
	}
	return b.String()[:n]
}
