package commit

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// After a failed sync no later one says that all is well.
func TestFailedSyncStays(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.EIO, syscall.ENOSPC, syscall.EDQUOT} {
		w := newWorld(t)
		w.hub.Repo("acme/m").Put("a", "a")
		tr := w.tree("acme/m")
		other := save(t, tr, "other", "o")
		fail := ""
		tr.st.disk.hook = func(op, name string) error {
			if op == "sync" && name == fail {
				return errno
			}
			return nil
		}
		for i, empty := range []func(f *File) error{
			func(f *File) error { write(t, f, "new", os.O_TRUNC); return nil },
			func(f *File) error { return f.Truncate(0) },
		} {
			f := save(t, tr, fmt.Sprintf("f%d", i), "f")
			fail = strings.TrimPrefix(f.name(), filesName+"/")
			for range 2 {
				if err := f.Sync(ctx); !errors.Is(err, errno) {
					t.Error(err)
				}
				fail = ""
				if err := f.Truncate(1); err != nil {
					t.Error(err)
				}
			}
			if err := other.Sync(ctx); err != nil {
				t.Error(err)
			}
			if err := empty(f); err != nil {
				t.Error(err)
			}
			if err := f.Sync(ctx); err != nil {
				t.Error("it was emptied:", err)
			}
		}
		if errno != syscall.EIO {
			continue // of names, see lasting
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
