package fs

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hubfs/hubfs/integration/proof"
	"golang.org/x/sys/unix"
)

// Contents that describe themselves: a head with an id and the length of the
// rest, which the id decides. So a reader sees when bytes of two versions are
// mixed, or some are missing.

const stressHead = 32

func stressContent(id uint64) []byte {
	n := int64(id>>8) % (24 << 10)
	if id%37 == 0 {
		n = 300_000
	}
	return append(fmt.Appendf(nil, "%016x %014d\n", id, n), modelContent(id, n)...)
}

// stressCheck is nil if b is one version, whole.
func stressCheck(b []byte) error {
	if len(b) < stressHead {
		return fmt.Errorf("%d bytes", len(b))
	}
	id, err := strconv.ParseUint(string(b[:16]), 16, 64)
	if err != nil {
		return fmt.Errorf("head %q", b[:stressHead])
	}
	if want := stressContent(id); !bytes.Equal(b, want) {
		return fmt.Errorf("%d bytes that are not those of %016x (%d)", len(b), id, len(want))
	}
	return nil
}

var stressNames = []string{"a", "b", "c.bin", "d/a", "d/b.bin", "d/e/a", "e/a"}

// A stress is a process that works on the tree. It tells at its end what it did.
func init() {
	children["stress"] = func(args []string) error {
		seed, err := strconv.ParseUint(args[1], 0, 64)
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(args[2])
		if err != nil {
			return err
		}
		me := args[3]
		var wg sync.WaitGroup
		var mu sync.Mutex
		var failed error
		for i := range 2 {
			wg.Go(func() {
				s := &stress{root: args[0], me: fmt.Sprintf("%s.%d", me, i), r: rand.New(rand.NewPCG(seed, uint64(i)))}
				err := s.run(n / 2)
				mu.Lock()
				failed = errors.Join(failed, err)
				mu.Unlock()
			})
		}
		wg.Wait()
		return failed
	}
}

type stress struct {
	root, me string
	r        *rand.Rand
	step     int
	log      string // how many lines it has appended
}

// What a step may be answered when others are at the same names.
var stressExpected = []error{unix.ENOENT, unix.EEXIST, unix.ENOTDIR, unix.EISDIR, unix.ENOTEMPTY, unix.EINVAL}

func (s *stress) run(n int) error {
	for s.step = range n {
		what, err := s.one()
		if err == nil {
			continue
		}
		ok := false
		for _, e := range stressExpected {
			ok = ok || errors.Is(err, e)
		}
		if !ok {
			return fmt.Errorf("%s, step %d: %s: %w", s.me, s.step, what, err)
		}
	}
	return nil
}

func (s *stress) path() string {
	return filepath.Join(s.root, stressNames[s.r.IntN(len(stressNames))])
}

func (s *stress) one() (string, error) {
	switch n := s.r.IntN(20); {
	case n < 6:
		return "save", s.save(s.path())
	case n < 11:
		p := s.path()
		b, err := os.ReadFile(p)
		if err == nil {
			if err = stressCheck(b); err != nil {
				return "read " + p, fmt.Errorf("%s: %w", p, err)
			}
		}
		return "read " + p, err
	case n < 12:
		return "unlink", os.Remove(s.path())
	case n < 14:
		return "rename", os.Rename(s.path(), s.path())
	case n < 15:
		return "exchange", unix.Renameat2(unix.AT_FDCWD, s.path(), unix.AT_FDCWD, s.path(), unix.RENAME_EXCHANGE)
	case n < 16:
		d := filepath.Join(s.root, "d")
		if s.r.IntN(2) == 0 {
			return "rename directory", os.Rename(filepath.Join(d, "e"), filepath.Join(s.root, "e", "e"))
		}
		return "rename directory", os.Rename(filepath.Join(s.root, "e", "e"), filepath.Join(d, "e"))
	case n < 17:
		return "readdir", s.readdir()
	case n < 18:
		_, err := os.Stat(s.path())
		return "stat", err
	case n < 19:
		return "append", s.append()
	default:
		return "edit", s.edit()
	}
}

// save is how programs save: beside, then by rename.
func (s *stress) save(p string) error {
	os.MkdirAll(filepath.Dir(p), 0o755)
	temp := filepath.Join(s.root, ".tmp-"+s.me)
	if err := os.WriteFile(temp, stressContent(s.r.Uint64()), 0o644); err != nil {
		return err
	}
	if s.r.IntN(4) == 0 {
		f, err := os.Open(temp)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return os.Rename(temp, p)
}

func (s *stress) readdir() error {
	list, err := os.ReadDir(filepath.Join(s.root, "d"))
	seen := map[string]bool{}
	for _, e := range list {
		if seen[e.Name()] {
			return fmt.Errorf("%s is listed twice", e.Name())
		}
		seen[e.Name()] = true
	}
	return err
}

// append adds to a log that all of them write, and to one of its own.
func (s *stress) append() error {
	line := fmt.Sprintf("%s %d\n", s.me, s.step)
	for _, name := range []string{"log", "log-" + s.me} {
		f, err := os.OpenFile(filepath.Join(s.root, name), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
		if err != nil {
			return fmt.Errorf("append to %s: %w", name, notExpected{err})
		}
		_, err = f.WriteString(line)
		if err = errors.Join(err, f.Close()); err != nil {
			return notExpected{err}
		}
	}
	s.log += line
	b, err := os.ReadFile(filepath.Join(s.root, "log-"+s.me))
	if err != nil || string(b) != s.log {
		return notExpected{fmt.Errorf("its own log has %d bytes, want %d, %v", len(b), len(s.log), err)}
	}
	return nil
}

// notExpected hides that an error is one of the usual ones.
type notExpected struct{ err error }

func (e notExpected) Error() string { return e.err.Error() }

// edit rewrites a file of its own in place, and reads it back.
func (s *stress) edit() error {
	p := filepath.Join(s.root, "own-"+s.me)
	want := stressContent(s.r.Uint64())
	f, err := os.OpenFile(p, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return notExpected{err}
	}
	defer f.Close()
	if err := f.Truncate(int64(len(want))); err != nil {
		return notExpected{err}
	}
	for off := 0; off < len(want); off += 7000 {
		if _, err := f.WriteAt(want[off:min(off+7000, len(want))], int64(off)); err != nil {
			return notExpected{err}
		}
	}
	b, err := os.ReadFile(p)
	if err != nil || !bytes.Equal(b, want) {
		return notExpected{fmt.Errorf("its own file has %d bytes, want %d, %v", len(b), len(want), err)}
	}
	return nil
}

// TestProofConcurrent lets processes work on one small tree, while a colleague
// commits and commits are made all the time. In the end the Hub has what a reader
// sees, and the daemon has let go of everything.
func TestProofConcurrent(t *testing.T) {
	needRoot(t)
	unix.Umask(0o022)
	seed := proof.Seed(t)
	rounds := proof.N(1, 2, 20)
	steps := proof.N(150, 1500, 8000)
	var sum stressCounts
	for i := range rounds {
		stressRound(t, seed+uint64(i), steps, i%2 == 1, &sum)
		if t.Failed() {
			return
		}
	}
	proof.Say(t, "%d steps of %d processes, %d commits, %d of others, %d files compared, nothing left open",
		sum.steps, rounds*stressProcesses, sum.commits, sum.theirs.Load(), sum.files)
	if sum.commits == 0 || sum.files == 0 {
		t.Errorf("tried too little: %+v", &sum)
	}
}

type stressCounts struct {
	steps, commits, files int
	theirs                atomic.Int64
}

const stressProcesses = 8

func stressRound(t *testing.T, seed uint64, steps int, noPassthrough bool, sum *stressCounts) {
	dir := t.TempDir()
	w, err := newModelWorld(dir)
	must(t, err)
	defer func() {
		if err := w.end(); err != nil {
			t.Error(err)
		}
	}()
	w.config.NoPassthrough = noPassthrough
	w.daemon, err = startDaemon(w.config)
	must(t, err)
	if err := os.RemoveAll(filepath.Join(w.mnt, "a")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"b", "c", "d.bin"} {
		must(t, os.RemoveAll(filepath.Join(w.mnt, name)))
	}
	must(t, os.WriteFile(filepath.Join(w.mnt, "a"), stressContent(seed), 0o644))
	if out := w.daemon.sync(SyncRequest{All: true, CommitOptions: CommitOptions{Wait: "10s"}}); !out.done {
		t.Fatal(out)
	}
	fds, before, theirs := descriptors(t, w.daemon), len(w.repo.Log("main")), sum.theirs.Load()

	stop := make(chan struct{})
	var commits sync.WaitGroup
	commits.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			w.steps.Add(1)
			out := w.daemon.sync(SyncRequest{All: true, CommitOptions: CommitOptions{Wait: "0s", Force: true}})
			moved := out.failed.Code == "conflict" && len(out.failed.Paths) == 0 // the branch was too quick
			if out.err != nil || !out.done && !moved {
				t.Errorf("a commit while the processes work: %v", out)
				return
			}
		}
	})
	commits.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Millisecond):
			}
			w.repo.Commit("main", "theirs", map[string]string{fmt.Sprintf("x/%d", i%5): string(stressContent(uint64(i)))})
			sum.theirs.Add(1)
		}
	})
	var work sync.WaitGroup
	for i := range stressProcesses {
		cmd := child(t, "stress", w.mnt, fmt.Sprint(seed+uint64(i)<<32), fmt.Sprint(steps), fmt.Sprint(i))
		var out bytes.Buffer
		cmd.Stderr = &out
		must(t, cmd.Start())
		work.Go(func() {
			if err := cmd.Wait(); err != nil {
				t.Errorf("%v: %s", err, out.Bytes())
			}
		})
	}
	work.Wait()
	close(stop)
	commits.Wait()
	sum.steps += steps * stressProcesses
	if t.Failed() {
		w.config.showLog(t)
		return
	}
	for range 3 { // what came meanwhile, then what others did, then nothing
		if out := w.daemon.sync(SyncRequest{All: true, CommitOptions: CommitOptions{Wait: "10s", Force: true}}); !out.done || len(out.result.Busy) > 0 {
			t.Fatal(out)
		}
	}
	st, err := w.daemon.status()
	must(t, err)
	for _, s := range st.Staged {
		if s.Op != "mkdir" {
			t.Errorf("still staged: %+v", s)
		}
	}
	sum.commits += len(w.repo.Log("main")) - before - int(sum.theirs.Load()-theirs)
	compareWithHub(t, w, st.Base, sum)
	settled(t, w.daemon, fds)
}

// compareWithHub reads everything on the mount and compares it with the commit
// that the mount is at.
func compareWithHub(t *testing.T, w *modelWorld, base string, sum *stressCounts) {
	seen := map[string]bool{}
	hub := w.onHub(base)
	for p, fi := range walkAll(t, w.mnt) {
		if fi.IsDir() || strings.HasSuffix(p, ".gitattributes") {
			continue
		}
		b, err := os.ReadFile(filepath.Join(w.mnt, p))
		must(t, err)
		seen[p] = true
		if f, ok := hub[p]; !ok || !namesOf(b).is(f) {
			t.Errorf("%s is not what the Hub has (there: %v)", p, ok)
		}
		sum.files++
		if strings.HasPrefix(p, "log-") {
			all := read(t, filepath.Join(w.mnt, "log"))
			for line := range strings.Lines(string(b)) {
				if strings.Count("\n"+all, "\n"+line) != 1 {
					t.Errorf("the common log has %q %d times", line, strings.Count("\n"+all, "\n"+line))
				}
			}
		}
	}
	for p := range hub {
		if !seen[p] {
			t.Errorf("the Hub has %s, the mount does not", p)
		}
	}
}

// descriptors is how many the daemon has open.
func descriptors(t *testing.T, d *daemonProcess) int {
	t.Helper()
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", d.cmd.Process.Pid))
	must(t, err)
	return len(list)
}

// settled checks that the daemon has no more open than before, but for
// connections that it keeps and what the kernel still knows.
func settled(t *testing.T, d *daemonProcess, before int) {
	t.Helper()
	must(t, unix.Mount("", d.mnt, "", unix.MS_REMOUNT|unix.MS_NOSUID|unix.MS_NODEV, ""))
	const kept = 24 // connections, and epoll of them
	if !within(func() bool { return descriptors(t, d) <= before+kept }) {
		list, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", d.cmd.Process.Pid))
		var names []string
		for _, f := range list {
			to, _ := os.Readlink(f)
			names = append(names, to)
		}
		t.Errorf("%d descriptors, %d before: %q", len(list), before, names)
	}
}
