package fs

import (
	"encoding/json"
	"errors"
	"fmt"
	iofs "io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
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

// A badDisk is where a state directory lies that is to fail.
type badDisk struct {
	dir      string
	arm      func(*mountFault) // nil ends it
	powerCut func() error      // while nothing on it is in use
	hit      func() []string   // what failed
	abort    func()
}

func (d *faultDisk) bad() badDisk {
	return badDisk{dir: d.mnt, arm: d.arm, powerCut: d.powerCut, hit: d.hit, abort: d.abort}
}

func (d *faultDisk) hit() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.hits)
}

func (d *faultDisk) abort() {
	d.arm(nil)
	unix.Unmount(d.mnt, unix.MNT_FORCE|unix.MNT_DETACH)
}

// A fullDisk is a small real file system, which a file of no use fills up.
type fullDisk struct {
	path, image string // image "" = tmpfs
	full        bool
	err         error
}

func (d *fullDisk) bad() badDisk {
	return badDisk{dir: filepath.Join(d.path, "state"), arm: d.arm, powerCut: d.powerCut, hit: d.hit, abort: func() {}}
}

func (d *fullDisk) hit() []string {
	if d.full {
		return []string{"no space"}
	}
	return nil
}

func (d *fullDisk) arm(f *mountFault) {
	ballast := filepath.Join(d.path, "ballast")
	if f == nil {
		if err := os.Remove(ballast); err != nil && !os.IsNotExist(err) {
			d.err = err
		}
		return
	}
	w, err := os.Create(ballast)
	if err != nil {
		d.err = err
		return
	}
	defer w.Close()
	for size := 64 << 10; size >= 512; { // to the last block
		if _, err := w.Write(make([]byte, size)); err != nil {
			size /= 2
			d.full = d.full || errors.Is(err, syscall.ENOSPC)
		}
	}
	unix.Fsync(int(w.Fd()))
}

func (d *fullDisk) mount() error {
	if d.image == "" {
		return unix.Mount("tmpfs", d.path, "tmpfs", 0, "mode=700,size=6m")
	}
	if out, err := exec.Command("mount", "-o", "loop", d.image, d.path).CombinedOutput(); err != nil {
		return fmt.Errorf("mount: %w: %s", err, out)
	}
	return nil
}

func (d *fullDisk) powerCut() error {
	if d.err != nil || d.image == "" {
		return d.err
	}
	if err := d.close(); err != nil {
		return err
	}
	return d.mount()
}

// close: for a moment after a kill files may still be open.
func (d *fullDisk) close() error {
	err := unix.Unmount(d.path, 0)
	for try := 0; errors.Is(err, unix.EBUSY) && try < 500; try++ {
		time.Sleep(10 * time.Millisecond)
		err = unix.Unmount(d.path, 0)
	}
	return err
}

func init() {
	// map-and-sync stores through a map, and says what msync and then fsync answer.
	children["map and sync"] = func(args []string) error {
		f, err := os.OpenFile(args[0], os.O_RDWR, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		st, err := f.Stat()
		if err != nil {
			return err
		}
		m, err := unix.Mmap(int(f.Fd()), 0, int(st.Size()), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		if err != nil {
			return err
		}
		copy(m[len(m)/2:], args[1])
		merr := unix.Msync(m, unix.MS_SYNC)
		unix.Munmap(m)
		ferr := f.Sync()
		return json.NewEncoder(os.Stdout).Encode([]uint{uint(errnoOf(merr)), uint(errnoOf(ferr))})
	}
}

// A diskProgram is what uses the mount, with what it was promised.
type diskProgram struct {
	t     *testing.T
	r     *rand.Rand
	mnt   string
	fault mountFault
	armed bool

	acked  map[string]string // by a sync
	unsure map[string]bool   // changed since, or that failed: anything of it may be there
	count  int
	failed int
	told   bool // the daemon itself gave an error
	again  map[*os.File]string
}

func (p *diskProgram) path(name string) string { return filepath.Join(p.mnt, name) }

// wrong looks at an error.
func (p *diskProgram) wrong(what string, err error) {
	p.failed++
	if len(p.again) == 0 && !p.armed && p.failed == 1 {
		p.t.Errorf("%s: %v, and nothing had failed", what, err)
	}
	if e := errnoOf(err); e != p.fault.errno && e != syscall.EIO {
		p.t.Errorf("%s: %v, want %v", what, err, p.fault.errno)
	}
}

// change opens a file and does something with it, and syncs it.
func (p *diskProgram) change(name string, flags int, want string, do func(f *os.File) error) {
	f, err := os.OpenFile(p.path(name), flags, 0o644)
	p.unsure[name] = true
	if err != nil {
		p.told = true
		p.wrong("open "+name, err)
		return
	}
	werr := do(f)
	if werr != nil {
		p.wrong("write "+name, werr)
	}
	if !p.sync(f, name, want, werr == nil) {
		p.sync(f, name, want, werr == nil)
		p.again[f] = name
		return
	}
	if err := f.Close(); err != nil {
		p.t.Errorf("close of what was synced: %v", err)
	}
}

// sync is a promise if it succeeds.
func (p *diskProgram) sync(f *os.File, name, want string, sure bool) bool {
	if err := f.Sync(); err != nil {
		p.told = true
		p.wrong("fsync "+name, err)
		return false
	}
	if !sure {
		b, err := os.ReadFile(p.path(name))
		if err != nil {
			p.wrong("read "+name, err)
			return true
		}
		want = string(b)
	}
	p.acked[name] = want
	delete(p.unsure, name)
	return true
}

func (p *diskProgram) syncDir() bool {
	d, err := os.Open(p.mnt)
	must(p.t, err)
	defer d.Close()
	if err := d.Sync(); err != nil {
		p.told = true
		p.wrong("fsync of the directory", err)
		return false
	}
	return true
}

// sure are the names with content that is known.
func (p *diskProgram) sure() (names []string) {
	for name := range p.acked {
		if !p.unsure[name] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (p *diskProgram) text(size int) string {
	p.count++
	return fmt.Sprintf("%d:", p.count) + noise(size+p.count)
}

func (p *diskProgram) step() {
	names := p.sure()
	op := p.r.IntN(9)
	if len(names) == 0 {
		op = 0
	}
	text := p.text(1 + p.r.IntN(20000))
	write := func(f *os.File) error { _, err := f.WriteString(text); return err }
	if op < 2 {
		name := fmt.Sprintf("f%d.bin", p.count)
		if op == 1 {
			name = fmt.Sprintf("big%d.bin", p.count)
			text += noise(300_000)
		}
		p.change(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, text, write)
		return
	}
	name := names[p.r.IntN(len(names))]
	old := p.acked[name]
	switch op {
	case 2:
		p.change(name, os.O_WRONLY|os.O_APPEND, old+text, write)
	case 3:
		at := p.r.IntN(len(old) + 1)
		p.change(name, os.O_RDWR, writeAt(old, at, text), func(f *os.File) error { _, err := f.WriteAt([]byte(text), int64(at)); return err })
	case 4:
		p.change(name, os.O_RDWR|os.O_TRUNC, text, write)
	case 5:
		size := p.r.IntN(len(old) + 1)
		p.change(name, os.O_RDWR, old[:size], func(f *os.File) error { return f.Truncate(int64(size)) })
	case 6:
		to := "r" + name
		p.unsure[name], p.unsure[to] = true, true
		if err := os.Rename(p.path(name), p.path(to)); err != nil {
			p.told = true
			p.wrong("rename", err)
		} else if p.syncDir() {
			delete(p.acked, name)
			p.acked[to] = old
			delete(p.unsure, to)
		}
	case 7:
		p.unsure[name] = true
		if err := os.Remove(p.path(name)); err != nil {
			p.told = true
			p.wrong("unlink", err)
		} else if p.syncDir() {
			delete(p.acked, name)
		}
	case 8:
		p.mapped(name, old, text)
	}
}

// mapped stores by a map in another process.
func (p *diskProgram) mapped(name, old, text string) {
	if len(old) == 0 {
		return
	}
	p.unsure[name] = true
	text = text[:min(len(text), len(old)-len(old)/2)]
	text = strings.ToValidUTF8(strings.ReplaceAll(text[:min(len(text), 3000)], "\x00", "0"), "u")
	text = text[:min(len(text), len(old)-len(old)/2)]
	cmd := child(p.t, "map and sync", p.path(name), text)
	cmd.Env = append(cmd.Env, "GORACE=atexit_sleep_ms=0")
	out, err := cmd.Output()
	if err != nil {
		p.failed++ // it could not open it
		return
	}
	var errnos []syscall.Errno
	must(p.t, json.Unmarshal(out, &errnos))
	if errnos[0] != 0 {
		p.wrong("msync", errnos[0])
	}
	if errnos[1] != 0 {
		p.wrong("fsync of a map", errnos[1])
	}
	if errnos[0] != 0 && errnos[1] == 0 {
		p.t.Errorf("msync failed with %v, and the fsync after it did not", errnos[0])
	}
	if errnos[0] == 0 && errnos[1] == 0 {
		p.acked[name] = writeAt(old, len(old)/2, text)
		delete(p.unsure, name)
	}
}

func (p *diskProgram) over() {
	for f, name := range p.again {
		if b, err := os.ReadFile(p.path(name)); err == nil {
			p.sync(f, name, string(b), true)
		}
		f.Close()
	}
}

// check compares what a mount shows with what was promised, and gives all of it.
func (p *diskProgram) check(when string) map[string]string {
	got := map[string]string{}
	err := filepath.WalkDir(p.mnt, func(path string, e iofs.DirEntry, err error) error {
		name, _ := filepath.Rel(p.mnt, path)
		if err != nil || e.IsDir() && name == ".hubfs" {
			return errors.Join(err, filepath.SkipDir)
		}
		if e.IsDir() || name == ".gitattributes" {
			return nil
		}
		b, err := os.ReadFile(path)
		got[name] = string(b)
		return err
	})
	if err != nil {
		p.t.Errorf("%s: %v", when, err)
	}
	p.promised(when, got)
	return got
}

func (p *diskProgram) promised(when string, got map[string]string) {
	want, have := map[string]string{}, map[string]string{}
	for name, text := range p.acked {
		if !p.unsure[name] {
			want[name] = text
		}
	}
	for name, text := range got {
		if !p.unsure[name] {
			have[name] = text
		}
	}
	if d := cmp.Diff(short(want), short(have)); d != "" {
		p.t.Errorf("%s (-promised +there):\n%s", when, d)
	}
}

// diskRound is one fault. It gives how many operations failed.
func diskRound(t *testing.T, hub *hubtest.Hub, r *rand.Rand, n int, disk badDisk, fault mountFault, noPassthrough bool) (failed int) {
	dir := t.TempDir()
	repo := fmt.Sprintf("me/d%d", n)
	start := map[string]string{"c1.bin": noise(3000), "c2.bin": noise(70_000)}
	hub.Repo(repo).Commit("main", "start", start)
	commits := len(hub.Repo(repo).Log("main"))
	c := daemonIn(hub, dir, repo)
	c.State, c.NoPassthrough = filepath.Join(disk.dir, fmt.Sprintf("s%d", n)), noPassthrough
	must(t, os.Mkdir(c.Mnt, 0o755))
	defer func() {
		if t.Failed() {
			t.Logf("failed: %q", disk.hit())
			c.showLog(t)
		}
	}()
	d, err := startDaemon(c)
	must(t, err)
	defer func() { d.kill() }()
	watchdog := time.AfterFunc(30*time.Second, func() { t.Error("it hangs"); d.abort(); disk.abort() })
	defer watchdog.Stop()
	p := &diskProgram{t: t, r: r, mnt: c.Mnt, fault: fault, acked: map[string]string{}, unsure: map[string]bool{}, again: map[*os.File]string{}}
	for name, text := range start {
		p.acked[name] = text
	}
	for range 4 {
		p.step()
	}
	if p.failed > 0 {
		t.Fatal("before the fault")
	}
	p.armed = true
	disk.arm(&fault)
	for range 10 {
		p.step()
	}
	disk.arm(nil)
	p.armed = false
	p.over()
	during := p.failed
	p.check("with the fault over")

	// It goes on.
	if err := os.WriteFile(p.path("after.bin"), []byte("after"), 0o644); err != nil {
		t.Errorf("the fault is over: %v", err)
	}
	p.unsure["after.bin"] = true
	f, err := os.OpenFile(p.path("after.bin"), os.O_RDWR, 0)
	must(t, err)
	sticky := slices.ContainsFunc(disk.hit(), func(s string) bool { return strings.HasPrefix(s, "fsyncdir") && strings.HasSuffix(s, "/files") })
	if err := f.Sync(); err == nil {
		p.acked["after.bin"] = "after"
		delete(p.unsure, "after.bin")
	} else if !sticky {
		t.Errorf("the fault is over, and a new file cannot be synced: %v", err)
	}
	f.Close()
	var st Status
	must(t, json.Unmarshal([]byte(read(t, p.path(".hubfs/status"))), &st))
	if p.told && len(st.Errors) == 0 {
		t.Error("the status tells of no error")
	}
	if want := "yes"; !noPassthrough && st.Passthrough != want {
		t.Errorf("passthrough: %s", st.Passthrough)
	}
	if r.IntN(2) == 0 {
		d.kill()
	} else if err := d.end(); err != nil {
		t.Error(err)
	}
	must(t, disk.powerCut())

	d, err = startDaemon(c)
	must(t, err)
	got := p.check("after a power cut")
	if o := d.sync(SyncRequest{All: true}); !o.done || o.failed.Type != "" || o.err != nil {
		t.Errorf("sync: %v", o)
	}
	have := filesOf(hub.Repo(repo))
	p.promised("on the Hub", have)
	if d := cmp.Diff(short(got), short(have)); d != "" {
		t.Errorf("the Hub (-shown +there):\n%s", d)
	}
	if n := len(hub.Repo(repo).Log("main")); n != commits+1 {
		t.Errorf("%d commits", n-commits)
	}
	if err := d.end(); err != nil {
		t.Error(err)
	}
	return during
}

// TestProofDiskFaultsMount has a program work on a mount whose state directory lies
// on a disk that fails, or is full, for a while, and then loses power: what a sync
// was answered for is there, whatever had failed before.
func TestProofDiskFaultsMount(t *testing.T) {
	needRoot(t)
	r := proof.Rand(proof.Seed(t))
	hub := startHub(t)
	want, rounds, hits, failed := proof.N(8, 100, 1000), 0, 0, 0
	kinds := map[string]bool{}
	offset := r.IntN(1 << 16)
	for i := range want {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			fault := mountFault{op: mountFaultOps[(i+offset)%len(mountFaultOps)], errno: []syscall.Errno{syscall.EIO, syscall.ENOSPC}[r.IntN(2)], n: 1 + r.IntN(3), stays: r.IntN(2) == 0, short: r.IntN(2) == 0}
			if fault.op == "write" || fault.op == "fsync" { // the others are of few files
				fault.only = []string{"files", "journal", "files", ""}[r.IntN(4)]
			}
			disk, isReal := newBadDisk(t, i)
			if isReal {
				fault = mountFault{op: "full", errno: syscall.ENOSPC}
			}
			n := diskRound(t, hub, r, i, disk, fault, i/2%2 == 0)
			rounds++
			failed += n
			if len(disk.hit()) > 0 {
				hits++
			}
			for _, h := range disk.hit() {
				kinds[fmt.Sprintf("%v of %s", fault.errno, strings.Fields(h)[0])] = true
			}
			if t.Failed() {
				t.Log(fault)
			}
		})
	}
	if rounds < want || hits < want/3 || failed == 0 {
		t.Errorf("%d rounds with %d faults that were met, want %d", rounds, hits, want)
	}
	proof.Say(t, "%d mounts, a fault met in %d, of %d kinds; %d calls failed", rounds, hits, len(kinds), failed)
}

// newBadDisk: of four one is a real one that is full.
func newBadDisk(t *testing.T, i int) (d badDisk, isReal bool) {
	if i%4 != 3 {
		return newFaultDisk(t, i%3 == 0).bad(), false
	}
	dir := t.TempDir()
	f := &fullDisk{path: filepath.Join(dir, "disk")}
	must(t, os.Mkdir(f.path, 0o700))
	if i%8 == 3 {
		f.image = filepath.Join(dir, "image")
		must(t, os.WriteFile(f.image, nil, 0o600))
		must(t, os.Truncate(f.image, 16<<20))
		if out, err := exec.Command("mkfs.ext4", "-q", f.image).CombinedOutput(); err != nil {
			proof.Missing(t, "needs mkfs.ext4:", err, string(out))
		}
	}
	if err := f.mount(); err != nil {
		proof.Missing(t, "needs a small disk:", err)
	}
	t.Cleanup(func() {
		if err := f.close(); err != nil {
			t.Error(err)
			unix.Unmount(f.path, unix.MNT_DETACH)
		}
	})
	return f.bad(), true
}

func newFaultDisk(t *testing.T, writeback bool) *faultDisk {
	dir := t.TempDir()
	d := &faultDisk{lower: filepath.Join(dir, "lower"), mnt: filepath.Join(dir, "disk"), writeback: writeback}
	must(t, os.Mkdir(d.lower, 0o700))
	must(t, os.Mkdir(d.mnt, 0o700))
	must(t, d.mount())
	t.Cleanup(func() {
		if err := d.srv.Unmount(); err != nil {
			t.Error(err)
			d.abort()
		}
	})
	return d
}
