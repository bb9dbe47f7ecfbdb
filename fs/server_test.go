package fs

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/hubfs/hubfs/integration/proof"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// A mount that ends while the kernel still holds back a RELEASE: nothing is
// busy afterwards, and everything can be committed.
func TestHandlesEndWithTheMount(t *testing.T) {
	f := mine(t, map[string]string{"a": "1"})
	for range 20 {
		w, err := os.Create(f.path("file"))
		must(t, err)
		_, err = w.WriteString("x")
		must(t, err)
		w.Close()
		must(t, unix.Unmount(f.mnt, unix.MNT_DETACH))
		f.srv.Wait()
		must(t, f.srv.Sync(context.Background(), SyncRequest{All: true, Unmount: true}, nil))
		f.end()
		f.mount()
	}
	if err := f.srv.Unmount(); err != nil {
		t.Errorf("unmount: %v", err)
	}
	if err := f.srv.Unmount(); err != nil {
		t.Errorf("unmount once more: %v", err)
	}
}

func TestUnmountWhileBusy(t *testing.T) {
	f := mine(t, map[string]string{"a": "1"})
	r, err := os.Open(f.path("a"))
	must(t, err)
	if err := f.srv.Unmount(); errnoOf(err) != unix.EBUSY {
		t.Errorf("unmount of a busy mount: %v", err)
	}
	wantContent(t, f.path("a"), "1")
	r.Close()
}

// A connection that is aborted ends what is still going on, so that the daemon
// can end.
func TestAbort(t *testing.T) {
	f := mountHub(t, opts{Repo: "acme/m", Fill: fillModel})
	g := f.hold("/resolve/")
	cmd := child(t, "cat", f.path("big.bin"))
	must(t, cmd.Start())
	<-g.waiting
	var st unix.Stat_t
	must(t, unix.Stat(f.mnt, &st))
	abort := fmt.Sprintf("/sys/fs/fuse/connections/%d/abort", unix.Minor(st.Dev))
	if err := os.WriteFile(abort, []byte("1"), 0); err != nil {
		cmd.Process.Kill()
		proof.Missing(t, "needs fusectl:", err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the reader saw no error")
	}
	f.srv.Wait()
	must(t, unix.Unmount(f.mnt, 0))
	close(g.open)
}

// Everything that was started has ended with the mount.
func TestNothingIsLeftRunning(t *testing.T) {
	before := goleak.IgnoreCurrent()
	f := mountHub(t, opts{Fill: fillHub})
	wantContent(t, f.path("gpt2/config.json"), "v2")
	write(t, f.path("acme/new-name/x"), "x")
	log, err := os.Open(f.path(".hubfs/log"))
	must(t, err)
	read(t, f.path(".hubfs/status"))
	must(t, log.Close())
	f.idle("acme/new-name/x")
	f.commit()
	f.end()
	must(t, f.hub.Close())
	goleak.VerifyNone(t, before)
}
