package fs

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/hubfs/hubfs/remote/hubtest"
	"golang.org/x/sys/unix"
)

// theirDir is the colleague's own. What is in it may appear at any time while a
// commit runs.
const theirDir = "x"

// mount starts a daemon and finds out what it shows.
func (w *modelWorld) mount() {
	d, err := startDaemon(w.config)
	w.must("mount", err)
	w.daemon = d
	w.epoch++
	w.follow()
	w.emptied()
	for p := range w.files() {
		ino := w.inode(p)
		info, err := d.info(p)
		w.must("info "+p, err)
		if !info.Staged {
			delete(w.known, ino) // modes and times of committed files are those of the commit again
		}
	}
}

// follow brings the plain directory to the commit that the mount lies over:
// what others have committed is there now, where nothing of ours was.
func (w *modelWorld) follow() {
	st, err := w.daemon.status()
	w.must("status", err)
	old := w.base
	w.base = st.Base
	if old == "" || old == w.base {
		return
	}
	w.epoch++
	log := w.repo.Log(w.base)
	n := slices.IndexFunc(log, func(c hubtest.Commit) bool { return c.ID == old })
	if n < 0 {
		diverge("the base went from %s to %s, which does not come after it", old, w.base)
	}
	var shown []string
	for _, c := range slices.Backward(log[:n]) {
		if !w.theirs[c.ID] {
			continue
		}
		before, after := w.onHub(c.Parent), w.onHub(c.ID)
		mine, staged := w.files(), w.writers()
		for _, p := range changed(before, after) {
			have, ok := mine[p]
			was, had := before[p]
			if staged[p] || ok != had || ok && !have.is(was) {
				continue // there is something of ours
			}
			shown = append(shown, p)
			if _, there := after[p]; there {
				if !w.room(p) {
					continue // taken back by a later one, or else there was a conflict: the comparison tells
				}
				w.put(p, w.repo.Read(c.ID, p))
			} else {
				w.must("remove", os.Remove(filepath.Join(w.disk, p)))
			}
		}
	}
	w.await(shown)
	w.emptied()
	w.awaitLists(shown)
}

// room reports whether a file can be put at a path: no directory is there, and
// no file on the way.
func (w *modelWorld) room(p string) bool {
	st, err := os.Lstat(filepath.Join(w.disk, p))
	if err == nil {
		return st.Mode().IsRegular()
	}
	return os.IsNotExist(err)
}

// changed are the paths that differ.
func changed(a, b map[string]hubtest.File) (out []string) {
	for p, f := range b {
		if a[p] != f {
			out = append(out, p)
		}
	}
	for p := range a {
		if _, ok := b[p]; !ok {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}

// await waits until the kernel has been told of what others did.
func (w *modelWorld) await(paths []string) {
	for _, p := range paths {
		want, err := os.ReadFile(filepath.Join(w.disk, p))
		var last string
		if !within(func() bool {
			got, gotErr := os.ReadFile(filepath.Join(w.mnt, p))
			last = fmt.Sprint(summary(got), " ", errText(gotErr))
			// That a file is gone may be EISDIR by now, or ENOTDIR.
			return string(got) == string(want) && (err == nil) == (gotErr == nil)
		}) {
			diverge("what a colleague committed to %s is not shown: %s, want %s %s", p, last, summary(want), errText(err))
		}
	}
}

// awaitLists waits for the listings that the paths are in: the kernel is told of
// them after the names.
func (w *modelWorld) awaitLists(paths []string) {
	dirs := map[string]bool{}
	for _, p := range paths {
		dirs[""] = true
		for _, d := range parents(p) {
			dirs[d] = true
		}
	}
	for d := range dirs {
		var got, want string
		if !within(func() bool {
			got, want = listing(filepath.Join(w.mnt, d)), listing(filepath.Join(w.disk, d))
			return got == want
		}) {
			diverge("what a colleague committed is not listed in %q: %s, want %s", d, got, want)
		}
	}
}

// emptied takes directories away that are empty on both sides of a commit: a
// commit has none, so they are there as long as the mount knows of them.
func (w *modelWorld) emptied() {
	var dirs []string
	filepath.WalkDir(w.disk, func(p string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() && p != w.disk {
			dirs = append(dirs, p)
		}
		return nil
	})
	for _, d := range slices.Backward(dirs) {
		rel, _ := filepath.Rel(w.disk, d)
		if _, err := os.Lstat(filepath.Join(w.mnt, rel)); os.IsNotExist(err) {
			os.Remove(d) // fails if it is not empty, and check says so
		}
	}
}

// clearDirs takes away the directories that nothing is in.
func (w *modelWorld) clearDirs() {
	var dirs []string
	filepath.WalkDir(w.disk, func(p string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() && p != w.disk {
			dirs = append(dirs, p)
		}
		return nil
	})
	for _, d := range slices.Backward(dirs) {
		os.Remove(d) // fails if something is in it
	}
}

// theirCommit is one by the colleague, of one path.
func (w *modelWorld) theirCommit(o modelOp) {
	p := o.P
	if w.running != nil {
		p = theirDir + "/" + filepath.Base(p)
	}
	there := w.onHub("main")
	_, exists := there[p]
	if o.N < 0 {
		if exists {
			w.theirs[w.repo.Commit("main", "theirs", nil, p)] = true
			w.count.theirs++
		}
		return
	}
	for q := range there {
		if strings.HasPrefix(q, p+"/") || strings.HasPrefix(p, q+"/") {
			return // a file and a directory of one name
		}
	}
	w.theirs[w.repo.Commit("main", "theirs", map[string]string{p: string(modelContent(o.Seed, o.N))})] = true
	w.count.theirs++
}

// writers are the paths of plain files that something can write.
func (w *modelWorld) writers() map[string]bool {
	inos := map[uint64]bool{}
	for _, h := range w.handles {
		if h != nil && h.writes() {
			inos[h.ino] = true
		}
	}
	for _, m := range w.maps {
		if m.shared {
			inos[m.ino] = true
		}
	}
	out := map[string]bool{}
	for p := range w.files() {
		if inos[w.inode(p)] {
			out[p] = true
		}
	}
	return out
}

func (w *modelWorld) closeWriters() {
	for i, h := range w.handles {
		if h != nil && h.writes() {
			w.close(i)
		}
	}
	w.maps = slices.DeleteFunc(w.maps, func(m *modelMap) bool {
		if m.shared {
			m.unmap()
		}
		return m.shared
	})
}

// Of a sync's flags.
const (
	syncCloses   = 1 << iota // writers are closed before
	syncLoses                // the answer to the commit is lost
	syncForces               // a conflict is settled by ours
	syncDiscards             // a conflict is settled by theirs, for all paths
	syncIgnores              // large content stays staged
	syncAll
)

const ignored = "*.bin"

// sync makes a commit and waits for it.
func (w *modelWorld) sync(o modelOp) {
	w.count.syncs++
	if o.Flags&syncCloses != 0 {
		w.closeWriters()
	}
	writers := w.writers()
	req := SyncRequest{All: true}
	req.Wait = "10s"
	if len(writers) > 0 {
		req.Wait = "0s"
	}
	if o.Flags&syncIgnores != 0 {
		req.Ignore = []string{ignored}
	}
	must, may := w.conflict(writers)
	if req.Ignore != nil {
		// What is left out may cover what others did.
		must, may = false, len(changed(w.onHub(w.base), w.onHub("main"))) > 0
	}
	commits := len(w.repo.Log("main"))
	theirHead := w.onHub("main")
	out := w.ask(req, o.Flags&syncLoses != 0)
	if out.failed.Code == "failed" && o.Flags&syncLoses != 0 {
		out = w.ask(req, false) // finds out what became of the first
	}
	w.unsettled = false
	if out.failed.Code == "conflict" {
		w.count.conflicts++
		if !may {
			diverge("a conflict about %v that is none", out.failed.Paths)
		}
		switch must = false; {
		case o.Flags&syncForces != 0 && req.Ignore == nil && !w.directories(out.failed.Paths):
			w.count.forced++
			req.Force = true
		case o.Flags&syncDiscards != 0:
			w.count.discarded++
			w.discardAll()
			return
		default:
			w.revert()
			commits++
		}
		if out = w.ask(req, false); out.failed.Code == "conflict" {
			// What was changed here while others moved the branch under a commit is
			// asked about though they have taken it back.
			w.discardAll()
			return
		}
	}
	if out.err != nil || !out.done {
		diverge("sync: %v", out)
	}
	if must {
		diverge("a conflict that was not seen: %v", out)
	}
	w.committed(out, writers, commits, req, theirHead)
}

// ask makes the daemon commit. The answer to the request to the Hub may be
// lost: then the daemon finds out by itself what became of it.
func (w *modelWorld) ask(req SyncRequest, lose bool) syncOutcome {
	if lose {
		var once sync.Once
		w.hub.Fault(func(r *http.Request) (f *hubtest.Fault) {
			if r.Method == http.MethodPost && strings.Contains(r.URL.Path, "/commit/") {
				once.Do(func() { f = &hubtest.Fault{After: true} })
			}
			return f
		})
		defer w.hub.Fault(nil)
	}
	return w.daemon.sync(req)
}

// directories reports whether one of the paths is a directory here. A file of the
// Hub's that an empty one lies over stays what it is there: Git has no empty
// directories.
func (w *modelWorld) directories(paths []string) bool {
	return slices.ContainsFunc(paths, w.directory)
}

func (w *modelWorld) directory(p string) bool {
	st, err := os.Lstat(filepath.Join(w.disk, p))
	return err == nil && st.IsDir()
}

// discardAll drops all that is staged: the mount shows what the branch has.
func (w *modelWorld) discardAll() {
	var last ChangeEvent
	err := w.daemon.ask("discard", DiscardRequest{Path: ""}, func(line []byte) error { return json.Unmarshal(line, &last) })
	if err != nil || last.Type != "done" {
		diverge("discard: %+v, %v", last, err)
	}
	st, err := w.daemon.status()
	w.must("status", err)
	if len(st.Staged) > 0 {
		diverge("staged after everything was discarded: %+v", st.Staged)
	}
	w.base = st.Base
	w.epoch++
	w.listing.close() // the plain directories are made anew
	w.listing = nil
	hub, mine := w.onHub(w.base), w.files()
	var touched []string
	for p := range mine { // also what has the same content: it is another file now
		w.must("remove", os.Remove(filepath.Join(w.disk, p)))
		if f, ok := hub[p]; !ok || !mine[p].is(f) {
			touched = append(touched, p)
		}
	}
	w.clearDirs()
	w.await(slices.DeleteFunc(slices.Clone(touched), func(p string) bool { _, ok := hub[p]; return ok }))
	for p := range hub {
		touched = append(touched, p)
		w.put(p, w.repo.Read(w.base, p))
	}
	w.await(touched)
	w.awaitLists(touched)
	clear(w.known)
	w.check()
}

// committed compares what the Hub has now.
func (w *modelWorld) committed(out syncOutcome, writers map[string]bool, commits int, req SyncRequest, theirHead map[string]hubtest.File) {
	before := w.onHub(w.base)
	w.follow()
	w.epoch++
	if made := len(w.repo.Log("main")) - commits; made > 1 {
		diverge("%d commits by one sync", made)
	} else if made == 1 {
		w.count.commits++
	}
	busy := map[string]bool{}
	for _, p := range out.result.Busy {
		busy[p] = true
	}
	w.count.busy += len(busy)
	if len(writers) == 0 && len(busy) > 0 {
		diverge("%v are called busy, which nobody has open", out.result.Busy)
	}
	left := w.left(busy, req)
	mine, hub := w.files(), w.onHub(w.base)
	for p := range writers {
		if f, ok := hub[p]; !left(p) && (!ok || !mine[p].is(f)) {
			diverge("%s is open for writing, and neither busy nor committed as it is", p)
		}
	}
	for p, f := range hub {
		have, ok := mine[p]
		switch {
		case ok && have.is(f):
		case (before[p] == f || theirHead[p] == f) && w.directory(p): // an empty one lies over it
		case !left(p):
			diverge("the Hub has another %s than the directory (there: %v)", p, ok)
		case before[p] != f && theirHead[p] != f:
			diverge("the Hub has another %s, which is left staged", p)
		}
	}
	for p := range mine {
		if _, ok := hub[p]; !ok && !left(p) {
			diverge("the Hub has no %s: %v", p, out)
		}
	}
}

// left tells what a commit has left staged: busy files, and what its patterns
// leave out, with what hangs together with that.
func (w *modelWorld) left(busy map[string]bool, req SyncRequest) func(p string) bool {
	places := map[string]bool{}
	if len(busy) > 0 || len(req.Ignore) > 0 {
		st, err := w.daemon.status()
		w.must("status", err)
		for _, s := range st.Staged {
			places[s.Path], places[s.From] = true, true
		}
	}
	delete(places, "")
	return func(p string) bool {
		if busy[p] || places[p] {
			return true
		}
		return slices.ContainsFunc(parents(p), func(d string) bool { return places[d] })
	}
}

// conflict says whether there must be one if everything staged is committed
// now, and whether there may be one.
func (w *modelWorld) conflict(writers map[string]bool) (must, may bool) {
	base, head, mine := w.onHub(w.base), w.onHub("main"), w.files()
	ours := map[string]bool{}
	for p, have := range mine {
		if f, ok := base[p]; !ok || !have.is(f) {
			ours[p] = true
		}
	}
	for p := range base {
		if _, ok := mine[p]; !ok {
			ours[p] = true
		}
	}
	theirs := changed(base, head)
	may = w.unsettled && len(theirs) > 0
	for _, p := range theirs {
		have, ok := mine[p]
		f, there := head[p]
		if ours[p] && !(ok == there && (!ok || have.is(f))) {
			must = true
		}
		may = may || writers[p] // it is staged, whatever is in it
		if st, err := os.Lstat(filepath.Join(w.disk, p)); err == nil && st.IsDir() {
			may = true
		}
		for _, d := range parents(p) {
			if st, err := os.Lstat(filepath.Join(w.disk, d)); err == nil && !st.IsDir() {
				may = true
			}
		}
	}
	return must && len(writers) == 0 && !w.unsettled, may || must
}

// revert is the colleague undoing what the mount has not seen yet.
func (w *modelWorld) revert() {
	base, head := w.onHub(w.base), w.onHub("main")
	files, deletes := map[string]string{}, []string{}
	for _, p := range changed(base, head) {
		if _, ok := base[p]; ok {
			files[p] = string(w.repo.Read(w.base, p))
		} else {
			deletes = append(deletes, p)
		}
	}
	if len(files)+len(deletes) > 0 {
		w.theirs[w.repo.Commit("main", "theirs, taken back", files, deletes...)] = true
	}
}

// A runningSync is a commit during which steps go on.
type runningSync struct {
	done    chan struct{}
	out     syncOutcome
	commits int
	states  []map[string]blobNames // after each step
	hidden  map[string]bool        // files of the base that an empty directory lies over
}

func (s *runningSync) note(w *modelWorld) { s.states = append(s.states, w.files()) }

func (w *modelWorld) syncBegin(o modelOp) {
	if len(changed(w.onHub(w.base), w.onHub("main"))) > 0 {
		// When they are seen is not known: reads could not be compared.
		w.sync(o)
		return
	}
	w.count.syncs++
	s := &runningSync{done: make(chan struct{}), commits: len(w.repo.Log("main")), hidden: map[string]bool{}}
	s.note(w)
	for p := range w.onHub(w.base) {
		s.hidden[p] = w.directory(p)
	}
	w.running = s
	d := w.daemon
	go func() {
		defer close(s.done)
		s.out = d.sync(SyncRequest{All: true, CommitOptions: CommitOptions{Wait: "0s"}})
	}()
}

// syncEnd waits for a commit that runs. Each file of it is as it was at some
// moment in between.
func (w *modelWorld) syncEnd() {
	s := w.running
	if s == nil {
		return
	}
	<-s.done
	w.running = nil
	w.unsettled = false
	if s.out.err != nil || !s.out.done {
		diverge("sync with steps in between: %v", s.out)
	}
	w.follow()
	w.epoch++
	w.count.concurrent++
	busy := map[string]bool{}
	for _, p := range s.out.result.Busy {
		busy[p] = true
	}
	s.note(w)
	for p, f := range w.onHub(w.base) {
		if busy[p] || s.hidden[p] || strings.HasPrefix(p, theirDir+"/") {
			continue
		}
		if !slices.ContainsFunc(s.states, func(st map[string]blobNames) bool { n, ok := st[p]; return ok && n.is(f) }) {
			diverge("the Hub has a %s that was never so while the commit ran", p)
		}
	}
	hub := w.onHub(w.base)
	for p, n := range s.states[0] {
		always := !slices.ContainsFunc(s.states, func(st map[string]blobNames) bool { return st[p] != n })
		if f, ok := hub[p]; always && !busy[p] && (!ok || !n.is(f)) {
			diverge("%s did not change while the commit ran, and the Hub has another one (there: %v): %v, base %s", p, ok, s.out, w.base)
		}
	}
	w.check()
}

// kill is kill -9, with or without a commit that runs, and the next mount.
func (w *modelWorld) kill(o modelOp) {
	w.count.kills++
	w.unmapAll() // stores that the kernel has not written back die with a daemon that writes for it
	w.listing.close()
	w.listing = nil
	w.daemon.kill()
	if s := w.running; s != nil {
		<-s.done
		w.running, w.unsettled = nil, true
	}
	for i, h := range w.handles {
		switch {
		case h == nil:
		case w.config.NoPassthrough:
			h.orphan = true
			w.close(i)
		default:
			h.orphan = true
		}
	}
	w.config.NoPassthrough = o.Flags&1 != 0
	w.mount()
	w.check()
}

// restart is an end and a beginning in peace.
func (w *modelWorld) restart(o modelOp) {
	w.syncEnd()
	w.count.restarts++
	w.closeAll()
	w.must("end", w.daemon.end())
	w.config.NoPassthrough = o.Flags&1 != 0
	w.mount()
	w.check()
}

// check compares the whole tree and all handles.
func (w *modelWorld) check() {
	if w.running != nil {
		return
	}
	w.count.checks++
	w.sameDir("")
	for i, h := range w.handles {
		if h == nil || h.orphan || h.flags&unix.O_ACCMODE == unix.O_WRONLY {
			continue
		}
		w.both(fmt.Sprintf("handle %d", i), func(root string) string { return readAt(h.on(w, root), 0, 1<<20) })
	}
}

func (w *modelWorld) sameDir(dir string) {
	w.both("list "+dir, func(root string) string { return listing(filepath.Join(root, dir)) })
	list, err := os.ReadDir(filepath.Join(w.disk, dir))
	w.must("list", err)
	for _, e := range list {
		p := filepath.Join(dir, e.Name())
		if e.Name() == ".gitattributes" {
			continue
		}
		w.stat(p)
		if e.IsDir() {
			w.sameDir(p)
			continue
		}
		w.both("content of "+p, func(root string) string {
			b, err := os.ReadFile(filepath.Join(root, p))
			return summary(b) + " " + errText(err)
		})
	}
}
