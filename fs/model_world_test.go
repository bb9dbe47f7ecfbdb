package fs

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hubfs/hubfs/remote/hubtest"
	"golang.org/x/sys/unix"
)

// A modelWorld is a Hub, a mount of one of its repos by a daemon that can be
// killed, and a plain directory that everything is done to as well.
type modelWorld struct {
	dir    string
	mnt    string
	disk   string // the plain directory
	hub    *hubtest.Hub
	repo   *hubtest.Repo
	daemon *daemonProcess
	config daemonConfig

	handles [modelSlots]*modelHandle
	maps    []*modelMap
	listing *modelListing

	base      string          // the commit that the mount lies over
	theirs    map[string]bool // commits of the colleague
	running   *runningSync
	unsettled bool // the outcome of a commit is not known yet
	epoch     int  // counts commits and mounts
	known     map[uint64]attrsKnown
	detached  map[uint64]bool // plain files whose name an edit has given to another one
	count     modelCounts

	steps atomic.Int64 // for the watchdog
	hung  atomic.Bool
	stop  chan struct{}
}

// modelCounts say what was tried.
type modelCounts struct {
	ops, syncs, commits, conflicts, theirs, kills, restarts, drops, checks, busy, concurrent, detached, forced, discarded int
}

func (c *modelCounts) add(o modelCounts) {
	c.ops += o.ops
	c.syncs += o.syncs
	c.commits += o.commits
	c.conflicts += o.conflicts
	c.theirs += o.theirs
	c.kills += o.kills
	c.restarts += o.restarts
	c.drops += o.drops
	c.checks += o.checks
	c.busy += o.busy
	c.concurrent += o.concurrent
	c.detached += o.detached
	c.forced += o.forced
	c.discarded += o.discarded
}

// attrsKnown tell whether a file's mode and times on the mount are those of the
// plain file, by the file's inode number there.
type attrsKnown struct{ mode, mtime bool }

// A divergence is a difference between mount and directory. It is thrown.
type divergence struct{ text string }

func diverge(format string, args ...any) { panic(divergence{fmt.Sprintf(format, args...)}) }

func (w *modelWorld) must(what string, err error) {
	if err != nil {
		diverge("%s: %v", what, err)
	}
}

const (
	modelRepo = "me/m"
	hangs     = 60 * time.Second // a step that takes so long hangs
)

// newModelWorld is mounted.
func newModelWorld(dir string) (w *modelWorld, err error) {
	w = &modelWorld{
		dir: dir, mnt: filepath.Join(dir, "mnt"), disk: filepath.Join(dir, "disk"),
		theirs: map[string]bool{}, known: map[uint64]attrsKnown{}, detached: map[uint64]bool{}, stop: make(chan struct{}),
	}
	for _, d := range []string{w.mnt, w.disk} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return nil, err
		}
	}
	if w.hub, err = hubtest.New(hubtest.Options{Dir: filepath.Join(dir, "hub")}); err != nil {
		return nil, err
	}
	w.hub.AddUser("me", token, hubtest.User{})
	if err := w.hub.Start("127.0.0.1:0"); err != nil {
		return nil, err
	}
	w.repo = w.hub.Repo(modelRepo)
	files := map[string]string{
		"a": string(modelContent(1, 100)), "b/a": string(modelContent(2, 5000)), "b/b/c": "deep", "b/b/b": "",
		"c/d.bin": string(modelContent(3, 600_000)), "d.bin": string(modelContent(4, 3000)), "c/a/b": "x", "c/a/c": "y",
		"their": "their first",
	}
	w.repo.Commit("main", "start", files)
	for p, c := range files {
		p = filepath.Join(w.disk, p)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(p, []byte(c), 0o644); err != nil {
			return nil, err
		}
	}
	w.config = daemonIn(w.hub, dir, modelRepo)
	go w.watch()
	return w, nil
}

// watch frees a step that hangs.
func (w *modelWorld) watch() {
	last, since := int64(-1), time.Now()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-w.stop:
			return
		case <-tick.C:
		}
		if n := w.steps.Load(); n != last {
			last, since = n, time.Now()
			continue
		}
		if d := w.daemon; d != nil && time.Since(since) > hangs {
			w.hung.Store(true)
			d.abort()
			return
		}
	}
}

// end leaves nothing behind.
func (w *modelWorld) end() (err error) {
	if w.running != nil {
		<-w.running.done
	}
	w.closeAll()
	close(w.stop)
	if w.daemon != nil {
		err = w.daemon.end()
	}
	return errors.Join(err, w.hub.Close())
}

func (w *modelWorld) closeAll() {
	for i := range w.handles {
		w.close(i)
	}
	w.unmapAll()
	w.listing.close()
	w.listing = nil
}

// both does the same to the plain directory and to the mount, in this order,
// and compares what comes of it.
func (w *modelWorld) both(what string, do func(root string) string) string {
	want := do(w.disk)
	got := do(w.mnt)
	if got != want {
		diverge("%s: %s, want %s", what, got, want)
	}
	return want
}

// errText is the errno by name.
func errText(err error) string {
	if err == nil {
		return "ok"
	}
	var errno unix.Errno
	if errors.As(err, &errno) {
		return unix.ErrnoName(errno)
	}
	return err.Error()
}

// inode is the number of the plain file at a path, 0 if there is none.
func (w *modelWorld) inode(p string) uint64 {
	var st unix.Stat_t
	if unix.Stat(filepath.Join(w.disk, p), &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return 0
	}
	return st.Ino
}

// files are the plain files by path, each with the names its content may have
// on the Hub.
func (w *modelWorld) files() map[string]blobNames {
	out := map[string]blobNames{}
	err := filepath.WalkDir(w.disk, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(w.disk, p)
		out[rel] = namesOf(b)
		return err
	})
	w.must("walk the plain directory", err)
	return out
}

// blobNames are a content's git and LFS names.
type blobNames struct{ git, lfs string }

func namesOf(b []byte) blobNames {
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00", len(b))
	h.Write(b)
	s := sha256.Sum256(b)
	return blobNames{hex.EncodeToString(h.Sum(nil)), hex.EncodeToString(s[:])}
}

func (n blobNames) is(f hubtest.File) bool {
	if f.LFS {
		return f.OID == n.lfs
	}
	return f.OID == n.git
}

// onHub are the files of a commit that the model knows: not what the Hub adds.
func (w *modelWorld) onHub(rev string) map[string]hubtest.File {
	files := maps.Clone(w.repo.Files(rev))
	delete(files, ".gitattributes")
	return files
}

// put makes a plain file's content what a commit has, as another file: who has
// the old one open keeps it.
func (w *modelWorld) put(p string, content []byte) {
	full := filepath.Join(w.disk, p)
	w.must("mkdir", os.MkdirAll(filepath.Dir(full), 0o755))
	w.must("put", os.WriteFile(filepath.Join(w.dir, "new"), content, 0o644))
	w.must("put", os.Rename(filepath.Join(w.dir, "new"), full))
}

// detach gives a name a plain file of its own, with the same bytes: on the
// mount a committed file that is edited becomes another one.
func (w *modelWorld) detach(p string) {
	full := filepath.Join(w.disk, p)
	var st unix.Stat_t
	w.must("detach", unix.Stat(full, &st))
	b, err := os.ReadFile(full)
	w.must("detach", err)
	temp := filepath.Join(w.dir, "new")
	w.must("detach", os.WriteFile(temp, b, 0o600))
	w.must("detach", os.Chmod(temp, os.FileMode(st.Mode&0o777)))
	w.must("detach", unix.UtimesNanoAt(unix.AT_FDCWD, temp, []unix.Timespec{st.Atim, st.Mtim}, 0))
	w.must("detach", os.Rename(temp, full))
	w.known[w.inode(p)] = w.known[st.Ino]
	w.detached[st.Ino] = true
	w.count.detached++
}

// beforeEdit does to the plain file what an edit of a committed file means:
// the name gets a file of its own. That is seen only by those who have the old
// one open.
func (w *modelWorld) beforeEdit(p string) {
	ino := w.inode(p)
	if ino == 0 {
		return
	}
	others := false
	for _, h := range w.handles {
		if h == nil || h.ino != ino {
			continue
		}
		others = true
		if h.writes() && !h.orphan {
			return // it is staged, and no commit can have it
		}
	}
	if slices.ContainsFunc(w.maps, func(m *modelMap) bool { return m.ino == ino && m.shared }) {
		return
	}
	if !others {
		return
	}
	if w.running != nil || w.unsettled {
		// A commit may have it, or not: both is right.
		for i, h := range w.handles {
			if h != nil && h.ino == ino {
				w.close(i)
			}
		}
		return
	}
	info, err := w.daemon.info(p)
	w.must("info "+p, err)
	if !info.Staged {
		w.detach(p)
	}
}

// parents are the directories on the way to a path.
func parents(p string) (out []string) {
	for d := path.Dir(p); d != "."; d = path.Dir(d) {
		out = append(out, d)
	}
	return out
}
