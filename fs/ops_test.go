package fs

import (
	"path/filepath"
	"testing"

	"github.com/hubfs/hubfs/remote/hubtest"
)

// bothModes runs a test on a mount of me/m with passthrough and on one without.
func bothModes(t *testing.T, files map[string]string, test func(t *testing.T, f *fixture)) {
	for _, off := range []bool{false, true} {
		name := "passthrough"
		if off {
			name = "without"
		}
		t.Run(name, func(t *testing.T) {
			f := mountHub(t, opts{Options: Options{noPassthrough: off}, Repo: "me/m", Fill: func(h *hubtest.Hub) { h.Repo("me/m").Commit("main", "all", files) }})
			test(t, f)
		})
	}
}

// stagedFiles counts the files with staged content on the disk.
func stagedFiles(t *testing.T, f *fixture) int {
	t.Helper()
	names := must1(filepath.Glob(filepath.Join(f.state, "*", "files", "*")))(t)
	return len(names)
}
