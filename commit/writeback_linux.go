package commit

import (
	"os"

	"golang.org/x/sys/unix"
)

// writeBack lets the disk begin to write up to n bytes of f, 0 = all. On ext4
// they are then on the disk before any later sync of another file is.
func writeBack(f *os.File, n int64) {
	unix.SyncFileRange(int(f.Fd()), 0, n, unix.SYNC_FILE_RANGE_WRITE)
}
