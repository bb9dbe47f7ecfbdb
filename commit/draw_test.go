package commit

import (
	"errors"
	"syscall"
	"testing"
)

// A card for which there is no room ends the commit, and its files are given back.
func TestNoRoomForModelCard(t *testing.T) {
	w := newWorld(t)
	full := false
	w.close()
	w.seam.hook = func(op, name string) error {
		if full && op == effCreate {
			return syscall.ENOSPC
		}
		return nil
	}
	w.open()
	tr, err := w.store.Create(ctx, parse(t, "alice/m"))
	if err != nil {
		t.Fatal(err)
	}
	f := save(t, tr, "a", "a")
	full = true
	if _, err := tr.Commit(ctx, CommitOptions{ModelCard: true}); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	full = false
	if f.Frozen() || tr.planning {
		t.Error("the plan is not given up")
	}
	if _, err := tr.Commit(ctx, CommitOptions{ModelCard: true}); err != nil {
		t.Fatal(err)
	}
}
