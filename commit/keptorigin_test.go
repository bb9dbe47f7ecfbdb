package commit

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A directory that was moved and is left out of a commit keeps what it has:
// others changed it where it was, and that is a conflict.
func TestLeftOutMovedDirectoryIsNotChanged(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	r.Commit("main", "start", map[string]string{"a/x.bin": "x", "a/y": "y"})
	tr := w.tree("acme/m")
	mv(t, tr, "a", "b")
	save(t, tr, "other", "text")
	before := view(t, tr)
	r.Commit("main", "theirs", nil, "a/x.bin")
	_, err := tr.Commit(ctx, CommitOptions{Ignore: []string{"*.bin"}})
	var c *ConflictError
	if !errors.As(err, &c) || !slices.Contains(c.Paths, "a/x.bin") {
		t.Errorf("%v, want a conflict about a/x.bin", err)
	}
	if d := cmp.Diff(before, view(t, tr)); d != "" {
		t.Error(d)
	}
}
