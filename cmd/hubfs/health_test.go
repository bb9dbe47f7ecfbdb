package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/hubfs/hubfs/integration/proof"
	"golang.org/x/sys/unix"
)

// A hungFS never answers.
type hungFS struct {
	fuse.RawFileSystem
	asked, release chan struct{}
}

func (h *hungFS) wait() fuse.Status {
	select {
	case h.asked <- struct{}{}:
	default:
	}
	<-h.release
	return fuse.EIO
}

func (h *hungFS) StatFs(<-chan struct{}, *fuse.InHeader, *fuse.StatfsOut) fuse.Status {
	return h.wait()
}

func (h *hungFS) GetAttr(<-chan struct{}, *fuse.GetAttrIn, *fuse.AttrOut) fuse.Status {
	return h.wait()
}

// hang puts a mount on dir that never answers, or that is not even listened to:
// as when the daemon is gone and its connection still open.
func hang(t *testing.T, dir string, listen bool) *hungFS {
	t.Helper()
	needFuse(t)
	if os.Geteuid() != 0 {
		proof.Missing(t, "only root aborts any connection")
	}
	h := &hungFS{fuse.NewDefaultRawFileSystem(), make(chan struct{}, 1), make(chan struct{})}
	srv, err := fuse.NewServer(h, dir, &fuse.MountOptions{FsName: "hubfs", Name: "hubfs", DirectMountStrict: true})
	if err != nil {
		t.Fatal(err)
	}
	serve := sync.OnceFunc(srv.Serve)
	if listen {
		go serve()
		if err := srv.WaitMount(); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		abortMount(dir)
		close(h.release)
		unix.Unmount(dir, unix.MNT_DETACH)
		serve() // closes the connection
	})
	return h
}

func TestAbort(t *testing.T) {
	dir := t.TempDir()
	h := hang(t, dir, true)
	stat := make(chan error)
	go func() {
		var st unix.Statfs_t
		stat <- unix.Statfs(dir, &st)
	}()
	<-h.asked
	if err := abortMount(dir); err != nil {
		t.Fatal(err)
	}
	if err := <-stat; !isDead(err) {
		t.Errorf("who waited got %v", err)
	}
	if err := health(t.Context(), dir); !isDead(err) {
		t.Errorf("health: %v", err)
	}
	if err := abortMount(t.TempDir()); err == nil {
		t.Error("what is no mount was aborted")
	}
}

// No daemon is to be found, and the mount does not answer.
func TestMountThatHangsWithoutADaemon(t *testing.T) {
	t.Parallel() // it waits for time to pass
	w := newWorld(t)
	second := filepath.Join(w.dir, "second")
	if err := os.Mkdir(second, 0o755); err != nil {
		t.Fatal(err)
	}
	hang(t, w.mnt, false)
	hang(t, second, false)
	var all sync.WaitGroup
	all.Go(func() {
		if r := w.run("status", w.mnt); r.code != 1 || !contains(r.out+r.err, "has ended", "hubfs umount") {
			t.Errorf("status: %d\n%s%s", r.code, r.out, r.err)
		}
		if r := w.must("umount", filepath.Join(w.mnt, "/")); !contains(r.err, "cleaned up") || w.isMounted() {
			t.Errorf("umount: mounted: %t, %s", w.isMounted(), r.err)
		}
	})
	all.Go(func() {
		if r := w.must("mount", second); !contains(r.err, "cleaned up "+second) {
			t.Error(r.err)
		}
		w.must("umount", second)
	})
	all.Wait()
}

func TestDying(t *testing.T) {
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	p, err := openProcess(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	cmd.Process.Signal(syscall.SIGSTOP)
	if p.dying() {
		t.Error("a stopped process is dying")
	}
	cmd.Process.Kill()
	deadline := time.Now().Add(commandTime)
	for !p.dying() && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	if !p.dying() {
		t.Error("a killed process, not collected yet, is not dying")
	}
}

func TestResolveTouchesNoMount(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	mnt := filepath.Join(dir, "mnt")
	os.Mkdir(mnt, 0o755)
	os.Symlink("mnt", filepath.Join(dir, "link"))
	os.Symlink("loop", filepath.Join(dir, "loop"))
	h := hang(t, mnt, true)
	for path, want := range map[string]string{
		"mnt/a/../b": mnt + "/b", "link/a": mnt + "/a", "link": mnt, "none/x/": dir + "/none/x",
		"link/../other": dir + "/other", "loop": dir + "/loop",
	} {
		if got, err := resolve(filepath.Join(dir, "/") + "/" + path); got != want || err != nil {
			t.Errorf("resolve %s = %s, %v, want %s", path, got, err, want)
		}
	}
	select {
	case <-h.asked:
		t.Error("the mount was asked")
	default:
	}
	if _, err := resolve(""); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("resolve of nothing: %v", err)
	}
}
