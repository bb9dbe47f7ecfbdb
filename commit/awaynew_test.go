package commit

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hubfs/hubfs/remote/hubtest"
)

// A directory of which a part goes to a pull request, in a new one that goes on
// hiding what the base has at its place: what is left out stays, now and after
// the journal was read again.
func TestAwayInOneThatStaysNew(t *testing.T) {
	for name, nested := range map[string]bool{"new": false, "moved": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			r := w.hub.Repo("acme/m")
			r.Commit("main", "start", map[string]string{"c/x.bin": "x", "m/y": "y"})
			tr := w.tree("acme/m")
			rm(t, tr, "c/x.bin")
			if err := tr.Root().Rmdir(ctx, "c"); err != nil {
				t.Fatal(err)
			}
			mkdir(t, tr, "c")
			if nested {
				mv(t, tr, "m", "c/c")
			} else {
				mkdir(t, tr, "c/c")
			}
			save(t, tr, "c/c/f", "f")
			save(t, tr, "c/c/g.bin", "g")
			mkdir(t, tr, "c/d")
			save(t, tr, "c/d/f", "f")
			if _, err := tr.Commit(ctx, CommitOptions{CreatePR: true, Ignore: []string{"*.bin"}}); err != nil {
				t.Fatal(err)
			}
			want := map[string]string{"c/c/g.bin": "g", "m/y": "y"}
			if d := cmp.Diff(want, files(view(t, tr))); d != "" {
				t.Errorf("after a part (-want +got):\n%s", d)
			}
			w.crash()
			w.open()
			tr = w.tree("acme/m")
			if d := cmp.Diff(want, files(view(t, tr))); d != "" {
				t.Errorf("after a crash (-want +got):\n%s", d)
			}
			commitAll(t, tr)
			if d := cmp.Diff(want, remoteFiles(r)); d != "" {
				t.Errorf("the Hub has something else (-want +got):\n%s", d)
			}
		})
	}
}

// What is in a directory that is renamed while a pull request is on its way has
// other names than the pull request has: it stays staged.
func TestDirectoryRenamedDuringPull(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	r.Commit("main", "start", map[string]string{"d/x": "x", "d/y": "y"})
	tr := w.tree("acme/m")
	view(t, tr)
	mkdir(t, tr, "n")
	mkdir(t, tr, "n/s")
	save(t, tr, "n/s/f", "f")
	save(t, tr, "d/new", "new")
	rm(t, tr, "d/y")
	mkdir(t, tr, "k")
	save(t, tr, "k/f", "f")
	save(t, tr, "k/tmp", "t")
	did := false
	w.hub.Fault(func(q *http.Request) *hubtest.Fault {
		if isCommit(q) && !did {
			did = true
			mv(t, tr, "n", "m")
			mv(t, tr, "d", "e")
			rm(t, tr, "k/tmp") // which moves nothing
			save(t, tr, "m/s/g", "g")
		}
		return nil
	})
	if _, err := tr.Commit(ctx, CommitOptions{CreatePR: true}); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"m/s/f": "f", "m/s/g": "g", "e/x": "x", "e/new": "new"}
	if d := cmp.Diff(want, files(view(t, tr))); d != "" {
		t.Errorf("after it (-want +got):\n%s", d)
	}
	w.crash()
	w.open()
	tr = w.tree("acme/m")
	if d := cmp.Diff(want, files(view(t, tr))); d != "" {
		t.Errorf("after a crash (-want +got):\n%s", d)
	}
	commitAll(t, tr)
	if d := cmp.Diff(want, remoteFiles(r)); d != "" {
		t.Errorf("the Hub has something else (-want +got):\n%s", d)
	}
}
