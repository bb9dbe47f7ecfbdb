package commit

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A discard in a new directory that goes on hiding the base's leaves what a commit has put there.
func TestDiscardInOneThatStaysNew(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	r.Commit("main", "start", map[string]string{"c/x.bin": "x"})
	tr := w.tree("acme/m")
	rm(t, tr, "c/x.bin")
	if err := tr.Root().Rmdir(ctx, "c"); err != nil {
		t.Fatal(err)
	}
	mkdir(t, tr, "c")
	mkdir(t, tr, "c/c")
	save(t, tr, "c/c/f", "f")
	if _, err := tr.Commit(ctx, CommitOptions{Ignore: []string{"*.bin"}}); err != nil {
		t.Fatal(err)
	}
	before := view(t, tr)
	save(t, tr, "c/c/g", "g")
	if _, err := tr.Discard(ctx, "c/c"); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(before, view(t, tr)); d != "" {
		t.Errorf("after discard (-want +got):\n%s", d)
	}
}
