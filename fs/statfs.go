package fs

import (
	"context"
	"path/filepath"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// statfs answers with the disk that takes what is written here. Where somebody
// removed the state directory it is the nearest one above: a root without an
// answer would be taken for no mount, by hubfs itself as well.
func (m *mount) statfs(ctx context.Context, out *fuse.StatfsOut) syscall.Errno {
	var st syscall.Statfs_t
	dir := m.stateDir()
	err := syscall.Statfs(dir, &st)
	for err == syscall.ENOENT && dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
		err = syscall.Statfs(dir, &st)
	}
	if err != nil {
		return errnoOf(err)
	}
	out.FromStatfsT(&st)
	out.NameLen = 255
	return 0
}

// Magic numbers of file systems that lie on others (statfs(2)).
const (
	overlayMagic  = 0x794c7630
	ecryptfsMagic = 0xf15f
	fuseMagic     = 0x65735546 // one that passes through counts as stacked
)

// stackDepth is how deep backing files may be stacked. 1 keeps mounts of
// hubfs usable as layers of an overlayfs; 2 is needed where the backing files lie on
// a stacked file system themselves: without it there is silently no passthrough.
func stackDepth(dirs ...string) int {
	for _, dir := range dirs {
		var st unix.Statfs_t
		if unix.Statfs(dir, &st) != nil {
			continue
		}
		switch int64(st.Type) {
		case overlayMagic, ecryptfsMagic, fuseMagic:
			return 2
		}
	}
	return 1
}
