package fs

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/hubfs/hubfs/blockcache"
	"github.com/hubfs/hubfs/commit"
	"github.com/hubfs/hubfs/remote"
	"golang.org/x/sys/unix"
)

// A mount is what all nodes of one mount share.
type mount struct {
	dir     string // the mount point, absolute
	client  *remote.Client
	store   *commit.Store
	cache   *blockcache.Cache
	opts    Options
	log     *slog.Logger
	started time.Time

	uid, gid, umask uint32

	rootInode *fusefs.Inode
	backings  backings
	notifier  *notifier
	control   *controlDir
	auto      *autoCommitter        // nil without Options.CommitEvery
	pending   func(tid uint32) bool // whether the caller of an interrupted operation gives up

	inos    atomic.Uint64
	handles handles
	ops     opCounts
	opLog   opLog
	errors  lastErrors

	keepStaged atomic.Bool

	mu   sync.Mutex
	dirs map[*commit.Dir]*dirNode // every directory that the kernel was told of
	seen map[*commit.Worktree]bool
}

// newIno is a number no inode of this mount ever had. 1 is the root's.
func (m *mount) newIno() uint64 { return m.inos.Add(1) }

// maxWrite is the largest request. At 1 MiB the header and the data of a
// spliced answer do not fit a pipe any more.
const maxWrite = 512 << 10

// Mount mounts on the directory mnt. The mount is usable when it returns.
func Mount(mnt string, client *remote.Client, store *commit.Store, cache *blockcache.Cache, o Options) (*Server, error) {
	abs, err := filepath.Abs(mnt)
	if err != nil {
		return nil, err
	}
	m := newMount(abs, client, store, cache, o)
	root, err := m.root()
	if err != nil {
		return nil, fmt.Errorf("mount %s: %w", abs, err)
	}
	return m.serve(root)
}

func newMount(dir string, client *remote.Client, store *commit.Store, cache *blockcache.Cache, o Options) *mount {
	m := &mount{
		dir: dir, client: client, store: store, cache: cache, opts: o,
		log: o.Logger, started: time.Now(),
		uid: o.UID, gid: o.GID, umask: o.Umask,
		dirs: map[*commit.Dir]*dirNode{},
		seen: map[*commit.Worktree]bool{},
	}
	if m.log == nil {
		m.log = slog.Default()
	}
	if m.uid == 0 {
		m.uid = uint32(os.Getuid())
	}
	if m.gid == 0 {
		m.gid = uint32(os.Getgid())
	}
	if m.umask == 0 {
		m.umask = defaultUmask
	}
	m.inos.Store(fuse.FUSE_ROOT_ID)
	m.pending = func(tid uint32) bool { return callerGivesUp(tid) || m.dead() }
	m.notifier = newNotifier()
	m.control = newControlDir(m)
	if o.CommitEvery > 0 && !o.ReadOnly {
		m.auto = newAutoCommitter(m)
	}
	return m
}

// root makes the node at the mount point.
func (m *mount) root() (fusefs.InodeEmbedder, error) {
	if m.opts.Repo == nil {
		return newRoot(m), nil
	}
	ctx := context.Background()
	w, err := m.store.Worktree(ctx, *m.opts.Repo)
	if err != nil {
		return nil, err
	}
	m.watch(w)
	dir := w.Root()
	for part := range strings.SplitSeq(m.opts.Subdir, "/") {
		if part == "" {
			continue
		}
		n, err := dir.Lookup(ctx, part)
		if err != nil {
			return nil, fmt.Errorf("%s/%s: %w", m.opts.Repo, m.opts.Subdir, err)
		}
		if n.Dir == nil {
			return nil, fmt.Errorf("%s/%s: %w", m.opts.Repo, m.opts.Subdir, unix.ENOTDIR)
		}
		dir = n.Dir
	}
	d := m.dirNode(dir)
	d.mountRoot = true
	return d, nil
}

// fuseOptions are what the kernel is told about the whole mount.
func (m *mount) fuseOptions() *fusefs.Options {
	o := &fusefs.Options{
		ExternalNodeID:  true,
		NullPermissions: true,
		RootStableAttr:  &fusefs.StableAttr{Ino: fuse.FUSE_ROOT_ID},
	}
	o.MountOptions = fuse.MountOptions{
		FsName: "hubfs", Name: "hubfs",
		// The kernel checks permissions itself: no ACCESS for each step of a path.
		Options:    []string{"default_permissions", "nosuid", "nodev"},
		AllowOther: m.opts.AllowOther,
		// Root needs no fusermount3, and gets no better errors from it.
		DirectMountStrict: os.Geteuid() == 0,
		DirectMountFlags:  unix.MS_NOSUID | unix.MS_NODEV,
		MaxBackground:     128,
		MaxWrite:          maxWrite,
		MaxStackDepth:     stackDepth(m.cache.Dir(), m.stateDir()),
		// ENOSYS to the first of them, and the kernel never asks again: ls -l
		// of many files takes a tenth of the time.
		DisableXAttrs: true,
		// Pages never become wrong here, whatever a file's size and time do.
		ExplicitDataCacheControl: true,
		EnableSymlinkCaching:     true,
		// O_TRUNC comes with the open, so that truncating a blob fetches nothing.
		ExtraCapabilities: fuse.CAP_ATOMIC_O_TRUNC,
		Logger:            slog.NewLogLogger(m.log.Handler(), slog.LevelWarn),
	}
	// A read-only mount is none of the kernel's: .hubfs/sync, by which a mount is
	// ended, is written to.
	o.Logger = log.New(logWriter{m.log}, "", 0)
	return o
}

// logWriter takes the library's own complaints.
type logWriter struct{ log *slog.Logger }

func (w logWriter) Write(p []byte) (int, error) {
	w.log.Debug("fuse: " + strings.TrimSpace(string(p)))
	return len(p), nil
}

func (m *mount) serve(root fusefs.InodeEmbedder) (*Server, error) {
	m.rootInode = root.EmbeddedInode()
	opts := m.fuseOptions()
	raw := &rawFS{RawFileSystem: fusefs.NewNodeFS(root, opts), backings: &m.backings, lost: m.lost}
	srv, err := fuse.NewServer(raw, m.dir, &opts.MountOptions)
	if err != nil {
		m.notifier.close()
		return nil, fmt.Errorf("mount %s: %w", m.dir, err)
	}
	if srv.KernelSettings().Flags64()&fuse.CAP_PASSTHROUGH != 0 && !m.opts.noPassthrough {
		m.backings.server = srv
	}
	s := &Server{m: m, fuse: srv, gone: make(chan struct{})}
	if m.auto != nil {
		m.auto.start()
	}
	go s.serve()
	if err := srv.WaitMount(); err != nil {
		return nil, errors.Join(fmt.Errorf("mount %s: %w", m.dir, err), s.Unmount())
	}
	m.raiseReadAhead()
	return s, nil
}

// stateDir is where staged files lie.
func (m *mount) stateDir() string { return m.store.Dir() }

// watch follows a worktree's changes, once.
func (m *mount) watch(w *commit.Worktree) {
	m.mu.Lock()
	known := m.seen[w]
	m.seen[w] = true
	m.mu.Unlock()
	if !known {
		m.showAt(w)
		w.OnChange(m.changed)
	}
}
