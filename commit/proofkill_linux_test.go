package commit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hubfs/hubfs/integration/proof"
	"github.com/hubfs/hubfs/remote"
	"github.com/hubfs/hubfs/remote/hubtest"
)

// kworld has the Hub of all points, each of which has its own repo on it.
type kworld struct {
	t    *testing.T
	hub  *hubtest.Hub
	dir  string
	next atomic.Int64
}

// A kcase is one point of one scene: where a first process is killed, and where
// the one that recovers, if it is.
type kcase struct {
	scene  kscene
	at     killPoint
	second killPoint
	all    bool // the recovery is killed at each of its points
	late   bool // a file is changed before the last sync
}

func (c kcase) String() string {
	s := fmt.Sprintf("%s, killed %s", c.scene.name, c.at)
	if c.second.n != 0 {
		s += fmt.Sprintf(", again %s", c.second)
	}
	return s
}

// run makes a world for the case, kills, recovers and compares. It gives how
// many calls the first process made, and at which calls there was a kill.
func (k *kworld) run(c kcase) (calls int, killed []string, err error) {
	id := fmt.Sprintf("acme/m%d", k.next.Add(1))
	dir := filepath.Join(k.dir, strings.TrimPrefix(id, "acme/"))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return 0, nil, err
	}
	defer os.RemoveAll(dir)
	if c.scene.start != nil {
		k.hub.Repo(id).Commit("main", "start", c.scene.start)
	}
	job := kjob{URL: k.hub.URL(), Dir: dir, Repo: id, Steps: c.scene.steps}
	done, calls, at, err := k.child(job, c.at)
	if at != "" {
		killed = append(killed, at)
	}
	if err != nil {
		return calls, killed, err
	}
	if c.second.n != 0 {
		job.Recover = true
		_, _, at, err := k.child(job, c.second)
		if at != "" {
			killed = append(killed, at)
		}
		if err != nil {
			return calls, killed, fmt.Errorf("recovery: %w", err)
		}
	}
	if err := k.verify(c, id, dir, done); err != nil {
		return calls, killed, fmt.Errorf("%s: %w", strings.Join(killed, ", then "), err)
	}
	return calls, killed, nil
}

// child runs a job until its point, and gives how many of its steps were done.
func (k *kworld) child(job kjob, at killPoint) (done, calls int, killed string, err error) {
	b, err := json.Marshal(job)
	if err != nil {
		return 0, 0, "", err
	}
	name := job.Dir + ".job"
	if err := os.WriteFile(name, b, 0o600); err != nil {
		return 0, 0, "", err
	}
	defer os.Remove(name)
	out, err := os.CreateTemp(k.dir, "said")
	if err != nil {
		return 0, 0, "", err
	}
	defer os.Remove(out.Name())
	defer out.Close()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), killEnv+"="+name, "GODEBUG=asyncpreemptoff=1", "GOMAXPROCS=1", "GOGC=off")
	cmd.Stdout, cmd.Stderr = out, out
	calls, killed, err = runTraced(cmd, job.Dir, at)
	said, rerr := os.ReadFile(out.Name())
	if err == nil {
		err = rerr
	}
	if err != nil {
		return 0, calls, killed, fmt.Errorf("%w: %s", err, said)
	}
	for line := range strings.Lines(string(said)) {
		if n, err := strconv.Atoi(strings.TrimSpace(line)); err == nil {
			done = n
		}
	}
	return done, calls, killed, nil
}

// verify opens what the dead process left.
func (k *kworld) verify(c kcase, id, dir string, done int) error {
	errs := &failures{TB: k.t}
	w := &world{t: errs, hub: k.hub, dir: dir}
	w.open()
	defer w.close()
	views := kviews(c.scene.start, c.scene.steps)
	tr, err := w.store.Worktree(ctx, parse(errs, id))
	if errors.Is(err, fs.ErrNotExist) && c.scene.start == nil && done == 0 {
		return nil // not even begun
	}
	if err != nil {
		return err
	}
	if s := tr.Status(ctx); s.LastError != "" {
		return errors.New(s.LastError)
	}
	got := kclean(view(errs, tr))
	at := -1
	for i := done; i <= min(done+1, len(c.scene.steps)) && at < 0; i++ {
		if loose := c.second.n != 0 || i == len(c.scene.steps) || restarted(c.scene.steps[:i]); ksame(got, views[i].view, loose) || ksame(got, views[i].merged, loose) ||
			c.second.n != 0 && (ksame(files(got), followed(views[i].view), true) || ksame(files(got), followed(views[i].merged), true)) {
			at = i
		}
	}
	if at < 0 && done < len(c.scene.steps) && c.scene.steps[done].Op == "discard" {
		// First it is dropped, then theirs is looked for.
		half := maps.Clone(views[done].view)
		half[c.scene.steps[done].P] = got[c.scene.steps[done].P]
		if cmp.Equal(half, got) {
			at = done
			views[at].merged[c.scene.steps[done].P] = views[at+1].view[c.scene.steps[done].P]
		}
	}
	if at < 0 {
		return fmt.Errorf("after %d steps, in %v (-want +got):\n%s", done, next(c.scene.steps, done), cmp.Diff(views[done].view, got))
	}
	steps := c.scene.steps
	wants := []map[string]string{followed(views[at].merged)}
	if at < len(steps) && steps[at].Op == "pr" {
		// It may have been made: then that is where the work is.
		wants = append(wants, followed(views[at+1].merged))
	}
	for _, v := range got {
		c.late = c.late && !strings.HasPrefix(v, "-> ") // what a link's copy has is a matter of time
	}
	if c.late && len(wants) == 1 {
		// Work that goes on before the outcome of the last commit is known.
		for _, p := range kpaths(got) {
			if c.touch(p) {
				do(errs, tr, []string{"edit", p, "+late"})
				now := maps.Clone(views[at].merged)
				now[p] += "+late"
				wants[0] = followed(now)
				break
			}
		}
	}
	res, err := ksync(ctx, tr, "sync", len(steps))
	var clash *ConflictError
	switch {
	case errors.As(err, &clash) && views[at].conflicts:
		if d := cmp.Diff(got, kclean(view(errs, tr))); d != "" && !c.late {
			return fmt.Errorf("after a conflict (-want +got):\n%s", d)
		}
		res, err = ksync(ctx, tr, "force", len(steps))
	case errors.Is(err, remote.ErrUnknownOutcome) && len(wants) == 2:
		w.store.now = func() time.Time { return time.Now().Add(2 * pullPatience) }
		res, err = ksync(ctx, tr, "sync", len(steps))
	}
	if err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	n := 0
	if now := files(kclean(view(errs, tr))); len(wants) == 2 && (cmp.Equal(wants[1], now) || cmp.Equal(followed(views[at+1].view), now)) {
		// With nothing left to be committed the base stays where it is.
		n = 1
	} else if d := cmp.Diff(wants[0], now); d != "" && !(res.Unchanged && cmp.Equal(files(got), now)) {
		return fmt.Errorf("after the sync (-want +got):\n%s", d)
	}
	want := wants[n]
	if c.scene.start == nil && tr.New() && len(want) == 0 {
		return errs.err // a repo is made with its first file
	}
	r := k.hub.Repo(id)
	if d := cmp.Diff(want, remoteFiles(r)); d != "" {
		return fmt.Errorf("the Hub (-want +got):\n%s", d)
	}
	if err := kpulls(r, w.client, parse(errs, id), steps, views, at+n); err != nil {
		return err
	}
	if err := kcommits(r, steps, views, c.second.n != 0); err != nil {
		return err
	}
	if tr.Dirty() {
		return fmt.Errorf("still staged: %+v", tr.Status(ctx))
	}
	if tr.st != nil {
		if ents, _ := os.ReadDir(tr.st.disk.path + "/files"); len(ents) != 0 {
			return fmt.Errorf("content of nobody is left: %v", ents)
		}
	}
	return errs.err
}

// touch reports whether a path is one that no other changes.
func (c kcase) touch(p string) bool {
	for _, s := range c.scene.steps {
		if s.Op == "theirs" && s.P == p {
			return false
		}
	}
	return true
}

// restarted: an orderly end may forget empty directories, as that after the
// last step does.
func restarted(steps []kstep) bool {
	return slices.ContainsFunc(steps, func(s kstep) bool { return s.Op == "restart" })
}

func ksame(a, b map[string]string, loose bool) bool {
	if loose {
		a, b = files(a), files(b)
	}
	return cmp.Equal(a, b)
}

// kcommits looks at each commit: one for a sync at most, with what was there then.
func kcommits(r *hubtest.Repo, steps []kstep, views []kview, twice bool) error {
	seen, title := make(map[int]bool), make(map[string]bool)
	for _, c := range r.Log("main") {
		n, ok := strings.CutPrefix(c.Title, "sync ")
		if !ok {
			continue
		}
		n, part, _ := strings.Cut(n, " ")
		i, err := strconv.Atoi(n)
		if err == nil && i < len(steps) && steps[i].Op == "split" {
			if title[n+part] && !twice {
				return fmt.Errorf("the commit %q is there twice", c.Title)
			}
			title[n+part] = true
			continue
		}
		if err != nil || seen[i] && !(twice && i == len(steps)) {
			return fmt.Errorf("the commit %q is there twice", c.Title)
		}
		seen[i] = true
		if i == len(steps) {
			continue // the last one, which was compared
		}
		got := make(map[string]string)
		for p := range r.Files(c.ID) {
			if p != attributes {
				got[p] = string(r.Read(c.ID, p))
			}
		}
		if d := cmp.Diff(views[i+1].hub, got); d != "" {
			return fmt.Errorf("commit %q (-want +got):\n%s", c.Title, d)
		}
	}
	return nil
}

// kpulls looks at each pull request: one for a step at most, with what was
// staged then, and all of those before step n.
func kpulls(r *hubtest.Repo, client *remote.Client, repo remote.Repo, steps []kstep, views []kview, n int) error {
	made := make(map[string]bool)
	for pr, err := range client.PullRequests(ctx, repo) {
		if err != nil {
			return err
		}
		if made[pr.Title] {
			return fmt.Errorf("the pull request %q is there twice", pr.Title)
		}
		made[pr.Title] = true
		i, err := strconv.Atoi(strings.TrimPrefix(pr.Title, "sync "))
		if err != nil || steps[i].Op != "pr" || i >= n {
			return fmt.Errorf("a pull request %q", pr.Title)
		}
		got := make(map[string]string)
		for p := range r.Files(pr.Ref()) {
			if p != attributes {
				got[p] = string(r.Read(pr.Ref(), p))
			}
		}
		if d := cmp.Diff(followed(views[i].merged), got); d != "" && !cmp.Equal(followed(views[i].view), got) {
			return fmt.Errorf("pull request %q (-want +got):\n%s", pr.Title, d)
		}
	}
	for i, s := range steps[:n] {
		if s.Op == "pr" && !made[fmt.Sprint("sync ", i)] {
			return fmt.Errorf("the pull request of step %d is not there", i)
		}
	}
	return nil
}

func next(steps []kstep, i int) string {
	if i < len(steps) {
		return steps[i].String()
	}
	return "the end"
}

// kclean takes away what the Hub adds.
func kclean(v map[string]string) map[string]string {
	delete(v, attributes)
	return v
}

// failures is a testing.TB for goroutines that are not the test's own.
type failures struct {
	testing.TB
	err error
}

func (f *failures) Helper()                   {}
func (f *failures) Error(a ...any)            { f.err = errors.New(fmt.Sprint(a...)) }
func (f *failures) Errorf(s string, a ...any) { f.err = fmt.Errorf(s, a...) }
func (f *failures) Fatal(a ...any)            { panic(fmt.Sprint(a...)) }
func (f *failures) Fatalf(s string, a ...any) { panic(fmt.Sprintf(s, a...)) }

func newKworld(t *testing.T) *kworld {
	dir := t.TempDir()
	hub, err := hubtest.New(hubtest.Options{Dir: filepath.Join(dir, "hub")})
	if err != nil {
		t.Fatal(err)
	}
	if err := hub.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	hub.AddUser("alice", token, hubtest.User{Orgs: map[string]string{"acme": "write"}})
	t.Cleanup(func() { hub.Close() })
	return &kworld{t: t, hub: hub, dir: dir}
}

// ktally is what was tried.
type ktally struct {
	t              *testing.T
	k              *kworld
	points, second atomic.Int64
	wg             sync.WaitGroup
	work           chan kcase
}

func (y *ktally) try(c kcase) (killed bool) {
	defer func() {
		if e := recover(); e != nil {
			y.t.Errorf("%v: %v", c, e)
		}
	}()
	_, calls, err := y.k.run(c)
	if err != nil {
		y.t.Errorf("%v: %v", c, err)
		return false
	}
	want := 1
	if c.second.n > 0 {
		want = 2
	}
	if len(calls) == want {
		killed = true
		y.points.Add(1)
		if c.second.n > 0 {
			y.second.Add(1)
		}
	}
	return killed
}

// worker tries a case, and at some all points of its recovery.
func (y *ktally) worker() {
	for c := range y.work {
		if !c.all {
			y.try(c)
			continue
		}
		for c.second = (killPoint{n: 1}); y.try(c); c.second.n++ {
			after := c
			after.second.after = true
			y.try(after)
		}
	}
}

// TestProofKill kills a process at the n-th call that changes a file, before and
// after it, over scenes; then the next one recovers, and may be killed at that
// too. What had returned is there, what was under way is there or not, nothing
// else is, and each sync is one commit at most.
func TestProofKill(t *testing.T) {
	seed := proof.Seed(t)
	y := &ktally{t: t, k: newKworld(t), work: make(chan kcase)}
	for range 2 {
		y.wg.Go(y.worker)
	}
	want := int64(proof.N(60, 4_000, 25_000))
	// Each scene has choices of its own: how many calls one makes is a little different from run to run.
	run := func(r *rand.Rand, s kscene, stride int, recovery float64) {
		calls, _, err := y.k.run(kcase{scene: s})
		if err != nil {
			t.Errorf("%s: %v", s.name, err)
			return
		}
		if stride == 1 {
			t.Logf("%s: %d steps, %d calls", s.name, len(s.steps), calls)
		}
		for p := r.IntN(stride); p < 2*calls; p += stride {
			c := kcase{scene: s, at: killPoint{p/2 + 1, p%2 == 1}, late: r.IntN(3) == 0}
			y.work <- c
			if c.late, c.all = false, r.Float64() < recovery; c.all {
				y.work <- c
			}
		}
	}
	for i, s := range kscenes {
		run(proof.Rand(seed+uint64(i)), s, proof.N(31, 1, 1), float64(proof.N(5, 4, 30))/100)
	}
	for i := uint64(1000); y.points.Load() < want && !t.Failed(); i++ {
		r := proof.Rand(seed + i)
		run(r, krandom(r, 30), proof.N(31, 2, 2), 0.05)
	}
	close(y.work)
	y.wg.Wait()
	if n, second := y.points.Load(), y.second.Load(); n < want || second == 0 {
		t.Errorf("%d points, %d of them in a recovery: want %d, and some", n, second, want)
	}
	proof.Say(t, "%d points, %d of them in the recovery from another", y.points.Load(), y.second.Load())
}
