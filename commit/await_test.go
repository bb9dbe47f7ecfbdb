package commit

import (
	"errors"
	"os"
	"slices"
	"testing"
	"time"
)

// Between the answer that sends a program to a staged file and its opening of
// it, no commit takes the file: the kernel tries only once more.
func TestAwaitedFileIsBusy(t *testing.T) {
	w := newWorld(t)
	w.hub.Repo("acme/m").Put("old", "old")
	tr := w.tree("acme/m")
	edited, err := tr.Root().Edit(ctx, "old", false)
	if err != nil {
		t.Fatal(err)
	}
	made, err := tr.Root().Create(ctx, "new", 0o644, true)
	if err != nil {
		t.Fatal(err)
	}
	not, err := tr.Root().Create(ctx, "empty", 0o644, true)
	if err != nil {
		t.Fatal(err)
	}
	not.NotAwaited()
	if res := commitAll(t, tr); !slices.Equal(res.Busy, []string{"new", "old"}) || res.Files != 1 {
		t.Fatalf("%+v", res)
	}
	for _, f := range []*File{edited, made} {
		write(t, f, "more", os.O_APPEND)
	}
	if res := commitAll(t, tr); len(res.Busy) != 0 || res.Files != 2 {
		t.Errorf("%+v", res)
	}
	if got := content(t, tr, "old"); got != "oldmore" {
		t.Errorf("old has %q", got)
	}
	if again := edited.await(); again {
		t.Error("a committed file can be waited for")
	}
}

// Mode and times that are set while a commit is made stay, whenever it is, also
// of a file that is renamed meanwhile.
func TestAttributesSetWhileCommitting(t *testing.T) {
	for _, name := range []string{"file", "renamed"} {
		t.Run(name, func(t *testing.T) { checkAttributesSet(t, name) })
	}
}

func checkAttributesSet(t *testing.T, name string) {
	w := newWorld(t)
	w.hub.Repo("acme/m")
	tr := w.tree("acme/m")
	f := save(t, tr, "file", "text")
	times := []time.Time{time.Unix(1e9, 0), time.Unix(1.1e9, 0)}
	set := func(i int) {
		if err := errors.Join(f.Chmod(os.FileMode(0o600+i)), f.Chtimes(time.Time{}, times[i])); err != nil {
			t.Error(err)
		}
		n, err := tr.Root().Lookup(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		if st, err := f.Stat(); err != nil || st.Mode() != os.FileMode(0o600+i) || !st.ModTime().Equal(times[i]) {
			t.Errorf("the file has %v, %v", st, err)
		}
		if n.File == nil && (n.Attr.Mode != os.FileMode(0o600+i) || !n.Attr.Mtime.Equal(times[i])) {
			t.Errorf("the name has %v", n.Attr)
		}
	}
	tr.OnChange(func([]Change) { set(1) })
	res, err := tr.Commit(ctx, CommitOptions{Progress: func(e Event) {
		if n, err := tr.Root().Lookup(ctx, "file"); e.Phase == "commit" && err == nil && n.File != nil {
			if name != "file" {
				mv(t, tr, "file", name)
			}
			set(0)
		}
	}})
	if err != nil || res.Files != 1 {
		t.Fatalf("%+v, %v", res, err)
	}
	if n, err := tr.Root().Lookup(ctx, name); err != nil || n.File != nil || !n.Attr.Mtime.Equal(times[1]) {
		t.Errorf("%+v, %v", n, err)
	}
}

// That others open the file and close it again does not end the wait of one
// that has still to come.
func TestAwaitedByOneThread(t *testing.T) {
	w := newWorld(t)
	w.hub.Repo("acme/m")
	tr := w.tree("acme/m")
	f := save(t, tr, "file", "text")
	if !f.AwaitedBy(7) {
		t.Fatal("nobody can wait for it")
	}
	write(t, f, " by another", os.O_APPEND)
	if res := commitAll(t, tr); !slices.Equal(res.Busy, []string{"file"}) {
		t.Fatalf("%+v", res)
	}
	write(t, f, ", then mine", os.O_APPEND)
	f.Arrived(7)
	if res := commitAll(t, tr); len(res.Busy) != 0 || res.Files != 1 {
		t.Errorf("%+v", res)
	}
	if f.AwaitedBy(8) {
		t.Error("a committed file can be waited for")
	}
}
