package commit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hubfs/hubfs/remote/hubtest"
	"golang.org/x/sys/unix"
)

func TestEdit(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	big := pattern(3 << 20)
	r.Commit("main", "start", map[string]string{"a.txt": "a", "big.bin": big})
	tr := w.tree("acme/m")
	view(t, tr)
	d := tr.Root()
	if err := tr.Writable(ctx); err != nil {
		t.Fatal(err)
	}
	w.hub.ResetCounts()
	f, err := d.Edit(ctx, "big.bin", true)
	if err != nil || w.hub.Requests() != 0 {
		t.Fatal(err, w.hub.Requests())
	}
	if st, err := f.Stat(); err != nil || st.Size() != 0 {
		t.Error(st, err)
	}
	if _, err := tr.Discard(ctx, "big.bin"); err != nil {
		t.Fatal(err)
	}
	if got := content(t, tr, "big.bin"); got != big {
		t.Error("discard did not bring the committed file back")
	}
	f, err = d.Edit(ctx, "big.bin", false)
	if err != nil {
		t.Fatal(err)
	}
	if st, err := f.Stat(); err != nil || st.Size() != int64(len(big)) || !st.ModTime().Equal(tr.Date()) || st.Mode() != 0o644 {
		t.Error(st, err)
	}
	if again, err := d.Edit(ctx, "big.bin", false); err != nil || again != f {
		t.Error("a second copy", err)
	}
	g, err := f.Open(os.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.WriteAt([]byte("X"), 1<<20); err != nil {
		t.Fatal(err)
	}
	g.Close()
	want := []byte(big)
	want[1<<20] = 'X'
	if got := content(t, tr, "big.bin"); got != string(want) {
		t.Error("the edit is not there")
	}
	commitAll(t, tr)
	if got := r.Read("main", "big.bin"); !bytes.Equal(got, want) {
		t.Error("the commit has something else")
	}
	for _, name := range []string{"none", "dir"} {
		if name == "dir" {
			mkdir(t, tr, name)
		}
		if _, err := d.Edit(ctx, name, false); err == nil {
			t.Error(name)
		}
	}
}

// What was just committed is read without a request for content.
func TestAdopted(t *testing.T) {
	w := newWorld(t)
	w.hub.Repo("acme/m")
	tr := w.tree("acme/m")
	big := pattern(200_000)
	f := save(t, tr, "big.bin", big)
	if err := f.Chmod(0o600); err != nil {
		t.Fatal(err)
	}
	mtime := time.Now().Add(-time.Hour).Truncate(time.Second)
	if err := f.Chtimes(time.Time{}, mtime); err != nil {
		t.Fatal(err)
	}
	save(t, tr, "small", "small")
	reader, err := f.Open(os.O_RDONLY)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	commitAll(t, tr)
	w.hub.ResetCounts()
	n, err := tr.Root().Lookup(ctx, "big.bin")
	if err != nil || n.File != nil {
		t.Fatalf("%+v, %v", n, err)
	}
	if !n.Attr.Mtime.Equal(mtime) || n.Attr.Mode != 0o600 {
		t.Errorf("%+v", n.Attr)
	}
	if readNode(t, tr, n) != big || content(t, tr, "small") != "small" {
		t.Error("not what was written")
	}
	c := w.hub.Counts()
	if c[hubtest.KindResolve].N != 0 || c[hubtest.KindContent].N != 0 {
		t.Errorf("%v", c)
	}
	if b, err := io.ReadAll(reader); err != nil || string(b) != big {
		t.Error("the reader lost its bytes:", len(b), err)
	}
	if st, err := f.Stat(); err != nil || st.Size() != int64(len(big)) || st.Mode() != 0o600 || !st.ModTime().Equal(mtime) {
		t.Error(st, err)
	}
	// Renamed and edited, the attributes go along.
	mv(t, tr, "big.bin", "moved.bin")
	if n, err := tr.Root().Lookup(ctx, "moved.bin"); err != nil || !n.Attr.Mtime.Equal(mtime) {
		t.Errorf("%+v, %v", n, err)
	}
	commitAll(t, tr)
	if n, err := tr.Root().Lookup(ctx, "moved.bin"); err != nil || !n.Attr.Mtime.Equal(mtime) {
		t.Errorf("%+v, %v", n, err)
	}
	if ents, _ := os.ReadDir(tr.st.disk.path + "/files"); len(ents) != 0 {
		t.Error("left in staging:", ents)
	}
}

// A file that something can still write is left out, and waited for.
func TestBusy(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	tr := w.tree("acme/m")
	f := save(t, tr, "open", "1")
	m := save(t, tr, "mapped", strings.Repeat("m", 4096))
	save(t, tr, "quiet", "q")
	g, err := f.Open(os.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	h, err := m.Open(os.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	mem, err := unix.Mmap(int(h.Fd()), 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	h.Close() // the map goes on
	if s := tr.Status(ctx); !cmp.Equal(s.Busy, []string{"mapped", "open"}) {
		t.Error(s.Busy)
	}
	res := commitAll(t, tr)
	if !cmp.Equal(res.Busy, []string{"mapped", "open"}) || res.Files != 1 {
		t.Errorf("%+v", res)
	}
	if res := commitAll(t, tr); !res.Unchanged || len(res.Busy) != 2 {
		t.Errorf("%+v", res)
	}
	mem[7] = 'X'
	g.WriteString("23")
	looks := 0
	w.store.pause = func(_ context.Context, d time.Duration) error {
		looks++
		if looks == 3 {
			g.Close()
			unix.Munmap(mem)
		}
		return nil
	}
	res, err = tr.Commit(ctx, CommitOptions{Wait: 10 * lockPoll})
	if err != nil || len(res.Busy) != 0 || looks != 3 {
		t.Errorf("%+v, %v, %d looks", res, err, looks)
	}
	want := map[string]string{"open": "23", "mapped": strings.Repeat("m", 7) + "X" + strings.Repeat("m", 4088), "quiet": "q"}
	if d := cmp.Diff(want, remoteFiles(r)); d != "" {
		t.Error(d)
	}
}

// Without leases our own descriptors count, and the content is read twice.
func TestNoLeases(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	tr := w.tree("acme/m")
	f := save(t, tr, "a", "a")
	tr.st.noLease = func(*os.File) (bool, error) { return false, errNoLease }
	g, err := f.Open(os.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	if res := commitAll(t, tr); len(res.Busy) != 1 {
		t.Errorf("%+v", res)
	}
	g.Close()
	save(t, tr, "b", "b")
	path := tr.st.disk.path + "/" + f.name()
	if _, err := tr.Commit(ctx, CommitOptions{Progress: func(e Event) {
		if e.Phase == "commit" { // somebody whom nothing keeps from it
			if err := os.WriteFile(path, []byte("later"), 0o600); err != nil {
				t.Error(err)
			}
		}
	}}); err == nil {
		if got := content(t, tr, "a"); got != "later" {
			t.Errorf("%q", got)
		}
		commitAll(t, tr)
	}
	if got := remoteFiles(r); got["a"] != "later" || got["b"] != "b" {
		t.Error(got)
	}
}

func TestWriteWhileCommitting(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	tr := w.tree("acme/m")
	f := save(t, tr, "a", "one")
	done := false
	if _, err := tr.Commit(ctx, CommitOptions{Progress: func(e Event) {
		if e.Phase != "commit" || done {
			return
		}
		done = true
		if _, err := f.Open(os.O_WRONLY); !errors.Is(err, ErrFrozen) {
			t.Error(err)
		}
		if err := f.Truncate(0); !errors.Is(err, ErrFrozen) {
			t.Error(err)
		}
		g, err := tr.Root().Edit(ctx, "a", false)
		if err != nil || g == f {
			t.Fatal(err)
		}
		write(t, g, " two", os.O_APPEND)
	}}); err != nil {
		t.Fatal(err)
	}
	if got := string(r.Read("main", "a")); got != "one" {
		t.Error(got)
	}
	if got := content(t, tr, "a"); got != "one two" || !tr.Dirty() {
		t.Error(got)
	}
	commitAll(t, tr)
	if got := string(r.Read("main", "a")); got != "one two" || tr.Dirty() {
		t.Error(got)
	}
}

func TestUnlinkedOpen(t *testing.T) {
	w := newWorld(t)
	w.hub.Repo("acme/m")
	tr := w.tree("acme/m")
	files := func() int { ents, _ := os.ReadDir(tr.st.disk.path + "/files"); return len(ents) }
	f := save(t, tr, "a", "a")
	g, err := f.Open(os.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	rm(t, tr, "a")
	if _, err := tr.Root().Lookup(ctx, "a"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if _, err := g.WriteString("more"); err != nil {
		t.Error(err)
	}
	if st, err := f.Stat(); err != nil || st.Size() != 4 || st.Sys().(*syscall.Stat_t).Nlink != 0 {
		t.Error(st, err)
	}
	h, err := f.Open(os.O_RDONLY)
	if err != nil {
		t.Fatal("it can't be opened again:", err)
	}
	if err := f.Sync(ctx); err != nil {
		t.Error(err)
	}
	if files() != 1 {
		t.Error(files())
	}
	h.Close()
	g.Close()
	save(t, tr, "b", "b")
	rm(t, tr, "b")
	if files() != 0 {
		t.Error(files(), "files are left of what is gone")
	}
	if _, err := f.Open(os.O_RDONLY); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if _, err := f.Stat(); err != nil {
		t.Error(err)
	}
	if tr.Dirty() {
		t.Error(tr.Status(ctx))
	}
}

func TestRoomIsFreeAfterTheLastClose(t *testing.T) {
	w := newWorld(t)
	w.hub.Repo("acme/m")
	tr := w.tree("acme/m")
	f := save(t, tr, "a", "a")
	g, err := f.Open(os.O_RDONLY)
	if err != nil {
		t.Fatal(err)
	}
	f.Closed()
	rm(t, tr, "a")
	f.Closed() // of another descriptor: g still reads
	if b, err := io.ReadAll(g); err != nil || string(b) != "a" {
		t.Errorf("%q %v", b, err)
	}
	g.Close()
	f.Closed()
	if ents, _ := os.ReadDir(tr.st.disk.path + "/files"); len(ents) != 0 {
		t.Error(ents)
	}
	f.Closed()
}

// A second writer gets the very file that the first one has open, however often
// a commit asks for it meanwhile.
func TestBusyFileIsNeverSeenFrozen(t *testing.T) {
	w := newWorld(t)
	w.hub.Repo("acme/m")
	tr := w.tree("acme/m")
	f := save(t, tr, "a", "a")
	g, err := f.Open(os.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 2000 {
			if frozen, err := f.freeze(); frozen || err != nil {
				t.Error("frozen under a writer:", frozen, err)
				return
			}
		}
	}()
	for asking := true; asking; {
		select {
		case <-done:
			asking = false
		default:
		}
		h, err := f.Open(os.O_RDWR)
		if err != nil {
			t.Error(err)
			break
		}
		h.Close()
		if f.Frozen() {
			t.Error("a file with a writer is frozen")
			break
		}
	}
	<-done
}

func TestNames(t *testing.T) {
	w := newWorld(t)
	r := w.hub.Repo("acme/m")
	tr := w.tree("acme/m")
	d := tr.Root()
	for name, want := range map[string]error{
		"": syscall.EINVAL, ".": syscall.EINVAL, "..": syscall.EINVAL, "a/b": syscall.EINVAL, "a\x00b": syscall.EINVAL,
		strings.Repeat("x", 256): syscall.ENAMETOOLONG, "\xff": syscall.EILSEQ, "a\xc3": syscall.EILSEQ,
	} {
		_, err := d.Create(ctx, name, 0o644, true)
		_, err2 := d.Mkdir(ctx, name, 0o755)
		save(t, tr, "ok", "ok")
		err3 := d.Rename(ctx, "ok", d, name, 0)
		for _, err := range []error{err, err2, err3} {
			if !errors.Is(err, want) {
				t.Errorf("%q: %v", name, err)
			}
		}
	}
	good := []string{strings.Repeat("x", 255), "ü €", "a\nb", "\"q\" \\", "<&>", "-", "~", "\u2028", " "}
	for _, name := range good {
		save(t, tr, name, name)
	}
	before := view(t, tr)
	w.crash()
	w.open()
	tr = w.tree("acme/m")
	if d := cmp.Diff(before, view(t, tr)); d != "" {
		t.Error(d)
	}
	commitAll(t, tr)
	if got := remoteFiles(r); len(got) != len(good) { // "ok" more, the backslash less
		t.Error(got)
	}
	if d := cmp.Diff(before, view(t, tr)); d != "" {
		t.Error(d)
	}
}

func TestRemovedDir(t *testing.T) {
	w := newWorld(t)
	w.hub.Repo("acme/m").Put("d/a", "a")
	tr := w.tree("acme/m")
	d, _ := at(t, tr, "d/a")
	rm(t, tr, "d/a")
	if err := tr.Root().Rmdir(ctx, "d"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Create(ctx, "x", 0o644, true); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if _, err := d.Lookup(ctx, "a"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if names, err := d.List(ctx); err != nil || len(names) != 0 {
		t.Error(names, err)
	}
	nd := mkdir(t, tr, "d")
	if nd == d {
		t.Error("the same object")
	}
	if names, err := nd.List(ctx); err != nil || len(names) != 0 {
		t.Error("a new directory shows the old one:", names, err)
	}
}

// A large directory: many names, and the time of nothing grows with them.
func TestManyFiles(t *testing.T) {
	w := newWorld(t)
	w.hub.Repo("acme/m")
	tr := w.tree("acme/m")
	n := compactAfter + 500 // the journal is shortened meanwhile
	for i := range n {
		if _, err := tr.Root().Create(ctx, fmt.Sprintf("f%06d", i), 0o644, true); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n / 2 {
		rm(t, tr, fmt.Sprintf("f%06d", i))
	}
	for range 2 * n {
		save(t, tr, "tmp", "")
		rm(t, tr, "tmp")
	}
	if got := tr.st.journal.length(); got > 4*n {
		t.Errorf("the journal has %d records", got)
	}
	w.crash()
	w.open()
	tr = w.tree("acme/m")
	if names, err := tr.Root().List(ctx); err != nil || len(names) != n/2+1 {
		t.Error(len(names), err)
	}
	if s := tr.Status(ctx); len(s.Staged) != n/2 {
		t.Error(len(s.Staged))
	}
	if got := tr.st.journal.length(); got > n {
		t.Errorf("the journal still has %d records", got)
	}
}
