package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/hubfs/hubfs/integration/proof"
)

// The test binary is a daemon that gets stuck when this variable is set, to
// the mount point.
const asStuck = "HUBFS_TEST_STUCK"

// A stuckFS never answers mkdir, and tells the kernel meanwhile that a name in
// the same directory has changed. For that the kernel wants the lock that the
// mkdir holds: if the daemon is killed then, the one waits for the other.
type stuckFS struct {
	fuse.RawFileSystem
	srv *fuse.Server
}

func (s *stuckFS) GetAttr(_ <-chan struct{}, _ *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	out.Mode, out.Ino, out.Nlink = fuse.S_IFDIR|0o755, fuse.FUSE_ROOT_ID, 2
	return fuse.OK
}

func (s *stuckFS) Lookup(<-chan struct{}, *fuse.InHeader, string, *fuse.EntryOut) fuse.Status {
	return fuse.ENOENT
}

func (s *stuckFS) StatFs(<-chan struct{}, *fuse.InHeader, *fuse.StatfsOut) fuse.Status {
	return fuse.OK
}

func (s *stuckFS) Mkdir(_ <-chan struct{}, _ *fuse.MkdirIn, name string, _ *fuse.EntryOut) fuse.Status {
	os.Stdout.WriteString("asked\n")
	s.srv.EntryNotify(fuse.FUSE_ROOT_ID, name)
	return fuse.EIO
}

func serveStuck(mnt string) {
	s := &stuckFS{RawFileSystem: fuse.NewDefaultRawFileSystem()}
	srv, err := fuse.NewServer(s, mnt, &fuse.MountOptions{FsName: "hubfs", Name: "hubfs", DirectMountStrict: true})
	if err != nil {
		os.Stdout.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
	s.srv = srv
	go srv.Serve()
	srv.WaitMount()
	os.Stdout.WriteString("mounted\n")
	srv.Wait()
	os.Exit(0)
}

// A daemon that was killed and cannot end, since one of its threads waits in
// the kernel for a lock: everything says so or cleans up, and ends.
func TestKilledDaemonThatCannotEnd(t *testing.T) {
	needFuse(t)
	if os.Geteuid() != 0 {
		proof.Missing(t, "mounts as root")
	}
	w := newWorld(t)
	for _, clean := range [][]string{{"umount", w.mnt}, {"umount", "--force", w.mnt}, {"mount", w.mnt}} {
		daemon := exec.Command(w.bin, "serve", "--options-fd", "3", "--", w.mnt)
		daemon.Env = append(os.Environ(), asStuck+"="+w.mnt)
		stdout, err := daemon.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := daemon.Start(); err != nil {
			t.Fatal(err)
		}
		said := bufio.NewScanner(stdout)
		if !said.Scan() || said.Text() != "mounted" {
			t.Fatalf("the daemon said %q", said.Text())
		}
		mkdir := exec.Command("mkdir", filepath.Join(w.mnt, "x"))
		if err := mkdir.Start(); err != nil {
			t.Fatal(err)
		}
		said.Scan()
		daemon.Process.Kill()
		if r := w.run("status", w.mnt); r.code != 1 || !contains(r.out+r.err, "has ended", "hubfs umount") {
			t.Errorf("status: %d\n%s%s", r.code, r.out, r.err)
		}
		w.fails(1, "has ended", "sync", w.path("me/new"))
		if r := w.must(clean...); !contains(r.err, "cleaned up") || w.isMounted() != (clean[0] == "mount") {
			t.Errorf("%v: mounted: %t, %s", clean, w.isMounted(), r.err)
		}
		mkdir.Wait() // the connection is no more
		daemon.Wait()
	}
	w.must("umount", w.mnt)
}
