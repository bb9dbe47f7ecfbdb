package fs

import (
	iofs "io/fs"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
)

const (
	// pinned is for what cannot change behind the kernel's back: names and
	// attributes below a pinned commit. A commit sends entry notifications.
	pinned = 24 * time.Hour
	// fleeting is for namespaces, repos and revisions, which may appear and
	// vanish on the Hub at any time.
	fleeting = 10 * time.Second
	// stagedAttrs is for the size and times of staged files, which stores through
	// a shared map change unseen.
	stagedAttrs = time.Second
)

// attrs is what of a node's attributes does not come with its content: what
// chmod and utimens set. It lives as long as the node.
type attrs struct {
	mode         *uint32 // permission bits
	atime, mtime *time.Time
	ctime        time.Time
}

// set takes over what a SETATTR has, except size and owner.
func (a *attrs) set(in *fuse.SetAttrIn) {
	if mode, ok := in.GetMode(); ok {
		mode &= 0o777
		a.mode = &mode
	}
	if t, ok := in.GetATime(); ok {
		a.atime = &t
	}
	if t, ok := in.GetMTime(); ok {
		a.mtime = &t
	}
	a.ctime = time.Now()
}

func (a *attrs) apply(out *fuse.Attr) {
	if a.mode != nil {
		out.Mode = out.Mode&^0o777 | *a.mode
	}
	var ctime *time.Time
	if !a.ctime.IsZero() {
		ctime = &a.ctime
	}
	out.SetTimes(a.atime, a.mtime, ctime)
}

// setID are the bits that let a program run as another user. Nothing on the Hub
// has them, and the mount is nosuid.
const setID = syscall.S_ISUID | syscall.S_ISGID

// maxName is the longest name, in bytes.
const maxName = 255

// maySet refuses all of it in a read-only mount, and else a change of owner; to
// the present one it is fine.
func (m *mount) maySet(in *fuse.SetAttrIn) error {
	if err := m.writable(); err != nil {
		return err
	}
	if mode, ok := in.GetMode(); ok && mode&setID != 0 {
		return syscall.EPERM
	}
	if uid, ok := in.GetUID(); ok && uid != m.uid {
		return syscall.EPERM
	}
	if gid, ok := in.GetGID(); ok && gid != m.gid {
		return syscall.EPERM
	}
	return nil
}

// attr fills in what all nodes have in common.
func (m *mount) attr(out *fuse.Attr, mode uint32, size int64, mtime time.Time) {
	out.Mode = mode
	out.Size = uint64(size)
	out.Blocks = (out.Size + 511) / 512
	out.Blksize = 4096
	out.Nlink = 1 // of directories too: 1 says that subdirectories are not counted
	out.Uid, out.Gid = m.uid, m.gid
	if mtime.IsZero() {
		mtime = m.started
	}
	out.SetTimes(&mtime, &mtime, &mtime)
}

// What package commit gives to files and directories whose mode nobody set.
const (
	plainFile iofs.FileMode = 0o644
	plainDir  iofs.FileMode = 0o755
)

// fileMode is the mode of a committed file: what it had while it was staged, or
// what the umask leaves of the default.
func (m *mount) fileMode(mode iofs.FileMode) uint32 {
	if mode = mode.Perm(); mode == 0 || mode == plainFile {
		mode = iofs.FileMode(0o666 &^ m.umask)
	}
	return syscall.S_IFREG | uint32(mode)
}

func (m *mount) dirMode(mode iofs.FileMode) uint32 {
	if mode = mode.Perm(); mode == 0 || mode == plainDir {
		mode = iofs.FileMode(0o777 &^ m.umask)
	}
	return syscall.S_IFDIR | uint32(mode)
}
