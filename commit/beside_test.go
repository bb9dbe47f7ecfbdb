package commit

import (
	"errors"
	"net/http"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hubfs/hubfs/remote"
	"github.com/hubfs/hubfs/remote/hubtest"
)

// What others committed is not replaced later by what was staged over the
// earlier base and had no part in the commit that moved to theirs.
func TestConflictBesideThePlan(t *testing.T) {
	tests := map[string]struct {
		busy   func(*Worktree) *File // open while the commit runs
		late   func(*Worktree)       // done while it runs
		theirs map[string]string
		dels   []string
		want   []string // in conflict
	}{
		"busy edit": {
			busy: func(w *Worktree) *File { return save(t, w, "a", "ours") }, theirs: map[string]string{"a": "theirs"}, want: []string{"a"},
		},
		"busy, theirs deleted": {
			busy: func(w *Worktree) *File { return save(t, w, "a", "ours") }, dels: []string{"a"}, want: []string{"a"},
		},
		"busy below a file": {
			busy: func(w *Worktree) *File { mkdir(t, w, "new"); return save(t, w, "new/f", "f") }, theirs: map[string]string{"new": "file"}, want: []string{"new"},
		},
		"busy over a directory": {
			busy: func(w *Worktree) *File { return save(t, w, "new", "f") }, theirs: map[string]string{"new/f": "f"}, want: []string{"new"},
		},
		"empty directory over a file": {
			busy: func(w *Worktree) *File { mkdir(t, w, "new"); return nil }, theirs: map[string]string{"new": "file"}, want: []string{"new"},
		},
		"edited meanwhile": {
			late: func(w *Worktree) { save(t, w, "a", "ours") }, theirs: map[string]string{"a": "theirs"}, want: []string{"a"},
		},
		"deleted meanwhile": {
			late: func(w *Worktree) { rm(t, w, "a") }, theirs: map[string]string{"a": "theirs"}, want: []string{"a"},
		},
		"directory deleted meanwhile": {
			late: func(w *Worktree) {
				rm(t, w, "d/x")
				if err := w.Root().Rmdir(ctx, "d"); err != nil {
					t.Fatal(err)
				}
			}, theirs: map[string]string{"d/new": "theirs"}, want: []string{"d"},
		},
		"busy elsewhere": {
			busy: func(w *Worktree) *File { return save(t, w, "a", "ours") }, theirs: map[string]string{"z": "theirs"},
		},
		"left out": {
			busy: func(w *Worktree) *File { mkdir(t, w, ".git"); return save(t, w, ".git/a", "ours") }, theirs: map[string]string{"z": "theirs"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			r := w.hub.Repo("acme/m")
			r.Commit("main", "start", map[string]string{"a": "a", "d/x": "x"})
			tr := w.tree("acme/m")
			save(t, tr, "other", "o")
			view(t, tr) // the listing is known
			if tt.busy != nil {
				if f := tt.busy(tr); f != nil {
					g, err := f.Open(os.O_RDWR)
					if err != nil {
						t.Fatal(err)
					}
					defer g.Close()
				}
			}
			did := false
			w.hub.Fault(func(q *http.Request) *hubtest.Fault {
				if isCommit(q) && !did {
					did = true
					if tt.late != nil {
						tt.late(tr)
					}
					r.Commit("main", "theirs", tt.theirs, tt.dels...)
				}
				return nil
			})
			before := view(t, tr)
			_, err := tr.Commit(ctx, CommitOptions{})
			var c *ConflictError
			errors.As(err, &c)
			if !did {
				t.Error("no request was made")
			}
			switch {
			case tt.want == nil && err != nil:
				t.Error(err)
			case tt.want == nil:
				want := map[string]string{"a": "a", "d/x": "x", "z": "theirs", "other": "o"}
				if d := cmp.Diff(want, remoteFiles(r)); d != "" || !tr.Dirty() {
					t.Error(d, tr.Dirty())
				}
			case tt.want != nil && (c == nil || !cmp.Equal(c.Paths, tt.want)):
				t.Error(err)
			case tt.want != nil && tt.late == nil:
				if d := cmp.Diff(before, view(t, tr)); d != "" {
					t.Error(d)
				}
			}
		})
	}
}

// What others put where an empty directory was made here is shown in it once the
// mount is at their commit, and nothing of it is deleted by the next one.
func TestEmptyDirectoryShowsTheirs(t *testing.T) {
	theirs := func(r *hubtest.Repo) { r.Commit("main", "theirs", map[string]string{"n/theirs": "t", "f": "theirs"}) }
	for name, move := range map[string]func(w *world, r *hubtest.Repo, tr *Worktree){
		"opened again": func(w *world, r *hubtest.Repo, tr *Worktree) { theirs(r); w.reopen() },
		"after a crash": func(w *world, r *hubtest.Repo, tr *Worktree) {
			theirs(r)
			w.crash()
			w.open()
		},
		"discard": func(w *world, r *hubtest.Repo, tr *Worktree) {
			save(t, tr, "f", "ours")
			theirs(r)
			if _, err := tr.Commit(ctx, CommitOptions{}); !errors.Is(err, remote.ErrConflict) {
				t.Fatal(err)
			}
			if d, err := tr.Discard(ctx, "f"); err != nil || d.Head == "" {
				t.Fatal(d, err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			r := w.hub.Repo("acme/m")
			r.Commit("main", "start", map[string]string{"f": "f"})
			tr := w.tree("acme/m")
			mkdir(t, tr, "n")
			move(w, r, tr)
			want := map[string]string{"n/theirs": "t", "f": "theirs"}
			for range 2 { // the second time as the journal has it
				tr = w.tree("acme/m")
				if d := cmp.Diff(want, files(view(t, tr))); d != "" {
					t.Error(d)
				}
				w.crash()
				w.open()
			}
			tr = w.tree("acme/m")
			save(t, tr, "n/ours", "o")
			commitAll(t, tr)
			want["n/ours"] = "o"
			if d := cmp.Diff(want, remoteFiles(r)); d != "" {
				t.Error(d)
			}
		})
	}
}
