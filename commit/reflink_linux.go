package commit

import (
	"os"

	"golang.org/x/sys/unix"
)

// reflink makes out share the bytes of in, which costs neither time nor room.
// Few file systems can.
func reflink(out, in *os.File) error {
	return unix.IoctlFileClone(int(out.Fd()), int(in.Fd()))
}
