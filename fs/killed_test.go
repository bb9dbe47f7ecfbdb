package fs

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/hubfs/hubfs/commit"
	"github.com/hubfs/hubfs/remote/hubtest"
	"golang.org/x/sys/unix"
)

// A daemon that is killed: what is open by passthrough goes on, everything else
// answers at once, and what was written is there at the next mount, busy until
// it is closed.
func TestKilledDaemon(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	hub := startHub(t)
	hub.Repo("me/m").Put("blob", noise(1<<20))
	c := daemonIn(hub, dir, "me/m")
	must(t, os.Mkdir(c.Mnt, 0o755))
	d := must1(startDaemon(c))(t)
	t.Cleanup(d.kill)
	t.Cleanup(func() {
		if t.Failed() {
			c.showLog(t)
		}
	})

	path := func(name string) string { return filepath.Join(c.Mnt, name) }
	write(t, path("closed"), "written and closed")
	w, err := os.OpenFile(path("open"), os.O_RDWR|os.O_CREATE, 0o644)
	must(t, err)
	_, err = w.WriteString("before")
	must(t, err)
	var r *os.File // of the blob, by passthrough
	eventually(t, "the blob is whole", func() bool {
		read(t, path("blob"))
		var st Status
		must(t, json.Unmarshal([]byte(read(t, path(".hubfs/status"))), &st))
		return st.Cache.Blobs > 0
	})
	r, err = os.Open(path("blob"))
	must(t, err)
	must(t, d.cmd.Process.Kill())
	d.cmd.Wait()

	_, err = w.WriteString(", after")
	must(t, err)
	b, err := io.ReadAll(r)
	must(t, err)
	if string(b) != noise(1<<20) {
		t.Error("the blob reads wrong")
	}
	for what, err := range map[string]error{
		"fstat": func() error { _, err := w.Stat(); return err }(), "fsync": w.Sync(),
		"truncate": w.Truncate(0), "open": func() error { _, err := os.Open(path("closed")); return err }(),
	} {
		if !errors.Is(err, syscall.ENOTCONN) {
			t.Errorf("%s: %v, want ENOTCONN", what, err)
		}
	}
	must(t, unix.Unmount(c.Mnt, unix.MNT_DETACH))

	f := mountHub(t, opts{Repo: "me/m", Cache: c.Cache, State: c.State, Fill: func(*hubtest.Hub) {}, Use: hub})
	wantContent(t, f.path("closed"), "written and closed")
	wantContent(t, f.path("open"), "before, after")
	res, err := f.store.Opened()[0].Commit(t.Context(), commit.CommitOptions{})
	must(t, err)
	if len(res.Busy) != 1 || res.Busy[0] != "open" || res.Files != 1 {
		t.Errorf("with the old writer alive: %+v", res)
	}
	_, err = w.WriteString(", and on")
	must(t, err)
	w.Close()
	r.Close()
	f.commit()
	if got := string(hub.Repo("me/m").Read("", "open")); got != "before, after, and on" {
		t.Errorf("the Hub has %q", got)
	}
}
