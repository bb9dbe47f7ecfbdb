package fs

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/hubfs/hubfs/integration/proof"
	"golang.org/x/sys/unix"
)

// A flipFile is one file on disk shown as a blobNode shows a blob, whole or not
// as whole says, so that the bookkeeping is tested without anything else.
type flipFile struct {
	fusefs.Inode
	path     string
	backings *backings
	whole    atomic.Bool
	io       ioMode
	reads    atomic.Int64
}

const flipIno = 77

func (n *flipFile) Open(ctx context.Context, flags uint32) (fusefs.FileHandle, uint32, syscall.Errno) {
	f, err := os.Open(n.path)
	if err != nil {
		return nil, 0, syscall.EIO
	}
	h := &flipHandle{n: n, f: f}
	var file func() (*os.File, func())
	if n.whole.Load() {
		file = func() (*os.File, func()) { return f, func() {} }
	}
	h.passthrough = n.io.enter(n.backings, flipIno, file)
	if h.passthrough {
		return h, fuse.FOPEN_PASSTHROUGH, 0
	}
	return h, fuse.FOPEN_KEEP_CACHE, 0
}

func (n *flipFile) Getattr(ctx context.Context, f fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	var st syscall.Stat_t
	if err := syscall.Stat(n.path, &st); err != nil {
		return fusefs.ToErrno(err)
	}
	out.FromStat(&st)
	return 0
}

type flipHandle struct {
	n           *flipFile
	f           *os.File
	passthrough bool
}

func (h *flipHandle) Read(ctx context.Context, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	h.n.reads.Add(1)
	return fuse.ReadResultFd(h.f.Fd(), off, len(dest)), 0
}

func (h *flipHandle) Release(ctx context.Context) syscall.Errno {
	h.n.io.leave(h.n.backings, flipIno, h.passthrough)
	return fusefs.ToErrno(h.f.Close())
}

// flipDir is a root with a flipFile in it.
type flipDir struct {
	fusefs.Inode
	file *flipFile
}

func (d *flipDir) OnAdd(ctx context.Context) {
	d.AddChild("file", d.NewPersistentInode(ctx, d.file, fusefs.StableAttr{Ino: flipIno}), true)
}

// mountFlip mounts one; register, if not nil, stands between us and the kernel.
func mountFlip(t *testing.T, between func(kernel) kernel) (path string, n *flipFile) {
	t.Helper()
	dir := t.TempDir()
	n = &flipFile{path: filepath.Join(dir, "backing"), backings: &backings{}}
	write(t, n.path, noise(1<<20))
	mnt := filepath.Join(dir, "mnt")
	must(t, os.Mkdir(mnt, 0o755))
	o := &fusefs.Options{ExternalNodeID: true, RootStableAttr: &fusefs.StableAttr{Ino: 1}}
	o.MountOptions = fuse.MountOptions{FsName: "hubfs-test", Name: "hubfs-test", DirectMount: true, ExplicitDataCacheControl: true}
	srv, err := fuse.NewServer(&rawFS{RawFileSystem: fusefs.NewNodeFS(&flipDir{file: n}, o), backings: n.backings}, mnt, &o.MountOptions)
	must(t, err)
	n.backings.server = srv
	if between != nil {
		n.backings.server = between(srv)
	}
	go srv.Serve()
	must(t, srv.WaitMount())
	abortBeforeDeadline(t, mnt)
	t.Cleanup(func() {
		if err := srv.Unmount(); err != nil {
			unix.Unmount(mnt, unix.MNT_DETACH)
			t.Errorf("unmount: %v", err)
		}
	})
	return filepath.Join(mnt, "file"), n
}

// needRoot skips a test that mounts, or has passthrough.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		proof.Missing(t, "needs root for the mount and for passthrough")
	}
}

func TestPassthroughReadsNothingFromUs(t *testing.T) {
	needRoot(t)
	path, n := mountFlip(t, nil)
	n.whole.Store(true)
	wantContent(t, path, noise(1<<20))
	if got := n.reads.Load(); got != 0 {
		t.Errorf("%d reads reached the daemon, want 0", got)
	}
}

// The kernel fails an open with EIO when both kinds of handle are open.
func TestCachedHandleKeepsPassthroughAway(t *testing.T) {
	needRoot(t)
	path, n := mountFlip(t, nil)
	cached, err := os.Open(path)
	must(t, err)
	n.whole.Store(true)
	second, err := os.Open(path)
	must(t, err)
	second.Close()
	cached.Close()
	eventually(t, "released", func() bool { return n.io.offers() })
	third, err := os.Open(path)
	must(t, err)
	defer third.Close()
	if before := n.reads.Load(); read(t, path) != noise(1<<20) || n.reads.Load() != before {
		t.Errorf("not passthrough once the cached handle is gone")
	}
	n.whole.Store(false)
	fourth, err := os.Open(path)
	must(t, err)
	fourth.Close()
}

// The release of a cached handle that comes after a passthrough open must not
// take the backing id with it.
func TestLateReleaseOfCachedHandle(t *testing.T) {
	needRoot(t)
	path, n := mountFlip(t, nil)
	for range 200 {
		n.whole.Store(false)
		cached, err := os.Open(path)
		must(t, err)
		n.whole.Store(true)
		cached.Close() // RELEASE is on its way
		a, err := os.Open(path)
		must(t, err)
		b, err := os.Open(path)
		must(t, err)
		a.Close()
		c, err := os.Open(path)
		must(t, err)
		b.Close()
		c.Close()
	}
}

// failing is a kernel that refuses to register while it is told to.
type failing struct {
	kernel
	refuse atomic.Bool
}

func (f *failing) RegisterBackingFd(m *fuse.BackingMap) (int32, syscall.Errno) {
	if f.refuse.Load() {
		return 0, syscall.EMFILE
	}
	return f.kernel.RegisterBackingFd(m)
}

// One failed registration is one cached handle, nothing more; and a file that
// is open by passthrough can be opened again while registrations fail.
func TestFailedRegistration(t *testing.T) {
	needRoot(t)
	var k failing
	path, n := mountFlip(t, func(real kernel) kernel { k.kernel = real; return &k })
	n.whole.Store(true)
	open, err := os.Open(path)
	must(t, err)
	k.refuse.Store(true)
	again, err := os.Open(path)
	must(t, err)
	again.Close()
	open.Close()
	eventually(t, "released", func() bool {
		n.io.mu.Lock()
		defer n.io.mu.Unlock()
		return n.io.passthrough == 0
	})
	wantContent(t, path, noise(1<<20))
	if n.reads.Load() == 0 {
		t.Error("no read reached the daemon though nothing was registered")
	}
	k.refuse.Store(false)
	eventually(t, "released", n.io.offers)
	before := n.reads.Load()
	wantContent(t, path, noise(1<<20))
	if n.reads.Load() != before {
		t.Error("passthrough did not come back")
	}
}

// Threads open and close while the file becomes whole and stops to be.
func TestOpensWhileCompletenessFlips(t *testing.T) {
	needRoot(t)
	path, n := mountFlip(t, nil)
	var wg sync.WaitGroup
	var opens, failures atomic.Int64
	for i := range 16 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(i)))
			b := make([]byte, 4096)
			for range 400 {
				if r.IntN(4) == 0 {
					n.whole.Store(r.IntN(2) == 0)
				}
				fd, err := syscall.Open(path, syscall.O_RDONLY, 0)
				opens.Add(1)
				if err != nil {
					failures.Add(1)
					continue
				}
				if r.IntN(4) == 0 {
					syscall.Pread(fd, b, int64(r.IntN(1<<20)))
				}
				syscall.Close(fd)
			}
		})
	}
	wg.Wait()
	if failures.Load() > 0 {
		t.Errorf("%d of %d opens failed", failures.Load(), opens.Load())
	}
}
