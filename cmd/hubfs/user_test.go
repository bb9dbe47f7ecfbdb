package main

import (
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/hubfs/hubfs/integration/proof"
)

// asUser makes the world's commands those of a normal user.
func (w *world) asUser() {
	w.t.Helper()
	if os.Geteuid() != 0 {
		return // the tests' user is one
	}
	// fusermount3 wants a user with a name.
	nobody, err := user.Lookup("nobody")
	if err != nil {
		proof.Missing(w.t, err)
	}
	uid, _ := strconv.Atoi(nobody.Uid)
	gid, _ := strconv.Atoi(nobody.Gid)
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
		if err := os.Chown(p, uid, gid); err != nil {
			w.t.Fatal(err)
		}
	}
	w.user = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func needNamespace(t *testing.T) {
	t.Helper()
	if err := exec.Command("unshare", "-m", "true").Run(); err != nil || os.Geteuid() != 0 {
		proof.Missing(t, "no mount namespaces for this user")
	}
}

// openDevice makes /dev/fuse what distributions have, open to all.
const openDevice = `mknod fuse c 10 229; chmod 666 fuse; mount --bind fuse /dev/fuse; rm fuse`

// inNamespace runs a shell script as the world's user, where root's line before
// has changed the mounts for that script alone. The command is "$0" in it.
func (w *world) inNamespace(line, script string) result {
	w.t.Helper()
	needNamespace(w.t)
	args := []string{"-m", "sh", "-ec", line + "\n" + `exec "$@"`, "sh"}
	if w.user != nil {
		args = append(args, "setpriv", "--clear-groups",
			"--reuid", strconv.Itoa(int(w.user.Uid)), "--regid", strconv.Itoa(int(w.user.Gid)))
	}
	cmd := exec.Command("unshare", append(args, "sh", "-ec", script, w.bin)...)
	cmd.Env, cmd.Dir = w.env, w.dir
	return w.finish(cmd)
}

func TestNoFuseDevice(t *testing.T) {
	w := newWorld(t)
	r := w.inNamespace("mount -t tmpfs none /dev", `"$0" mount mnt`)
	if r.code != 1 || !contains(r.err, "modprobe fuse", "--device /dev/fuse") {
		t.Errorf("exit %d: %s", r.code, r.err)
	}
}

func TestWhatNormalUsersLack(t *testing.T) {
	needFuse(t)
	w := newWorld(t)
	w.asUser()
	root := filepath.Join(w.dir, "of-root")
	os.Mkdir(root, 0o755)
	for _, c := range []struct{ words, device, script string }{
		{"install the package fuse3", openDevice, `PATH=/nonexistent "$0" mount mnt`},
		{"chmod a+rw /dev/fuse", openDevice + "; chmod 600 /dev/fuse", `"$0" mount mnt`},
		{"not writable for you", openDevice, `"$0" mount of-root`},
		{"belongs to user 0", openDevice, `"$0" mount --cache-dir of-root mnt`},
		{"user_allow_other", openDevice + "; echo > conf; touch /etc/fuse.conf; mount --bind conf /etc/fuse.conf", `"$0" mount --allow-other mnt`},
	} {
		if r := w.inNamespace(c.device, c.script); r.code != 1 || !contains(r.err, c.words) {
			t.Errorf("exit %d, want %q: %s", r.code, c.words, r.err)
		}
	}
}

// A normal user mounts, reads, writes, commits and unmounts by fusermount3.
func TestNormalUser(t *testing.T) {
	needFuse(t)
	w := newWorld(t)
	w.asUser()
	if _, err := fusermount(); err != nil {
		proof.Missing(t, err)
	}
	r := w.inNamespace(openDevice, `
"$0" mount mnt
cat mnt/acme/model/config.json
mkdir mnt/me/new
echo hello > mnt/me/new/a.txt
"$0" sync mnt/me/new -m First
"$0" info mnt/acme/model/config.json
echo more > mnt/me/new/b.txt
( cd mnt/me && "$0" umount ../../mnt ) 2>&1 || echo "exit $?"
"$0" umount mnt
if grep "fuse.hubfs.*$PWD" /proc/self/mountinfo; then exit 9; fi
`)
	if r.code != 0 || !contains(r.out, "as me", "{}", "is busy", "exit 5") {
		t.Errorf("exit %d\n%s%s\n%s", r.code, r.out, r.err, w.log())
	}
	if got := w.titles("me/new"); len(got) != 3 || got[1] != "First" {
		t.Errorf("commits: %q", got)
	}
}

// Another user's mount is neither shown nor an error where no path is given.
func TestMountOfAnotherUser(t *testing.T) {
	needFuse(t)
	w := newWorld(t)
	if os.Geteuid() != 0 {
		proof.Missing(t, "only root has two users")
	}
	w.asUser()
	nobody := w.user
	w.user = nil
	w.must("mount", w.mnt)
	w.write("me/new/a.txt", "a")
	w.user = nobody
	for _, args := range [][]string{{"status"}, {"diff"}, {"diff", "--json"}} {
		if r := w.must(args...); contains(r.out, "a.txt") || r.err != "" {
			t.Errorf("%v: %s%s", args, r.out, r.err)
		}
	}
	w.fails(exitFailed, "belongs to another user", "diff", w.mnt)
	w.user = nil
	w.must("umount", "--force", w.mnt)
}
