package fs

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/hubfs/hubfs/integration/proof"
	"github.com/hubfs/hubfs/remote/hubtest"
	"golang.org/x/sys/unix"
)

func (f *fixture) failWith(part string, fault hubtest.Fault) {
	f.hub.Fault(func(r *http.Request) *hubtest.Fault {
		if strings.Contains(r.URL.Path, part) {
			return &fault
		}
		return nil
	})
}

// An error is not remembered: the next try asks again.
func TestErrorsAreNotKept(t *testing.T) {
	f := mountHub(t, opts{Fill: func(h *hubtest.Hub) {
		h.Repo("acme/m").Commit("main", "all", map[string]string{"a": "1", "b": "2"})
		h.Repo("other/gated").Put("file", "gated")
		h.Repo("other/gated").SetGated(true)
	}})
	f.failWith("/api/models/acme/m", hubtest.Fault{Status: 403, Body: `{"error":"no"}`})
	_, err := os.Stat(f.path("acme/m"))
	wantErrno(t, err, syscall.EACCES)
	f.hub.Fault(nil)
	_, err = os.Stat(f.path("acme/m/a"))
	must(t, err)
	f.failWith("/resolve/", hubtest.Fault{Status: 404, Body: `{"error":"gone"}`})
	_, err = os.ReadFile(f.path("acme/m/a"))
	if err == nil {
		t.Error("read something")
	}
	f.hub.Fault(nil)
	wantContent(t, f.path("acme/m/a"), "1")
	_, err = os.ReadFile(f.path("other/gated/file"))
	wantErrno(t, err, syscall.EACCES)
	f.hub.Repo("other/gated").Grant("me")
	wantContent(t, f.path("other/gated/file"), "gated")
	if errs := f.srv.Status().Errors; len(errs) == 0 || !strings.Contains(strings.Join(errs, "\n"), "other/gated/file") {
		t.Errorf("the status tells of %q", errs)
	}
}

// Wrong bytes are never given out, and other files go on being served.
func TestWrongBytes(t *testing.T) {
	f := mountHub(t, opts{Repo: "acme/m", Fill: func(h *hubtest.Hub) {
		h.Repo("acme/m").Commit("main", "all", map[string]string{"bad": "these bytes", "good": "fine"})
	}})
	f.hub.Fault(func(r *http.Request) *hubtest.Fault {
		if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/bad") {
			return &hubtest.Fault{Flip: 3}
		}
		return nil
	})
	_, err := os.ReadFile(f.path("bad"))
	wantErrno(t, err, syscall.EIO)
	wantContent(t, f.path("good"), "fine")
}

// small is a tmpfs for state or cache.
func small(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=700,size="+size); err != nil {
		proof.Missing(t, "needs a tmpfs:", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

func TestNoSpaceWhileStaging(t *testing.T) {
	for _, passthrough := range []bool{true, false} {
		f := mountHub(t, opts{Options: Options{noPassthrough: !passthrough}, Repo: "me/m", State: small(t, "1m"), Fill: func(h *hubtest.Hub) { h.Repo("me/m").Put("a", "1") }})
		w, err := os.Create(f.path("large"))
		must(t, err)
		n, err := w.WriteString(noise(4 << 20))
		if !errors.Is(err, syscall.ENOSPC) || n == 0 {
			t.Errorf("passthrough %v: wrote %d, %v, want ENOSPC after some", passthrough, n, err)
		}
		w.Close()
		must(t, os.Remove(f.path("large")))
		f.eventually("there is room again", func() bool { return os.WriteFile(f.path("b"), []byte(noise(100<<10)), 0o644) == nil })
		wantContent(t, f.path("a"), "1")
		wantContent(t, f.path("b"), noise(100<<10))
	}
}

func TestNoSpaceWhileCaching(t *testing.T) {
	want := noise(8 << 20)
	f := mountHub(t, opts{Repo: "acme/m", Cache: small(t, "2m"), Fill: func(h *hubtest.Hub) { h.Repo("acme/m").Put("file", want) }})
	wantContent(t, f.path("file"), want)
}

// The same without passthrough: everything a staged file can do.
func TestStagedWithoutPassthrough(t *testing.T) {
	f := mountHub(t, opts{Options: Options{noPassthrough: true}, Repo: "me/m", Fill: func(h *hubtest.Hub) { h.Repo("me/m").Put("blob", noise(100_000)) }})
	path := f.path("file")
	w, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	must(t, err)
	_, err = w.WriteAt([]byte("hello world"), 0)
	must(t, err)
	b := make([]byte, 5)
	_, err = w.ReadAt(b, 6)
	must(t, err)
	if string(b) != "world" {
		t.Errorf("read %q", b)
	}
	must(t, w.Truncate(5))
	must(t, w.Sync())
	a, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	must(t, err)
	_, err = a.WriteString(" again")
	must(t, err)
	must(t, a.Close())
	wantContent(t, path, "hello again")
	must(t, unix.Fallocate(int(w.Fd()), 0, 0, 1<<20))
	if off, err := unix.Seek(int(w.Fd()), 0, unix.SEEK_HOLE); err != nil || off == 0 {
		t.Errorf("SEEK_HOLE: %d, %v", off, err)
	}
	must(t, w.Truncate(11))
	must(t, w.Close())
	must(t, patch(f.path("blob"), os.O_RDWR, "XYZ", 50_000))
	if got := read(t, f.path("blob")); got != noise(100_000)[:50_000]+"XYZ"+noise(100_000)[50_003:] {
		t.Errorf("edited blob: %s", brief(got))
	}
	must(t, os.Rename(path, f.path("sub")))
	f.idle("sub")
	f.idle("blob")
	f.commit()
	if got := string(f.hub.Repo("me/m").Read("", "sub")); got != "hello again" {
		t.Errorf("the Hub has %q", got)
	}
	runChild(t, "map", f.path("sub"), f.path("sub"))
}

// A commit that is sent while a file is edited: the edit goes to a fresh copy,
// and who has the file open from before keeps it.
func TestEditWhileCommitting(t *testing.T) {
	f := mine(t, map[string]string{"a": "1"})
	write(t, f.path("file"), "committed")
	f.idle("file")
	g := f.hold("/commit/")
	done := make(chan error)
	go func() { done <- f.srv.Sync(t.Context(), SyncRequest{All: true}, nil) }()
	<-g.waiting
	reader, err := os.Open(f.path("file"))
	must(t, err)
	defer reader.Close()
	must(t, patch(f.path("file"), os.O_WRONLY|os.O_APPEND, " and more", -1))
	must(t, os.Truncate(f.path("file"), 13))
	wantContent(t, f.path("file"), "committed and")
	close(g.open)
	must(t, <-done)
	if got := string(f.hub.Repo("me/m").Read("", "file")); got != "committed" {
		t.Errorf("the Hub has %q", got)
	}
	b, err := io.ReadAll(reader)
	must(t, err)
	if string(b) != "committed" {
		t.Errorf("the reader has %q", b)
	}
	wantContent(t, f.path("file"), "committed and")
	f.hub.Fault(nil)
	f.idle("file")
	f.commit()
	if got := string(f.hub.Repo("me/m").Read("", "file")); got != "committed and" {
		t.Errorf("the Hub has %q", got)
	}
}

// What others committed shows after the next commit here, names that have gone
// and names that were missing included.
func TestNamesAfterRebase(t *testing.T) {
	f := mine(t, map[string]string{"stays": "1", "changes": "2", "goes": "3", "d/x": "4"})
	for _, name := range []string{"stays", "changes", "goes", "d/x"} {
		read(t, f.path(name))
	}
	for _, name := range []string{"comes", "d/comes"} {
		if _, err := os.Stat(f.path(name)); !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	old, err := os.Open(f.path("changes"))
	must(t, err)
	defer old.Close()
	f.hub.Repo("me/m").Commit("main", "others", map[string]string{"changes": "two", "comes": "new", "d/comes": "new"}, "goes")
	write(t, f.path("mine"), "m")
	f.idle("mine")
	f.commit()
	f.eventually("the kernel knows", func() bool {
		_, gone := os.Stat(f.path("goes"))
		b, _ := os.ReadFile(f.path("changes"))
		_, err1 := os.Stat(f.path("comes"))
		_, err2 := os.Stat(f.path("d/comes"))
		return os.IsNotExist(gone) && string(b) == "two" && err1 == nil && err2 == nil
	})
	b, err := io.ReadAll(old)
	must(t, err)
	if string(b) != "2" {
		t.Errorf("the reader from before has %q", b)
	}
	wantNames(t, f.mnt, ".gitattributes", "stays", "changes", "comes", "d", "mine")
	wantContent(t, f.path("stays"), "1")
}

// What is written by passthrough is warm after the commit: no byte is fetched.
func TestCommittedIsWarm(t *testing.T) {
	f := mine(t, map[string]string{"a": "1"})
	write(t, f.path("big"), noise(1<<20))
	must(t, os.Chmod(f.path("big"), 0o600))
	st, err := os.Stat(f.path("big"))
	must(t, err)
	f.idle("big")
	f.commit()
	f.hub.ResetCounts()
	f.eventually("the name is the blob's", func() bool {
		_, err := os.ReadFile(f.path("big"))
		_, blob := operations(f.srv.m.rootInode.GetChild("big")).(*blobNode)
		return err == nil && blob
	})
	if n := f.ops("read", func() { wantContent(t, f.path("big"), noise(1<<20)) }); n != 0 {
		t.Errorf("%d FUSE reads", n)
	}
	// The new commit's tree may be listed; no byte of it is fetched.
	for kind, c := range f.hub.Counts() {
		if kind != hubtest.KindTree {
			t.Errorf("%d requests of kind %s", c.N, kind)
		}
	}
	now, err := os.Stat(f.path("big"))
	must(t, err)
	if !now.ModTime().Equal(st.ModTime()) || now.Mode() != st.Mode() {
		t.Errorf("time and mode were %v %v, are %v %v", st.ModTime(), st.Mode(), now.ModTime(), now.Mode())
	}
}

// A reopen through /proc has no path to walk again; the name is right all the
// same afterwards.
func TestReopenByProc(t *testing.T) {
	f := mine(t, map[string]string{"a": "12345"})
	r, err := os.Open(f.path("a"))
	must(t, err)
	defer r.Close()
	_, err = os.OpenFile(filepath.Join("/proc/self/fd", strconv.Itoa(int(r.Fd()))), os.O_WRONLY|os.O_TRUNC, 0)
	wantErrno(t, err, syscall.ESTALE)
	f.eventually("the kernel knows the staged file", func() bool {
		b, err := os.ReadFile(f.path("a"))
		return err == nil && len(b) == 0
	})
	b, err := io.ReadAll(r)
	must(t, err)
	if string(b) != "12345" {
		t.Errorf("the reader has %q", b)
	}
}

// A connection that breaks is an error, and never a file that ends in zeros.
func TestBrokenConnection(t *testing.T) {
	f := mountHub(t, opts{Repo: "acme/m", Fill: fillModel})
	read(t, f.path("config.json"))
	f.hub.Fault(func(r *http.Request) *hubtest.Fault { return &hubtest.Fault{Drop: true} })
	for _, name := range []string{"big.bin", "sub/other.txt"} {
		_, err := os.ReadFile(f.path(name))
		wantErrno(t, err, syscall.EIO)
	}
	wantContent(t, f.path("config.json"), `{"a": 1}`)
	f.hub.Fault(nil)
	wantContent(t, f.path("big.bin"), noise(3<<20))
	wantContent(t, f.path("sub/other.txt"), "other")
}
