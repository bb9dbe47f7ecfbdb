package commit

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hubfs/hubfs/integration/proof"
)

// TestProofPowerCut cuts the power at every moment of scenes that people play
// with a worktree, and opens what may be left of the disk: what an fsync
// returned for is there, what is not there is reported, and the next sync makes
// one commit at most, that changes nothing of what had been committed.
func TestProofPowerCut(t *testing.T) {
	seed := proof.Seed(t)
	want := int64(proof.N(100, 10_000, 200_000))
	each := proof.N(10, 120, 300) // states of one run of a scene
	var states, repeated, commits atomic.Int64
	var jobs sync.WaitGroup
	slots := make(chan bool, 4)
	stop := time.AfterFunc(10*time.Minute+time.Duration(want)*50*time.Millisecond, func() { panic("a recovery does not end") })
	defer stop.Stop()
	for round := 0; states.Load() < want && !t.Failed(); round++ {
		for i, sc := range scenes {
			slots <- true
			if t.Failed() {
				<-slots
				break
			}
			jobs.Go(func() {
				defer func() { <-slots }()
				r := proof.Rand(seed + uint64(round)<<16 + uint64(i))
				p := &powerCuts{t: t, name: fmt.Sprintf("%s, round %d", sc.name, round), r: r, seen: make(map[string]bool)}
				p.run(sc, each)
				states.Add(int64(len(p.seen)))
				repeated.Add(int64(p.repeated))
				commits.Add(int64(p.commits))
			})
		}
		if round%4 == 3 || want <= int64(each*len(scenes)) {
			jobs.Wait()
		}
	}
	jobs.Wait()
	proof.Say(t, "%d distinct states after a power cut (%d more were the same), %d syncs after it", states.Load(), repeated.Load(), commits.Load())
	if states.Load() < want && !t.Failed() {
		t.Errorf("%d states, want %d", states.Load(), want)
	}
}

// A new repo that was renamed has its new name after a power cut.
func TestRenameNewDurable(t *testing.T) {
	s := newScene(t, t.TempDir(), "alice/new", nil)
	defer s.end()
	s.start()
	m, f := s.all.save("a", "a")
	s.all.fsync(m, f)
	to := parse(t, "alice/newer")
	if err := s.store.RenameNew(parse(t, s.repo), to); err != nil {
		t.Fatal(err)
	}
	l := s.tape.after(len(s.tape.events), cut{}, proof.Rand(1))
	if want := "state/" + s.store.stateName(to) + "/" + identityName; l.content[want] == "" {
		t.Errorf("%s is not among %q", want, l.paths)
	}
}

// powerCuts is one run of a scene, with the states that are tried of it.
type powerCuts struct {
	t        *testing.T
	name     string
	r        *rand.Rand
	s        *scene
	seen     map[string]bool
	repeated int
	commits  int
	failed   bool
	told     bool
	what     string // the state that is tried
}

func (p *powerCuts) run(sc sceneOf, states int) {
	// The recorder is the disk: what is below it need not be durable.
	dir, err := os.MkdirTemp("/dev/shm", "hubfs-power-")
	if err != nil {
		dir, err = os.MkdirTemp("", "hubfs-power-")
	}
	if err != nil {
		p.t.Error(err)
		return
	}
	defer os.RemoveAll(dir)
	finished := false
	defer func() {
		if !finished {
			p.t.Errorf("%s: %s", p.name, p.what)
		}
	}()
	s := newScene(p.t, dir, sc.repo, sc.start)
	p.s = s
	defer s.hub.Close()
	s.start()
	sc.play(s, p.r)
	s.crash()
	events := len(s.tape.events)
	late := []func(){} // those before the repo was made, which have to remove it
	for try := 0; len(p.seen) < states && try < 3*states; try++ {
		n := 1 + p.r.IntN(events)
		c := cuts[p.r.IntN(len(cuts))]
		state := s.tape.after(n, c, p.r)
		heads := []string{s.tape.events[n-1].head}
		if n < events && s.tape.events[n].head != heads[0] {
			heads = append(heads, s.tape.events[n].head)
		}
		head := heads[p.r.IntN(len(heads))]
		key := fmt.Sprint(state.sum, head)
		if p.seen[key] {
			p.repeated++
			continue
		}
		p.seen[key] = true
		try := func() {
			p.what = fmt.Sprintf("cut after %d of %d events, %+v, hub at %q", n, events, c, head)
			p.try(s, n, state, head, 0)
		}
		if head == "" {
			late = append(late, try)
			continue
		}
		try()
		if p.t.Failed() {
			break
		}
	}
	for _, try := range late {
		if !p.t.Failed() {
			try()
		}
	}
	finished = !p.t.Failed()
}

// try recovers from one state.
func (p *powerCuts) try(s *scene, n int, state left, head string, deep int) {
	dir, err := os.MkdirTemp(s.dir, "cut-")
	if err != nil {
		p.t.Error(err)
		return
	}
	defer os.RemoveAll(dir)
	defer func() {
		if p.failed && !p.told {
			p.told = true
			p.t.Logf("%s\nleft: %q", s.tape.list(n), state.paths)
		}
	}()
	state.put(p.t, dir)
	if head != "" {
		s.hub.Repo(s.repo).Branch("main", head)
	} else if s.hub.Has(s.repo) {
		s.hub.Repo(s.repo).Delete()
	}
	w := &scene{world: &world{t: p.t, hub: s.hub, dir: dir}, repo: s.repo}
	if deep == 0 {
		w.tape = state.resume(p.t, dir)
	}
	w.openOn(w.tape)
	defer func() {
		if w.store != nil {
			w.close()
		}
	}()
	k := s.known(n, head)
	tr, err := w.store.Worktree(ctx, parse(p.t, s.repo))
	if err != nil {
		if head != "" || !errors.Is(err, fs.ErrNotExist) || k.of(s.all).lo > 0 {
			p.bad("cannot be opened: %v", err)
		}
		return
	}
	got := files(view(p.t, tr))
	report := tr.Status(ctx).LastError
	missing := k.check(p, "after the cut", got)
	switch {
	case len(state.pending) == 0 && report != "":
		p.bad("everything was synced, and yet: %s", report)
	case strings.Contains(report, "damaged") && !state.torn():
		p.bad("the journal was synced, and yet: %s", report)
	case missing > 0 && report == "":
		p.bad("%d files are lost, and nobody is told", missing)
	}
	if p.t.Failed() {
		return
	}
	if deep == 0 && len(tr.pending) == 0 && p.r.IntN(6) == 0 {
		p.again(w, state, got, head)
		return
	}
	before := 0
	if head != "" {
		before = len(s.hub.Repo(s.repo).Log("main"))
	}
	p.commits++
	if _, err := tr.Commit(ctx, CommitOptions{}); err != nil {
		p.bad("the next sync: %v", err)
		return
	}
	after := files(view(p.t, tr))
	k.commitIn(head)
	k.check(p, "after the next sync", after)
	if !s.hub.Has(s.repo) {
		return // nothing was staged
	}
	hub := s.hub.Repo(s.repo)
	made := len(hub.Log("main")) - before
	if head == "" {
		made-- // the commit that makes the repo
	}
	if made > 1 {
		p.bad("%d commits for one sync", made)
	}
	if d := cmp.Diff(remoteFiles(hub), after); d != "" && !tr.Dirty() {
		p.bad("the Hub has something else: %s", d)
	}
}

// again goes on with what was found, and cuts the power once more.
func (p *powerCuts) again(s *scene, state left, got map[string]string, head string) {
	s.start()
	s.tape.now = func() string { return head }
	s.all = s.lane("")
	first := make(map[string]*made)
	versions := make(map[*made]int)
	for path, c := range got {
		m := &made{versions: []string{c}}
		first[path], versions[m] = m, 0
	}
	s.all.views = []map[string]*made{first}
	s.tape.mark(durable{versions})
	s.tape.mark(synced{s.all, 0, true})
	from := len(s.tape.events)
	playOn(s, p.r)
	s.crash()
	what := p.what
	for range 4 {
		n := from + p.r.IntN(len(s.tape.events)-from) + 1
		c := cuts[p.r.IntN(len(cuts))]
		left := s.tape.after(n, c, p.r)
		if key := fmt.Sprint(left.sum, head); !p.seen[key] {
			p.seen[key] = true
			p.what = fmt.Sprintf("%s, and after %d of %d more, %+v", what, n-from, len(s.tape.events)-from, c)
			p.try(s, n, left, head, 1)
		}
		if p.t.Failed() {
			return
		}
	}
}

// torn reports whether a journal was not synced to its end.
func (l *left) torn() bool {
	for n := range l.pending {
		if n.journal {
			return true
		}
	}
	return false
}

func (p *powerCuts) bad(format string, args ...any) {
	p.failed = true
	p.t.Errorf("%s: %s: %s", p.name, p.what, fmt.Sprintf(format, args...))
}

// known is what must hold after a power cut.
type known struct {
	lanes   map[*lane]*reach
	durable map[*made]int // the version that is durable; none if it is not there
	reached map[*made]int // the last version that was begun
	plan    *planned
	planned string // where the hub was then
	s       *scene
}

// reach is how far a lane is: one of the views from lo to hi must be there.
type reach struct{ lo, hi, dir int }

func (k *known) of(l *lane) *reach {
	if k.lanes[l] == nil {
		k.lanes[l] = &reach{}
	}
	return k.lanes[l]
}

func (s *scene) known(n int, head string) *known {
	k := &known{lanes: make(map[*lane]*reach), durable: make(map[*made]int), reached: make(map[*made]int), s: s}
	for _, e := range s.tape.events[:n] {
		switch m := e.mark.(type) {
		case begun:
			k.of(m.lane).hi = m.op
		case synced:
			r := k.of(m.lane)
			r.lo = max(r.lo, m.op)
			if m.dir {
				r.dir = max(r.dir, m.op)
			}
		case wrote:
			k.reached[m.file] = m.version
		case durable:
			k.keep(m.upTo)
		case planned:
			k.plan, k.planned = &m, e.head
		}
	}
	return k
}

func (k *known) keep(versions map[*made]int) {
	for m, v := range versions {
		k.durable[m] = max(k.durable[m], v)
	}
}

// commitIn adds what a commit has that the hub took before the cut, whether
// its answer came or not.
func (k *known) commitIn(head string) {
	if k.plan == nil || head == k.planned || head == "" {
		return
	}
	if log := k.s.hub.Repo(k.s.repo).Log(head); k.planned == "" && len(log) == 1 {
		return // it is made, and nothing is in it
	}
	k.keep(k.plan.versions)
	r := k.of(k.plan.lane)
	r.lo, r.dir = max(r.lo, k.plan.op), max(r.dir, k.plan.op)
}

// check finds for each lane one of its views that is what there is.
func (k *known) check(p *powerCuts, when string, got map[string]string) (missing int) {
	lanes := k.lanes
	if len(lanes) == 0 {
		lanes = map[*lane]*reach{k.s.all: {}}
	}
	for l, r := range lanes {
		if l == k.s.all && len(lanes) > 1 {
			continue // what was there before the others began
		}
		why := ""
		least := -1
		for op := r.hi; op >= r.lo && least != 0; op-- {
			m, no := k.fits(l, l.views[op], r, got)
			switch {
			case no != "":
				why += fmt.Sprintf("\n  as after operation %d: %s", op, no)
			case least < 0 || m < least:
				least = m
			}
		}
		missing += max(least, 0)
		if least < 0 {
			p.bad("%s %q shows none of what it may (operations %d to %d):%s", when, l.under, r.lo, r.hi, why)
		}
	}
	return missing
}

func (k *known) fits(l *lane, v map[string]*made, r *reach, got map[string]string) (missing int, why string) {
	for path, m := range v {
		c, there := got[path]
		kept, is := k.durable[m]
		switch {
		case m.committed && (!there || c != m.versions[0]):
			return 0, fmt.Sprintf("%s is %q, and %q was committed", path, short(c), short(m.versions[0]))
		case m.committed:
		case !is && !there:
			if m.born <= r.dir {
				return 0, path + " is not there"
			}
			missing++
		case !is:
		case !there:
			return 0, fmt.Sprintf("%s is not there, and %q was fsynced", path, short(m.versions[kept]))
		case !m.may(c, kept, k.reached[m]):
			return 0, fmt.Sprintf("%s is %q, and %q was fsynced", path, short(c), short(m.versions[kept]))
		}
	}
	for path := range got {
		if v[path] == nil && strings.HasPrefix(path, l.under) {
			return 0, path + " is there"
		}
	}
	return missing, ""
}

func short(s string) string {
	if len(s) > 40 {
		return s[:40] + fmt.Sprintf("… %d bytes", len(s))
	}
	return s
}

// may reports whether c may be the content when version kept is durable and
// the versions up to reached were being written.
func (m *made) may(c string, kept, reached int) bool {
	if reached <= kept {
		return c == m.versions[kept]
	}
	least, most := len(m.versions[kept]), len(m.versions[kept])
	for _, v := range m.versions[kept : reached+1] {
		least, most = min(least, len(v)), max(most, len(v))
	}
	if len(c) < least || len(c) > most {
		return false
	}
	for i := range len(c) {
		ok := least < most && c[i] == 0
		for _, v := range m.versions[kept : reached+1] {
			ok = ok || i < len(v) && v[i] == c[i]
		}
		if !ok {
			return false
		}
	}
	return true
}
