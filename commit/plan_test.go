package commit

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hubfs/hubfs/remote"
	"github.com/hubfs/hubfs/remote/hubtest"
)

// A file that gets its name while it is waited for is committed by that name.
func TestRenameWhileWaiting(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	r.Put("model", "old")
	tr := w.tree("acme/m")
	save(t, tr, "model", "older")
	f := save(t, tr, ".tmp1", "")
	g, err := f.Open(os.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	looks := 0
	w.store.pause = func(context.Context, time.Duration) error {
		switch looks++; looks {
		case 2:
			g.WriteString("new")
			mv(t, tr, ".tmp1", "model")
		case 3:
			g.Close()
		}
		return nil
	}
	res, err := tr.Commit(ctx, CommitOptions{Wait: 20 * lockPoll})
	if err != nil || len(res.Busy) != 0 || looks != 3 {
		t.Errorf("%+v, %v, %d looks", res, err, looks)
	}
	if d := cmp.Diff(map[string]string{"model": "new"}, remoteFiles(r)); d != "" {
		t.Error(d)
	}
	if tr.Dirty() || len(r.Log("main")) != 3 {
		t.Error(tr.Status(ctx), len(r.Log("main")))
	}
}

// So is one that gets it just when the plan was made.
func TestRenameWhilePlanning(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	r.Put("model", "old")
	tr := w.tree("acme/m")
	save(t, tr, "model", "older")
	save(t, tr, ".tmp1", "new")
	did, done := false, make(chan struct{})
	tr.st.noLease = func(g *os.File) (bool, error) {
		if !did {
			did = true
			go func() { // its end may have to wait for the file that is asked about
				defer close(done)
				mv(t, tr, ".tmp1", "model")
			}()
			for moved := false; !moved; runtime.Gosched() {
				tr.mu.RLock()
				moved = tr.root.kids["model"].gen > tr.mark.gen
				tr.mu.RUnlock()
			}
		}
		return true, nil
	}
	commitAll(t, tr)
	<-done
	if d := cmp.Diff(map[string]string{"model": "new"}, remoteFiles(r)); d != "" {
		t.Error(d)
	}
	if tr.Dirty() || len(r.Log("main")) != 3 {
		t.Error(tr.Status(ctx), len(r.Log("main")))
	}
}

// Of two commits that may have been made it was the larger one, if all of that
// is there: what was taken back since must not come back.
func TestTakenBack(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	r.Put("a", "a")
	tr := w.tree("acme/m")
	save(t, tr, "b", "b")
	save(t, tr, "c", "c")
	w.hub.Fault(once(hubtest.Fault{Status: 502}))
	if _, err := tr.Commit(ctx, CommitOptions{}); !errors.Is(err, remote.ErrUnknownOutcome) {
		t.Fatal(err)
	}
	rm(t, tr, "c")
	done := false
	w.hub.Fault(func(q *http.Request) *hubtest.Fault {
		if isCommit(q) && !done {
			done = true
			r.Commit("main", "first", map[string]string{"b": "b", "c": "c"}) // it arrives late
		}
		return nil
	})
	commitAll(t, tr)
	want := map[string]string{"a": "a", "b": "b"}
	if d := cmp.Diff(want, files(view(t, tr))); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(want, remoteFiles(r)); d != "" {
		t.Error(d)
	}
}

// Content that a power cut took is not brought into the cache as what was
// committed.
func TestAdoptAfterPowerCut(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	r.Put("a", "a")
	tr := w.tree("acme/m")
	f := save(t, tr, "b", "right")
	path := filepath.Join(tr.st.disk.path, f.name())
	lost := false
	w.hub.Fault(func(q *http.Request) *hubtest.Fault {
		switch {
		case isCommit(q):
			lost = true
			return &hubtest.Fault{After: true, Status: 502}
		case lost:
			return &hubtest.Fault{Status: 400}
		}
		return nil
	})
	if _, err := tr.Commit(ctx, CommitOptions{}); !errors.Is(err, remote.ErrUnknownOutcome) {
		t.Fatal(err)
	}
	w.hub.Fault(nil)
	w.crash()
	if err := os.WriteFile(path, make([]byte, 5), 0o600); err != nil {
		t.Fatal(err)
	}
	w.open()
	tr = w.tree("acme/m")
	commitAll(t, tr)
	if got := content(t, tr, "b"); got != "right" {
		t.Errorf("%q", got)
	}
	if got := string(r.Read("main", "b")); got != "right" || len(r.Log("main")) != 3 {
		t.Errorf("%q, %d commits", got, len(r.Log("main")))
	}
}
