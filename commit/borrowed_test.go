package commit

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Directories that nothing keeps any more are gone, whether or not somebody
// looks at them before they are moved: replay does not look.
func TestDiscardedDirectoriesStayAwayWhenTheirParentMoves(t *testing.T) {
	w := newWorld(t)
	w.hub.Repo("acme/m").Commit("main", "start", map[string]string{"b/x": "x"})
	tr := w.tree("acme/m")
	mkdir(t, tr, "b/b")
	mkdir(t, tr, "b/b/b")
	save(t, tr, "other", "text")
	commitAll(t, tr) // from now on they are there in their own right
	if _, err := tr.Discard(ctx, ""); err != nil {
		t.Fatal(err)
	}
	mv(t, tr, "b", "c")
	want := map[string]string{"other": "text", "c/": "", "c/x": "x"}
	for _, crash := range []bool{true, false} {
		if crash {
			w.crash()
			w.open()
			tr = w.tree("acme/m")
		}
		got := view(t, tr)
		delete(got, attributes)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("crash %v (-want +got):\n%s", crash, d)
		}
	}
}
