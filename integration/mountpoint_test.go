package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/hubfs/hubfs/integration/proof"
)

// Where a mount cannot be, it says so in one line with what to do.
func TestMountPoints(t *testing.T) {
	hub := newHub(t)
	hub.Repo(user+"/model").Put("config.json", "{}")
	m := newMount(t, hub)
	file := filepath.Join(m.base, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	full := filepath.Join(m.base, "full")
	if err := os.MkdirAll(filepath.Join(full, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"missing":            {filepath.Join(m.base, "none")},
		"a file":             {file},
		"not empty":          {full},
		"a missing repo":     {user + "/none", m.mnt},
		"a missing revision": {user + "/model@none", m.mnt},
		"a missing folder":   {user + "/model/none", m.mnt},
		"not a repo":         {"a b/c", m.mnt},
	} {
		t.Run(name, func(t *testing.T) {
			code, out := m.run(append([]string{"mount"}, args...)...)
			if code == 0 {
				t.Errorf("exit code 0: %s", out)
			}
			oneLine(t, out)
			if mounted(m.mnt) {
				t.Error("it is mounted")
			}
		})
	}
	t.Run("mounted already", func(t *testing.T) {
		m.start()
		code, out := m.tryStart()
		if code == 0 {
			t.Errorf("exit code 0: %s", out)
		}
		oneLine(t, out)
		read(t, m.path("me/model/config.json"))
		m.must("umount", m.mnt)
	})
	t.Run("no fuse device", func(t *testing.T) {
		if os.Geteuid() != 0 {
			proof.Missing(t, "needs root for a mount namespace")
		}
		// A /dev of its own, with nothing in it but what programs need.
		script := `mount -t tmpfs none /dev && : >/dev/null && exec "$0" mount "$1"`
		cmd := exec.Command("unshare", "-m", "sh", "-c", script, binary, m.mnt)
		cmd.Env = m.env
		out, err := cmd.CombinedOutput()
		if err == nil {
			t.Error("exit code 0")
		}
		oneLine(t, string(out))
		if !strings.Contains(string(out), "/dev/fuse") {
			t.Errorf("does not name /dev/fuse: %s", out)
		}
	})
}

// A killed daemon leaves a dead mount, which the next mount there replaces.
func TestStaleMountIsReplaced(t *testing.T) {
	hub := newHub(t)
	hub.Repo(user+"/model").Put("config.json", "{}")
	m := mountHub(t, hub)
	read(t, m.path("me/model/config.json"))
	waitUntil(t, "the file is in the cache folder", func() bool {
		return m.status()["cache"].(map[string]any)["blobs"].(float64) == 1
	})
	if err := syscall.Kill(m.pid(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "the daemon is gone", func() bool { return len(processesOf(m.mnt)) == 0 })
	if code, out := m.run("status", m.mnt); code != 0 && !strings.Contains(out, "ended") {
		t.Errorf("status of a dead mount: exit code %d: %s", code, out)
	}
	m.start()
	c := requests(t, hub, func() { read(t, m.path("me/model/config.json")) })
	if n := c["resolve"].N + c["content"].N; n != 0 {
		t.Errorf("content was fetched again: %v", c)
	}
	// And umount takes a dead one away.
	if err := syscall.Kill(m.pid(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "the daemon is gone", func() bool { return len(processesOf(m.mnt)) == 0 })
	m.must("umount", m.mnt)
	if mounted(m.mnt) {
		t.Error("still mounted")
	}
}

// The ways a mount ends all commit what is staged.
func TestEveryEndCommits(t *testing.T) {
	for name, end := range map[string]func(m *mount){
		"umount(8)": func(m *mount) { m.t.Helper(); out(m.t, "umount", m.mnt) },
		"SIGTERM":   func(m *mount) { _ = syscall.Kill(m.pid(), syscall.SIGTERM) },
		"SIGINT":    func(m *mount) { _ = syscall.Kill(m.pid(), syscall.SIGINT) },
		"command":   func(m *mount) { m.must("umount", m.mnt) },
	} {
		t.Run(name, func(t *testing.T) {
			hub := newHub(t)
			repo := hub.Repo(user + "/model")
			repo.Put("a.txt", "a")
			m := mountHub(t, hub)
			if err := os.WriteFile(m.path("me/model/b.txt"), []byte("b"), 0o644); err != nil {
				t.Fatal(err)
			}
			before := len(repo.Log(""))
			end(m)
			// The next mount waits for the daemon that still commits.
			waitUntil(t, "it is unmounted", func() bool { return !mounted(m.mnt) })
			m.start()
			if got := string(read(t, m.path("me/model/b.txt"))); got != "b" {
				t.Errorf("b.txt has %q", got)
			}
			if n := len(repo.Log("")) - before; n != 1 {
				t.Errorf("%d commits, want 1", n)
			}
			if got := string(repo.Read("", "b.txt")); got != "b" {
				t.Errorf("the Hub has %q", got)
			}
		})
	}
}

// --foreground stays, logs to standard error, and ends by a signal.
func TestForeground(t *testing.T) {
	hub := newHub(t)
	hub.Repo(user+"/model").Put("config.json", "{}")
	m := newMount(t, hub)
	cmd := exec.Command(binary, "mount", "--foreground", m.mnt)
	cmd.Env = m.env
	var log strings.Builder
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "it is mounted", func() bool { return mounted(m.mnt) })
	read(t, m.path("me/model/config.json"))
	if got := m.pid(); got != cmd.Process.Pid {
		t.Errorf("the daemon is process %d, started was %d", got, cmd.Process.Pid)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, &log)
	}
	if mounted(m.mnt) {
		t.Error("still mounted")
	}
	if log.Len() == 0 {
		t.Error("nothing was logged to standard error")
	}
}

func TestShowsAsHubfs(t *testing.T) {
	m := mountHub(t, newHub(t))
	if s := out(t, "findmnt", "-n", "-o", "FSTYPE,SOURCE", m.mnt); strings.Join(strings.Fields(s), " ") != "fuse.hubfs hubfs" {
		t.Errorf("findmnt shows %q", s)
	}
	for _, f := range []string{"cmdline", "environ"} {
		if b := read(t, "/proc/"+strconv.Itoa(m.pid())+"/"+f); strings.Contains(string(b), hfToken) {
			t.Errorf("the token is in /proc/PID/%s", f)
		}
	}
	if strings.Contains(m.log(), hfToken) {
		t.Error("the token is in the log")
	}
}

// A normal user mounts through fusermount3.
func TestNormalUser(t *testing.T) {
	if os.Geteuid() != 0 {
		proof.Missing(t, "needs root to become somebody else; the other tests run as a normal user already")
	}
	if _, err := exec.LookPath("fusermount3"); err != nil {
		proof.Missing(t, err)
	}
	hub := newHub(t)
	repo := hub.Repo(user + "/model")
	repo.Put("config.json", "{}")
	m := newMount(t, hub)
	const nobody = 65534
	m.cred = &syscall.Credential{Uid: nobody, Gid: nobody}
	// The way to the folders, and the command, must be open to that user.
	open, err := os.MkdirTemp("/tmp", "hubfs-user-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(open) })
	t.Cleanup(func() { m.end() })
	if err := os.Chmod(open, 0o755); err != nil {
		t.Fatal(err)
	}
	m.base, m.mnt = open, filepath.Join(open, "mnt")
	for _, d := range []string{"mnt", "home", "cache", "state"} {
		p := filepath.Join(open, d)
		if err := os.Mkdir(p, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(p, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	m.setenv("HOME", filepath.Join(open, "home"))
	m.setenv("TMPDIR", "")
	m.setenv("HUBFS_CACHE_DIR", filepath.Join(open, "cache"))
	m.setenv("HUBFS_STATE_DIR", filepath.Join(open, "state"))
	copied := filepath.Join(open, "hubfs")
	out(t, "cp", binary, copied)
	defer func(b string) { binary = b }(binary)
	binary = copied

	m.start()
	// Root itself is shut out of a user's mount, so everything is done as that user.
	as := func(script string) string {
		t.Helper()
		cmd := exec.Command("sh", "-ec", script)
		cmd.Dir, cmd.Env = open, m.env
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: m.cred}
		b, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s\n%s", script, err, b, m.log())
		}
		return string(b)
	}
	if got := as("cat mnt/me/model/config.json"); got != "{}" {
		t.Errorf("config.json has %q", got)
	}
	as("echo new > mnt/me/model/new.txt; cp mnt/me/model/config.json mnt/me/model/copy.json; mv mnt/me/model/copy.json mnt/me/model/c.json; cat mnt/me/model/new.txt")
	m.must("umount", m.mnt)
	if mounted(m.mnt) {
		t.Error("still mounted")
	}
	if got := string(repo.Read("", "new.txt")) + string(repo.Read("", "c.json")); got != "new\n{}" {
		t.Errorf("the commit has %q", got)
	}
}
