package commit

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hubfs/hubfs/remote"
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

// So does one that came to where the base has some of the same content: what it
// shows is not deleted where it was.
func TestLeftOutMovedDirectoryKeepsWhatItsPlaceHas(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	r.Commit("main", "start", map[string]string{"a/f": "same", "a/g": "g", "c/f": "same", "c/x.bin": "x"})
	tr := w.tree("acme/m")
	mv(t, tr, "c", "d")
	mv(t, tr, "a", "c")
	before := view(t, tr)
	if _, err := tr.Commit(ctx, CommitOptions{Ignore: []string{"*.bin"}}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(before, view(t, tr)); d != "" {
		t.Errorf("after a part (-want +got):\n%s", d)
	}
	commitAll(t, tr)
	if d := cmp.Diff(files(before), remoteFiles(r)); d != "" {
		t.Errorf("the Hub has something else (-want +got):\n%s", d)
	}
}

// newOverTheirs has a new directory, with a file below, that goes on hiding what
// the base has at its place as long as *.bin is left out.
func newOverTheirs(t *testing.T) (*world, *Worktree) {
	t.Helper()
	w := newWorld(t)
	w.hub.Repo("acme/m").Commit("main", "start", map[string]string{"c/x.bin": "x"})
	tr := w.tree("acme/m")
	rm(t, tr, "c/x.bin")
	if err := tr.Root().Rmdir(ctx, "c"); err != nil {
		t.Fatal(err)
	}
	mkdir(t, tr, "c")
	mkdir(t, tr, "c/c")
	save(t, tr, "c/c/f", "f")
	return w, tr
}

// What a commit puts into a new directory that goes on hiding what the base has
// at its place is still in it, now and after the journal was read again.
func TestDirectoryInOneThatStaysNew(t *testing.T) {
	w, tr := newOverTheirs(t)
	r := w.hub.Repo("acme/m")
	before := view(t, tr)
	if _, err := tr.Commit(ctx, CommitOptions{Ignore: []string{"*.bin"}}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(before, view(t, tr)); d != "" {
		t.Errorf("after a part (-want +got):\n%s", d)
	}
	save(t, tr, "c/c/g", "g")
	before = view(t, tr)
	w.crash()
	w.open()
	tr = w.tree("acme/m")
	if d := cmp.Diff(before, view(t, tr)); d != "" {
		t.Errorf("after a crash (-want +got):\n%s", d)
	}
	commitAll(t, tr)
	if d := cmp.Diff(files(before), remoteFiles(r)); d != "" {
		t.Errorf("the Hub has something else (-want +got):\n%s", d)
	}
}

// Nor does a discard of something else that moves on to theirs.
func TestDiscardLeavesMovedDirectoryAsItIs(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	r.Commit("main", "start", map[string]string{"a/x": "x", "a/y": "y", "f": "f"})
	tr := w.tree("acme/m")
	mv(t, tr, "a", "b")
	save(t, tr, "f", "ours")
	r.Commit("main", "theirs", map[string]string{"f": "theirs"}, "a/x")
	if _, err := tr.Commit(ctx, CommitOptions{}); !errors.Is(err, remote.ErrConflict) {
		t.Fatal(err)
	}
	d, err := tr.Discard(ctx, "f")
	if err != nil || d.Head != "" || !slices.Equal(d.Conflicts, []string{"a/x"}) {
		t.Errorf("%+v, %v", d, err)
	}
	if d := cmp.Diff(map[string]string{"b/x": "x", "b/y": "y", "f": "f"}, files(view(t, tr))); d != "" {
		t.Error(d)
	}
	// It is in nobody's way: the commit says where the content is from.
	commitAll(t, tr)
	want := map[string]string{"b/x": "x", "b/y": "y", "f": "theirs"}
	if d := cmp.Diff(want, files(view(t, tr))); d != "" || !cmp.Equal(want, remoteFiles(r)) {
		t.Error(d, remoteFiles(r))
	}
}

// A discard in such a directory leaves what a commit has put there.
func TestDiscardInOneThatStaysNew(t *testing.T) {
	_, tr := newOverTheirs(t)
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
