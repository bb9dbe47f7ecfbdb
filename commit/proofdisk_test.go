package commit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hubfs/hubfs/integration/proof"
	"github.com/hubfs/hubfs/remote"
)

// A diskFault is what happens at the n-th effect on the state directory.
type diskFault struct {
	n     int
	kind  string // see faultKinds
	stays bool   // all after it fail too, until the step that failed is tried again
	crash bool   // the process ends after the failure
}

func (f diskFault) String() string {
	return fmt.Sprintf("%s at effect %d, stays %t, crash %t", f.kind, f.n, f.stays, f.crash)
}

// faultKinds: two errors; a write of which the disk took a part; and an effect
// that is there, though an error says that it is not.
var faultKinds = []string{"EIO", "ENOSPC", "short", "late"}

// faulty is a disk with one fault.
type faulty struct {
	fault diskFault
	count atomic.Int64
	on    atomic.Bool // the fault is not over
	hit   atomic.Pointer[string]

	over atomic.Bool // there are no more faults

	unsynced sync.Map // staged content whose sync failed, by name
}

func (y *faulty) around(e effect, do func() error) error {
	if y.over.Load() {
		return do()
	}
	n := int(y.count.Add(1))
	hit := n == y.fault.n || y.fault.stays && y.on.Load() && n > y.fault.n
	if !hit || y.fault.n == 0 {
		return do()
	}
	if e.op == effSync && (y.fault.kind != "short" || e.name != filesName) { // see lasting
		y.unsynced.Store(e.name, true)
	}
	if n == y.fault.n {
		site := e.op + " of " + e.name
		y.hit.Store(&site)
		y.on.Store(true)
	}
	fail := func(errno syscall.Errno) error { return &fs.PathError{Op: e.op, Path: e.name, Err: errno} }
	switch y.fault.kind {
	case "ENOSPC":
		if e.op == effRemove || e.op == effSync {
			return fail(syscall.EIO)
		}
		return fail(syscall.ENOSPC)
	case "short":
		if e.op == effWrite && e.file != nil && e.off < 0 {
			e.file.Write(e.data[:len(e.data)/2])
		}
		return fail(syscall.ENOSPC)
	case "late":
		do()
	}
	return fail(syscall.EIO)
}

// stepT makes an error of a step what it is: the step's answer.
type stepT struct{ testing.TB }

func (stepT) Helper()                   {}
func (stepT) Fatal(a ...any)            { panic(stepError{a}) }
func (stepT) Fatalf(s string, a ...any) { panic(stepError{[]any{fmt.Sprintf(s, a...)}}) }

type stepError struct{ args []any }

// try does a step and gives its error.
func (r *krun) try(s kstep, i int) (err error) {
	defer func() {
		switch e := recover().(type) {
		case nil:
		case stepError:
			for _, a := range e.args {
				if cause, ok := a.(error); ok {
					err = cause
					return
				}
			}
			err = errors.New(fmt.Sprint(e.args...))
		default:
			panic(e)
		}
	}()
	r.step(s, i)
	return nil
}

// crash gives everything up as a kill would.
func (r *krun) crash() {
	w := &world{t: r.t, store: r.store, cache: r.cache, client: r.client}
	for _, h := range r.open {
		h.g.Close()
	}
	r.open = map[string]*khandle{}
	w.crash()
	r.w = nil
}

// noSite is where a fault was that nothing met.
const noSite = "nothing"

// faultRun does a scene on a disk with a fault. What failed is tried again when
// the fault is over.
//
// What others have committed may be shown later than in the model: a commit that
// could not be noted is found by the next one.
func (k *kworld) faultRun(s kscene, fault diskFault) (effects int, site string, err error) {
	id := fmt.Sprintf("acme/m%d", k.next.Add(1))
	dir := filepath.Join(k.dir, strings.TrimPrefix(id, "acme/"))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return 0, "", err
	}
	defer os.RemoveAll(dir)
	if s.start != nil {
		k.hub.Repo(id).Commit("main", "start", s.start)
	}
	y := &faulty{fault: fault}
	r := &krun{t: stepT{k.t}, job: kjob{URL: k.hub.URL(), Dir: dir, Repo: id}, open: map[string]*khandle{}, seam: seam{around: y.around}}
	r.start()
	defer func() {
		site = noSite
		if p := y.hit.Load(); p != nil {
			site = *p
		}
		effects = int(y.count.Load())
		if r.store != nil {
			r.crash()
		}
	}()
	if s.start != nil {
		r.tree()
	}
	views := kviews(s.start, s.steps)
	see := func() (map[string]string, error) {
		errs := &failures{TB: k.t}
		v := kclean(view(errs, r.tree()))
		return v, errs.err
	}
	for i, step := range s.steps {
		err := r.try(step, i)
		if err == nil {
			continue
		}
		if !errors.Is(err, syscall.EIO) && !errors.Is(err, syscall.ENOSPC) {
			return 0, "", fmt.Errorf("%v: %w", step, err)
		}
		if r.w == nil && step.Op == "new" {
			y.on.Store(false)
			if err := r.try(step, i); err != nil && !errors.Is(err, fs.ErrExist) { // it may be there all the same
				return 0, "", fmt.Errorf("%v, again: %w", step, err)
			}
			continue
		}
		if step.Op == "restart" { // it failed to end in order
			y.on.Store(false)
			r.cache.Close()
			r.client.Close()
			r.w = nil
			r.start()
			r.tree()
			continue
		}
		if fault.crash {
			// Nothing is open any more, so the rest cannot be done.
			y.on.Store(false)
			r.crash()
			r.start()
		}
		if r.w == nil {
			y.on.Store(false) // it was to be opened
		}
		got, verr := see()
		if verr != nil {
			return 0, "", verr
		}
		y.on.Store(false)
		was, is := ksame(got, views[i].view, false) || ksame(got, views[i].merged, false), ksame(got, views[i+1].view, false) || ksame(got, views[i+1].merged, false)
		if fault.crash && !was && !is {
			was, is = ksame(s.ours(got), s.ours(views[i].view), true), ksame(s.ours(got), s.ours(views[i+1].view), true)
		}
		if fault.crash && !was && !is && i > 0 && s.steps[i-1].Op == "pr" && ksame(s.ours(got), s.ours(views[i-1].view), true) {
			was, i = true, i-1 // it could not be noted: the next sync finds it
		}
		if !was && !is {
			return 0, "", fmt.Errorf("%v failed (%w), and there is something else (-want +got):\n%s", step, err, cmp.Diff(views[i].view, got))
		}
		if s := r.tree().Status(ctx); fault.crash && s.LastError != "" {
			return 0, "", fmt.Errorf("after %v failed (%w): %s", step, err, s.LastError)
		}
		if fault.crash {
			y.over.Store(true)
			return 0, "", k.finish(r, id, s, views, i, is && !was)
		}
		if is && !was {
			switch step.Op {
			case "create":
				step.Op = "open"
			case "mkdir", "rm", "rmdir", "mv", "swap", "link", "discard":
				continue
			}
		}
		err2 := r.try(step, i)
		if step.Op == "fsync" {
			d, name := at(k.t, r.tree(), step.P)
			n, err := d.Lookup(ctx, name)
			_, ok := y.unsynced.Load(filepath.Base(n.File.name()))
			_, dir := y.unsynced.Load(filesName)
			if ok = ok || dir; err != nil || ok != (err2 != nil) {
				return 0, "", fmt.Errorf("%v: sync failed %t, and then: %v", step, ok, err2)
			}
			continue
		}
		if err := err2; err != nil {
			return 0, "", fmt.Errorf("%v failed (%w), and again when the fault was over: %w", step, err, err)
		}
	}
	y.over.Store(true)
	r.crash()
	r.start()
	return 0, "", k.finish(r, id, s, views, len(s.steps), false)
}

// ours is a view without what others commit.
func (s kscene) ours(view map[string]string) map[string]string {
	view = files(view)
	for _, st := range s.steps {
		if st.Op == "theirs" {
			delete(view, st.P)
		}
	}
	return view
}

// finish compares with the model after i steps, or one more, and makes the last
// commit.
func (k *kworld) finish(r *krun, id string, s kscene, views []kview, i int, more bool) error {
	errs := &failures{TB: k.t}
	tr := r.tree()
	got := kclean(view(errs, tr))
	if more {
		i++
	}
	if !ksame(s.ours(got), s.ours(views[i].view), true) && !ksame(s.ours(got), s.ours(views[i].merged), true) {
		return fmt.Errorf("after the end of the process (-want +got):\n%s", cmp.Diff(views[i].view, got))
	}
	if s := tr.Status(ctx); s.LastError != "" {
		return errors.New(s.LastError)
	}
	wants := []map[string]string{followed(views[i].merged)}
	if i < len(s.steps) && s.steps[i].Op == "pr" {
		wants = append(wants, followed(views[i+1].merged))
	}
	_, err := ksync(ctx, tr, "force", len(s.steps))
	if errors.Is(err, remote.ErrUnknownOutcome) && len(wants) == 2 {
		r.store.now = func() time.Time { return time.Now().Add(2 * pullPatience) }
		_, err = ksync(ctx, tr, "force", len(s.steps))
	}
	if err != nil {
		return fmt.Errorf("the last sync: %w", err)
	}
	if s.start == nil && tr.New() {
		return errs.err
	}
	hub := k.hub.Repo(id)
	have := remoteFiles(hub)
	ok := false
	for _, w := range wants {
		ok = ok || cmp.Equal(w, have)
	}
	if !ok {
		return fmt.Errorf("the Hub (-want +got):\n%s", cmp.Diff(wants[0], have))
	}
	if err := kcommits(hub, s.steps, views, true); err != nil {
		return err
	}
	return errs.err
}

// TestProofDiskFaults lets each effect on the state directory fail in turn: the
// step that needs it says so, nothing before it is lost, nothing but it is
// missing, and when the fault is over everything goes on.
func TestProofDiskFaults(t *testing.T) {
	rng := proof.Rand(proof.Seed(t))
	k := newKworld(t)
	var cases, met atomic.Int64
	var mu sync.Mutex
	sites := make(map[string]bool)
	type job struct {
		s kscene
		f diskFault
	}
	jobs := make(chan job)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for j := range jobs {
				at, err := "", error(nil)
				func() {
					defer func() {
						if e := recover(); e != nil {
							err = fmt.Errorf("panic: %v", e)
						}
					}()
					_, at, err = k.faultRun(j.s, j.f)
				}()
				cases.Add(1)
				if err != nil {
					t.Errorf("%s, %v (%s): %v", j.s.name, j.f, at, err)
				}
				if at == noSite {
					continue
				}
				met.Add(1)
				mu.Lock()
				sites[at+" "+j.f.kind] = true
				mu.Unlock()
			}
		})
	}
	stride := proof.N(61, 1, 1)
	want := 0
	for _, s := range kscenes {
		effects, _, err := k.faultRun(s, diskFault{})
		if err != nil {
			t.Errorf("%s: %v", s.name, err)
			continue
		}
		want += effects / stride
		for n := 1 + rng.IntN(stride); n <= effects; n += stride {
			for i := range proof.N(1, 2, 16) {
				f := diskFault{n: n, kind: faultKinds[(n+i)%4], stays: (n/4+i)%2 == 0, crash: (n/8+i/2)%2 == 0}
				if i > 1 {
					f = diskFault{n: n, kind: faultKinds[i%4], stays: i&4 != 0, crash: i&8 != 0}
				}
				jobs <- job{s, f}
			}
		}
	}
	close(jobs)
	wg.Wait()
	proof.Say(t, "%d faults, %d of them met, %d of different kind or place", cases.Load(), met.Load(), len(sites))
	// What a commit does side by side differs a little from run to run, so that a late fault may find nothing.
	if n := int(cases.Load()); n < want || int(met.Load()) < n*9/10 || met.Load() < int64(proof.N(5, 800, 5000)) {
		t.Errorf("%d cases with %d faults that were met, want %d", n, met.Load(), want)
	}
}
