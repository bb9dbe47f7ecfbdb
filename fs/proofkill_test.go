package fs

import (
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hubfs/hubfs/integration/proof"
	"github.com/hubfs/hubfs/remote/hubtest"
	"golang.org/x/sys/unix"
)

// A caller is a program that works on a mount whose daemon is killed, with what
// it knows to be there.
type caller struct {
	t     *testing.T
	r     *rand.Rand
	mnt   string
	files map[string]*string
	open  map[*os.File]*string
	count int

	failed map[string]*string     // whose text the names of the last step's after have
	part   func(text string) bool // whether a text is what a part of the last write makes
}

// view is what is there by what was answered.
func (c *caller) view() map[string]string {
	v := make(map[string]string, len(c.files))
	for name, text := range c.files {
		v[name] = *text
	}
	return v
}

func (c *caller) pick(names []string) string { return names[c.r.IntN(len(names))] }

// step makes one system call that changes something. If it fails, after is what
// there would be if it had been done all the same.
func (c *caller) step() (after map[string]string, err error) {
	c.count++
	have := slices.Sorted(maps.Keys(c.files))
	fresh := c.pick([]string{"", "d/"}) + fmt.Sprintf("f%d.bin", c.count)
	path := func(name string) string { return filepath.Join(c.mnt, name) }
	handles := make([]*os.File, 0, len(c.open))
	for f := range c.open {
		handles = append(handles, f)
	}
	slices.SortFunc(handles, func(a, b *os.File) int { return strings.Compare(a.Name(), b.Name()) })
	var do func() error
	var apply func()
	var made *os.File
	part := func(string) bool { return false }
	switch op := c.r.IntN(10); {
	case len(have) == 0 || len(handles) == 0 || op == 0 && len(handles) < 4:
		text := new(string)
		do = func() (err error) {
			made, err = os.OpenFile(path(fresh), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
			return err
		}
		apply = func() { c.files[fresh] = text; c.open[made] = text }
	case op < 6:
		f := handles[c.r.IntN(len(handles))]
		old := c.open[f]
		at, data := c.r.IntN(len(*old)+1), noise(1+c.r.IntN(6000))
		b, was := writeAt(*old, at, data), *old
		part = func(text string) bool {
			for n := range data {
				if text == writeAt(was, at, data[:n]) {
					return true
				}
			}
			return false
		}
		do = func() error { _, err := f.WriteAt([]byte(data), int64(at)); return err }
		apply = func() { *old = b }
	case op == 6:
		f := handles[c.r.IntN(len(handles))]
		old := c.open[f]
		size := c.r.IntN(len(*old) + 1)
		do = func() error { return f.Truncate(int64(size)) }
		apply = func() { *old = (*old)[:size] }
	case op == 7:
		name := c.pick(have)
		do = func() error { return os.Rename(path(name), path(fresh)) }
		apply = func() { c.files[fresh] = c.files[name]; delete(c.files, name) }
	case op == 8:
		name := c.pick(have)
		do = func() error { return os.Remove(path(name)) }
		apply = func() { delete(c.files, name) }
	default:
		f := handles[c.r.IntN(len(handles))]
		do, apply = f.Sync, func() {}
	}
	if err = do(); err == nil {
		apply()
		return nil, nil
	}
	was, texts := maps.Clone(c.files), make(map[*string]string)
	for _, p := range c.files {
		texts[p] = *p
	}
	for _, p := range c.open {
		texts[p] = *p
	}
	apply()
	delete(c.open, nil)
	after, c.failed, c.part = c.view(), c.files, part
	c.files = was
	for p, text := range texts {
		*p = text
	}
	return after, err
}

// writeAt is what a write makes of a text.
func writeAt(text string, at int, data string) string {
	b := append([]byte(text), make([]byte, max(0, at+len(data)-len(text)))...)
	copy(b[at:], data)
	return string(b)
}

// killRound starts a daemon, works on its mount, kills it at some point of that,
// mounts again, and compares.
func killRound(t *testing.T, hub *hubtest.Hub, r *rand.Rand, n int, passthrough bool) {
	dir := t.TempDir()
	repo := fmt.Sprintf("me/k%d", n)
	hub.Repo(repo).Commit("main", "start", map[string]string{"d/keep": "k", "committed.bin": noise(3000)})
	c := daemonIn(hub, dir, repo)
	c.NoPassthrough = !passthrough
	must(t, os.Mkdir(c.Mnt, 0o755))
	d := must1(startDaemon(c))(t)
	t.Cleanup(d.kill)
	defer func() {
		if t.Failed() {
			c.showLog(t)
		}
	}()
	w := &caller{t: t, r: r, mnt: c.Mnt, files: map[string]*string{}, open: map[*os.File]*string{}}
	for name, text := range filesOf(hub.Repo(repo)) {
		w.files[name] = &text
	}
	at, spin := 1+r.IntN(60), r.IntN(4000)
	dead := make(chan error)
	var after map[string]string
	for i := 0; after == nil && i < 1000; i++ {
		if i == at {
			go func() {
				for range spin {
					runtime.Gosched()
				}
				dead <- d.cmd.Process.Kill()
			}()
		}
		var err error
		if after, err = w.step(); err != nil && i < at {
			t.Fatalf("before the kill: %v", err)
		} else if err != nil && !errors.Is(err, syscall.ENOTCONN) && !errors.Is(err, syscall.ECONNABORTED) && !errors.Is(err, syscall.EIO) {
			t.Errorf("a call that the daemon did not live to answer: %v", err)
		}
	}
	must(t, <-dead)
	d.cmd.Wait()
	// What is open by passthrough goes on.
	for f, text := range w.open {
		if n, err := f.WriteAt([]byte("after all"), int64(len(*text))); err == nil && n == 9 {
			for name, p := range w.failed {
				if p == text {
					after[name] = writeAt(after[name], len(*text), "after all")
				}
			}
			*text += "after all"
		}
		f.Close()
	}
	must(t, unix.Unmount(c.Mnt, unix.MNT_DETACH))
	f := mountHub(t, opts{Options: Options{noPassthrough: !passthrough}, Repo: repo, Cache: c.Cache, State: c.State, Use: hub})
	got := make(map[string]string)
	must(t, filepath.WalkDir(f.mnt, func(p string, e os.DirEntry, err error) error {
		name, _ := filepath.Rel(f.mnt, p)
		if err != nil || e.IsDir() && name == ".hubfs" {
			return errors.Join(err, filepath.SkipDir)
		}
		if !e.IsDir() && name != ".gitattributes" {
			got[name] = read(t, p)
		}
		return nil
	}))
	want := w.view()
	// The daemon may have been in the middle of a write, as any process may.
	for name, text := range got {
		if after[name] != want[name] && w.part(text) {
			after[name] = text
		}
	}
	if !cmp.Equal(want, got) && !cmp.Equal(after, got) {
		t.Errorf("killed at call %d of %d (-want +got):\n%s", at, w.count, cmp.Diff(short(want), short(got)))
		return
	}
	f.commit()
	if d := cmp.Diff(short(got), short(filesOf(hub.Repo(repo)))); d != "" {
		t.Errorf("the Hub (-want +got):\n%s", d)
	}
	if n := len(hub.Repo(repo).Log("main")); n > 3 {
		t.Errorf("%d commits", n)
	}
}

// short makes long texts comparable at sight.
func short(m map[string]string) map[string]string {
	s := make(map[string]string, len(m))
	for name, text := range m {
		s[name] = fmt.Sprintf("%d bytes, %08x", len(text), crc32.ChecksumIEEE([]byte(text)))
	}
	return s
}

// TestProofKillMount kills the daemon of a mount at random points of what a
// program does on it, with passthrough and without: what had returned is there
// at the next mount, and what was open by passthrough goes on.
func TestProofKillMount(t *testing.T) {
	needRoot(t)
	r := proof.Rand(proof.Seed(t))
	hub := startHub(t)
	want, n := proof.N(4, 70, 600), 0
	for i := range want {
		passthrough := i%2 == 0
		t.Run(fmt.Sprintf("%d", i), func(t *testing.T) {
			watchdog := time.AfterFunc(time.Minute, func() { panic("it hangs") })
			defer watchdog.Stop()
			if passthrough {
				needRoot(t)
			}
			killRound(t, hub, r, i, passthrough)
			n++
		})
	}
	if n < want {
		t.Errorf("%d kills, want %d", n, want)
	}
	proof.Say(t, "%d daemons killed, with passthrough and without in turn", n)
}
