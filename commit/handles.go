package commit

import (
	"os"
	"strconv"
)

// ownDescriptors counts this process's descriptors of the file that f is, f
// left out. It stands in for leases where there are none: descriptors that
// only read count too, since the kernel may write through one that was
// registered for passthrough. Maps and other processes are not seen, which is
// why such files are hashed once more before they are adopted.
func ownDescriptors(f *os.File) (int, error) {
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0, err
	}
	n := 0
	for _, e := range fds {
		if e.Name() == strconv.Itoa(int(f.Fd())) {
			continue
		}
		other, err := os.Stat("/proc/self/fd/" + e.Name())
		if err == nil && os.SameFile(st, other) {
			n++
		}
	}
	return n, nil
}
