package commit

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hubfs/hubfs/remote"
	"github.com/hubfs/hubfs/remote/hubtest"
)

const bobs = "hf_bobBobBobBobBobBobBob0001"

// as opens everything anew with another token, as the next process would.
func (w *world) as(token string) {
	w.close()
	w.token = token
	w.open()
}

// What an earlier process staged is no trouble for a mount that may not write
// it, and stays staged.
func TestLeftForAnother(t *testing.T) {
	for name, token := range map[string]string{"no token": "-", "another's": bobs} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.hub.AddUser("bob", bobs, hubtest.User{})
			r := w.hub.Repo("alice/m")
			head := r.Put("a", "a")
			save(t, w.tree("alice/m"), "b", "b")
			w.as(token)
			tr := w.tree("alice/m")
			res, err := tr.Commit(ctx, CommitOptions{Automatic: true})
			if err != nil || !res.Unchanged || res.Left == "" || !tr.Dirty() || r.Head("main") != head {
				t.Errorf("%+v, %v", res, err)
			}
			if s := tr.Status(ctx); !s.ReadOnly || s.Reason != res.Left || s.LastError != "" {
				t.Errorf("%+v", s)
			}
			if _, err := tr.Commit(ctx, CommitOptions{}); !errors.Is(err, syscall.EROFS) || !strings.Contains(err.Error(), res.Left) {
				t.Error(err)
			}
			w.as("")
			commitAll(t, w.tree("alice/m"))
			if d := cmp.Diff(map[string]string{"a": "a", "b": "b"}, remoteFiles(r)); d != "" {
				t.Error(d)
			}
		})
	}
}

// What is never committed needs nobody who may write.
func TestOnlyLeftOut(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	head := r.Commit("main", "start", map[string]string{"a": "a", ".cache/huggingface/d/x": "x"})
	tr := w.tree("acme/m")
	mkdir(t, tr, ".git")
	save(t, tr, ".git/HEAD", "ref")
	save(t, tr, `back\slash`, "b")
	mkdir(t, tr, "empty")
	save(t, tr, ".cache/huggingface/d/y", "y")
	w.as("-")
	tr = w.tree("acme/m")
	for _, automatic := range []bool{true, false} {
		res, err := tr.Commit(ctx, CommitOptions{Automatic: automatic})
		if err != nil || !res.Unchanged || res.Left != "" || res.Commit != head || !tr.Dirty() {
			t.Errorf("%+v, %v", res, err)
		}
	}
	w.as("")
	tr = w.tree("acme/m")
	rm(t, tr, ".cache/huggingface/d/x")
	rm(t, tr, ".cache/huggingface/d/y")
	d, name := at(t, tr, ".cache/huggingface/d")
	if err := d.Rmdir(ctx, name); err != nil {
		t.Fatal(err)
	}
	save(t, tr, ".cache/huggingface/d", "a file")
	if res := commitAll(t, tr); res.Files != 1 {
		t.Errorf("a deletion was left: %+v", res)
	}
}

// What one account staged is committed by another only if that was asked for.
func TestStagedByAnother(t *testing.T) {
	both := func(t *testing.T) *world {
		w := newWorld(t)
		w.hub.AddUser("bob", bobs, hubtest.User{Orgs: map[string]string{"acme": "write"}})
		return w
	}
	held := func(t *testing.T, tr *Worktree) {
		t.Helper()
		_, err := tr.Commit(ctx, CommitOptions{Automatic: true})
		if !errors.Is(err, ErrHeld) || !tr.Dirty() {
			t.Fatal(err)
		}
		for _, part := range []string{"alice", "bob"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q does not say %q", err, part)
			}
		}
	}
	automatic := func(t *testing.T, tr *Worktree) {
		t.Helper()
		if res, err := tr.Commit(ctx, CommitOptions{Automatic: true}); err != nil || res.Unchanged {
			t.Fatalf("%+v, %v", res, err)
		}
	}
	for _, id := range []string{"acme/m", "acme/new"} {
		t.Run(id, func(t *testing.T) {
			w := both(t)
			w.hub.Repo("acme/m").Put("a", "a")
			if id == "acme/new" {
				if _, err := w.store.Create(ctx, parse(t, "acme/staged")); err != nil {
					t.Fatal(err)
				}
				if err := w.store.RenameNew(parse(t, "acme/staged"), parse(t, id)); err != nil {
					t.Fatal(err)
				}
			}
			save(t, w.tree(id), "b", "b")
			w.as(bobs)
			tr := w.tree(id)
			held(t, tr)
			if id == "acme/new" && w.hub.Has(id) {
				t.Error("the repo was made")
			}
			commitAll(t, tr)
			save(t, tr, "c", "c") // bob's own, as is what he stages from here
			automatic(t, tr)
			save(t, tr, "d", "d")
			w.crash()
			w.open()
			automatic(t, w.tree(id))
		})
	}
	t.Run("nothing of theirs left", func(t *testing.T) {
		w := both(t)
		w.hub.Repo("acme/m").Put("a", "a")
		tr := w.tree("acme/m")
		save(t, tr, "b", "b")
		automatic(t, tr)
		w.crash() // repo.json stays
		w.token = bobs
		w.open()
		tr = w.tree("acme/m")
		save(t, tr, "c", "c")
		automatic(t, tr)
	})
	t.Run("not known", func(t *testing.T) {
		w := both(t)
		w.hub.Repo("acme/m").Put("a", "a")
		tr := w.tree("acme/m")
		save(t, tr, "b", "b")
		tr.take("") // as before repo.json had names
		w.as(bobs)
		automatic(t, w.tree("acme/m"))
	})
}

// Nobody waits for a name while the disk takes repo.json.
func TestIdentityIsWrittenWithoutALock(t *testing.T) {
	w := newWorld(t)
	var tr *Worktree
	written := 0
	w.close()
	w.seam.hook = func(op, name string) error {
		if op == effRename && name == identityName && tr != nil {
			written++
			if !tr.mu.TryLock() {
				t.Error("repo.json is written under the lock")
			} else {
				tr.mu.Unlock()
			}
		}
		return nil
	}
	w.open()
	create := func(id string) {
		var err error
		tr = nil
		if tr, err = w.store.Create(ctx, parse(t, id)); err != nil {
			t.Fatal(err)
		}
		save(t, tr, "a", "ours")
	}
	create("alice/one")
	commitAll(t, tr) // the repo is there then
	tr.take("somebody")
	create("alice/two")
	if _, err := w.client.CreateRepo(ctx, tr.Repo(), remote.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	w.hub.Repo("alice/two").Commit("main", "theirs", map[string]string{"a": "theirs"})
	if _, err := tr.Commit(ctx, CommitOptions{}); !errors.Is(err, remote.ErrConflict) {
		t.Fatal(err)
	}
	if d, err := tr.Discard(ctx, "a"); err != nil || d.Head == "" {
		t.Fatal(d, err)
	}
	if written != 3 {
		t.Errorf("repo.json was written %d times", written)
	}
}
