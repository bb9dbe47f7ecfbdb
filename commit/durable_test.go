package commit

import (
	"errors"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// After a failed sync no later one says that all is well.
func TestFailedSyncStays(t *testing.T) {
	w := newWorld(t)
	w.hub.Repo("acme/m").Put("a", "a")
	tr := w.tree("acme/m")
	f, other := save(t, tr, "f", "f"), save(t, tr, "other", "o")
	fail := ""
	tr.st.disk.hook = func(op, name string) error {
		if op == "sync" && name == fail {
			return syscall.EIO
		}
		return nil
	}
	fail = seqName(f.seq)[len(filesName)+1:]
	for range 2 {
		if err := f.Sync(ctx); !errors.Is(err, syscall.EIO) {
			t.Error(err)
		}
		fail = ""
	}
	if err := other.Sync(ctx); err != nil {
		t.Error(err)
	}
	write(t, f, "new", os.O_TRUNC)
	if err := f.Sync(ctx); err != nil {
		t.Error("it was emptied:", err)
	}
	more := save(t, tr, "more", "m")
	fail = filesName
	for range 2 {
		if err := more.Sync(ctx); !errors.Is(err, syscall.EIO) {
			t.Error(err)
		}
		if err := tr.Root().Sync(ctx); !errors.Is(err, syscall.EIO) {
			t.Error(err)
		}
		fail = ""
	}
}

// A copy made of a file that was durable is durable before it has the name.
func TestCopyOfDurableFile(t *testing.T) {
	w := newWorld(t)
	w.hub.Repo("acme/m").Put("a", "a")
	tr := w.tree("acme/m")
	old := save(t, tr, "f", "old")
	if err := old.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	if ok, err := old.freeze(); !ok || err != nil { // as a commit does
		t.Fatal(ok, err)
	}
	var order []string
	tr.st.disk.hook = func(op, name string) error {
		order = append(order, op+" "+name)
		return nil
	}
	f, err := tr.Root().Edit(ctx, "f", false)
	if err != nil {
		t.Fatal(err)
	}
	tr.st.disk.hook = nil
	old.thaw()
	base := strings.TrimPrefix(f.name(), filesName+"/")
	content, entry, record := slices.Index(order, "sync "+base), slices.Index(order, "sync "+filesName), slices.Index(order, "write "+journalName)
	if content < 0 || entry < 0 || record < content || record < entry {
		t.Errorf("%q", order)
	}
}
