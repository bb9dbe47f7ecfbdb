package commit

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hubfs/hubfs/remote/hubtest"
)

// A repo that a commit is just making is not removed or renamed, and nobody
// waits to be told so.
func TestNewRepoBusy(t *testing.T) {
	w := newWorld(t)
	repo, to := parse(t, "acme/new"), parse(t, "acme/newer")
	tr, err := w.store.Create(ctx, repo)
	if err != nil {
		t.Fatal(err)
	}
	save(t, tr, "a", "a")
	var once sync.Once
	var remove, rename error
	w.hub.Fault(func(q *http.Request) *hubtest.Fault {
		once.Do(func() { remove, rename = w.store.RemoveNew(repo), w.store.RenameNew(repo, to) })
		return nil
	})
	commitAll(t, tr)
	if !errors.Is(remove, syscall.EBUSY) || !errors.Is(rename, syscall.EBUSY) {
		t.Error(remove, rename)
	}
}

// While another process has the lock, callers can give up and Close ends.
func TestGiveUpWaiting(t *testing.T) {
	w := newWorld(t)
	w.hub.Repo("acme/m").Put("a", "a")
	other, err := Open(ctx, w.store.o)
	if err != nil {
		t.Fatal(err)
	}
	tr := w.tree("acme/m")
	o, err := other.Worktree(ctx, parse(t, "acme/m"))
	if err != nil {
		t.Fatal(err)
	}
	save(t, o, "b", "b") // it has the lock now
	waiting := make(chan struct{})
	var once sync.Once
	w.store.pause = func(ctx context.Context, _ time.Duration) error {
		once.Do(func() { close(waiting) })
		<-ctx.Done()
		return ctx.Err()
	}
	ended := make(chan error)
	go func() { ended <- tr.Writable(ctx) }()
	<-waiting
	short, stop := context.WithCancel(ctx)
	stop()
	if err := tr.Writable(short); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	w.close()
	if err := <-ended; err == nil {
		t.Error("it has the state")
	}
	if err := other.Close(); err != nil {
		t.Error(err)
	}
}

// Damage that another process left is not written over by who was mounted
// before it came.
func TestDamageOfAnother(t *testing.T) {
	w := newWorld(t)
	w.hub.Repo("acme/m").Put("a", "a")
	tr := w.tree("acme/m")
	other, err := Open(ctx, w.store.o)
	if err != nil {
		t.Fatal(err)
	}
	o, err := other.Worktree(ctx, parse(t, "acme/m"))
	if err != nil {
		t.Fatal(err)
	}
	save(t, o, "b", "precious")
	dir := o.st.disk.path
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(dir, journalName), 0); err != nil {
		t.Fatal(err)
	}
	if err := tr.Writable(ctx); !errors.Is(err, syscall.EROFS) {
		t.Error(err)
	}
	if _, err := w.store.Create(ctx, parse(t, "acme/m")); !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
	w.reopen()
	w.tree("acme/m")
	if b, err := os.ReadFile(filepath.Join(dir, "damaged-1", "1")); string(b) != "precious" {
		t.Error(string(b), err)
	}
}
