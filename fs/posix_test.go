package fs

import (
	"os"
	"testing"

	"github.com/hanwen/go-fuse/v2/posixtest"
)

// What of the library's suite is not so here, and why.
var posixNot = map[string]string{
	"Link":                "there are no hard links",
	"LinkUnlinkRename":    "there are no hard links",
	"FcntlFlockLocksFile": "locks are the kernel's own, and a process is in nobody's way but others'",
}

func TestPosix(t *testing.T) {
	f := mine(t, map[string]string{"a": "1"})
	for name, test := range posixtest.All {
		t.Run(name, func(t *testing.T) {
			if why := posixNot[name]; why != "" {
				t.Skip(why)
			}
			dir := f.path(name)
			must(t, os.Mkdir(dir, 0o755))
			test(t, dir)
		})
	}
}
