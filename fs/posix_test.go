package fs

import (
	"os"
	"testing"

	"github.com/hanwen/go-fuse/v2/posixtest"
	"github.com/hubfs/hubfs/integration/proof"
	"github.com/hubfs/hubfs/remote/hubtest"
)

// What of the library's suite is not so here, and why.
var posixNot = map[string]string{
	"Link":                "there are no hard links",
	"LinkUnlinkRename":    "there are no hard links",
	"XAttr":               "there are no extended attributes",
	"XAttrLarge":          "there are no extended attributes",
	"FcntlFlockLocksFile": "locks are the kernel's own, and a process is in nobody's way but others'",
}

// TestProofPosix is the library's suite, with passthrough and without.
func TestProofPosix(t *testing.T) {
	passed := 0
	for _, without := range []bool{false, true} {
		f := mountHub(t, opts{Repo: "me/m", Fill: func(h *hubtest.Hub) { h.Repo("me/m").Put("a", "1") }, Options: Options{noPassthrough: without}})
		for name, test := range posixtest.All {
			t.Run(name, func(t *testing.T) {
				if why := posixNot[name]; why != "" {
					t.Skip(why)
				}
				dir := f.path(name)
				must(t, os.Mkdir(dir, 0o755))
				test(t, dir)
				if !t.Failed() && !t.Skipped() {
					passed++
				}
			})
		}
	}
	proof.Say(t, "%d of %d tests passed, %d are not so here", passed, 2*len(posixtest.All), 2*len(posixNot))
	if passed < 2*(len(posixtest.All)-len(posixNot)) {
		t.Error("some did not run")
	}
}
