package fs

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// readAheadKB lets the kernel ask for more than the 128 KiB it gives every FUSE
// mount, however large its requests may be. Cold reads through a map are up to
// it alone: each page fault waits for one round trip.
const readAheadKB = 4096

// raiseReadAhead needs root, and a writable /sys; without them it stays.
func (m *mount) raiseReadAhead() {
	var st unix.Stat_t
	if err := unix.Stat(m.dir, &st); err != nil {
		return
	}
	path := fmt.Sprintf("/sys/class/bdi/%d:%d/read_ahead_kb", unix.Major(st.Dev), unix.Minor(st.Dev))
	if err := os.WriteFile(path, fmt.Appendf(nil, "%d\n", readAheadKB), 0); err != nil {
		m.log.Debug("read-ahead stays at the kernel's default", "err", err)
	}
}
