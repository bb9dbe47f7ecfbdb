package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// someUser is a number that no account has, so that its mounts are its own.
const someUser = 61234

// asUser makes the world's commands those of a normal user.
func (w *world) asUser() {
	w.t.Helper()
	if os.Geteuid() != 0 {
		return // the tests' user is one
	}
	// The test binary and the temporary directory are root's alone.
	w.bin = filepath.Join(w.dir, "hubfs")
	in, err := os.Open(os.Args[0])
	if err != nil {
		w.t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(w.bin, os.O_WRONLY|os.O_CREATE, 0o755)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		w.t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		w.t.Fatal(err)
	}
	os.Chmod(filepath.Dir(w.dir), 0o755)
	for _, p := range []string{w.dir, w.mnt} {
		if err := os.Chown(p, someUser, someUser); err != nil {
			w.t.Fatal(err)
		}
	}
	w.user = &syscall.Credential{Uid: someUser, Gid: someUser, NoSetGroups: false}
}

func TestNormalUserWithoutFusermount(t *testing.T) {
	needFuse(t)
	w := newWorld(t)
	w.asUser()
	w.set("PATH=" + w.dir)
	w.fails(1, "install the package fuse3", "mount", w.mnt)
}

func TestForeignDirectories(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs two users")
	}
	needFuse(t)
	w := newWorld(t)
	w.asUser()
	os.Chown(w.mnt, 0, 0)
	w.fails(1, "not writable for you", "mount", w.mnt)
	os.Chown(w.mnt, someUser, someUser)
	cache := filepath.Join(w.dir, "cache")
	os.Mkdir(cache, 0o777)
	w.fails(1, "belongs to user 0", "mount", w.mnt)
}

// inNamespace runs a command where the shell line before has changed the
// mounts, for that command alone.
func (w *world) inNamespace(line string, args ...string) result {
	w.t.Helper()
	cmd := w.command(args...)
	argv := append([]string{"-m", "sh", "-c", line + ` && exec "$0" "$@"`, w.bin}, args...)
	sh := exec.Command("unshare", argv...)
	sh.Env, sh.Dir = cmd.Env, cmd.Dir
	return w.finish(sh)
}

func TestNoFuseDevice(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs a mount namespace")
	}
	if err := exec.Command("unshare", "-m", "true").Run(); err != nil {
		t.Skip("no mount namespaces here")
	}
	w := newWorld(t)
	if r := w.inNamespace("mount -t tmpfs none /dev", "mount", w.mnt); r.code != 1 || !contains(r.err, "modprobe fuse", "--device /dev/fuse") {
		t.Errorf("exit %d: %s", r.code, r.err)
	}
}

func TestNormalUser(t *testing.T) {
	needFuse(t)
	w := newWorld(t)
	w.asUser()
	if _, err := fusermount(); err != nil {
		t.Skip(err)
	}
	w.must("mount", w.mnt)
	// The mount is the user's alone, so others have to ask through a process
	// of the user.
	sh := func(line string) result {
		cmd := exec.Command("sh", "-c", line)
		cmd.Dir = w.dir
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: w.user}
		return w.finish(cmd)
	}
	if r := sh("cat mnt/acme/model/config.json"); r.out != "{}" {
		t.Errorf("config.json: %d %s%s", r.code, r.out, r.err)
	}
	if r := sh("mkdir mnt/me/new && echo hello > mnt/me/new/a.txt"); r.code != 0 {
		t.Errorf("writing: %s", r.err)
	}
	w.must("sync", w.path("me/new"), "-m", "First")
	if got := w.titles("me/new"); len(got) != 2 || got[0] != "First" {
		t.Errorf("commits: %q", got)
	}
	w.fails(1, "user_allow_other", "mount", "--allow-other", w.mnt)
	if r := sh("echo more > mnt/me/new/b.txt"); r.code != 0 {
		t.Errorf("writing: %s", r.err)
	}
	pid := w.status().PID
	w.must("umount", w.mnt)
	if got := w.titles("me/new"); len(got) != 3 || w.isMounted() {
		t.Errorf("commits: %q, mounted: %t", got, w.isMounted())
	}
	if p, err := openProcess(pid); err == nil {
		p.Close()
		t.Error("the daemon is still there")
	}
}
