package integration

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hubfs/hubfs/remote/hubtest"
)

// Names that are not there, and repos that are closed to the caller.

func TestMissing(t *testing.T) {
	hub := newHub(t)
	hub.Repo(user+"/model").Put("config.json", "{}")
	m := mountHub(t, hub)
	for _, name := range []string{
		"me/none", "me/none/config.json", "me/model@none", "me/model@none/config.json",
		"me/model/none.txt", "me/model/config.json2", "me/model/dir/none", "datasets/me/none", "spaces/me/none",
		"me/.hidden", "me/a--b..c", "nobody/nothing",
	} {
		_, err := os.Stat(m.path(name))
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("stat %s: %v, want ENOENT", name, err)
		}
	}
	if _, err := os.Stat(m.path("me/model/config.json/x")); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("stat below a file: %v, want ENOTDIR", err)
	}
	// What the listing rules out, and what cannot be a name, costs no request.
	c := requests(t, hub, func() {
		for _, name := range []string{"me/model/none.txt", "me/model/dir/none", "me/.hidden", ".git", "me/a b"} {
			if _, err := os.Stat(m.path(name)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("stat %s: %v, want ENOENT", name, err)
			}
		}
	})
	atMost(t, c, 0, "names that cannot be")
	// A repo that appears is seen soon: a missing one is remembered for seconds only.
	if _, err := os.Stat(m.path("me/later")); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	hub.Repo(user+"/later").Put("a", "a")
	deadline := time.Now().Add(30 * time.Second)
	for {
		_, err := os.Stat(m.path("me/later/a"))
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("a repo created meanwhile is not seen: %v", err)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func TestClosedRepos(t *testing.T) {
	hub := newHub(t)
	secret, gated := hub.Repo("other/secret"), hub.Repo("other/gated")
	// Contents of their own: the cache knows bytes by their hash, so what came
	// from one repo needs no request in another.
	secret.Put("config.json", `{"secret": 1}`)
	gated.Put("config.json", `{"gated": 1}`)
	secret.SetPrivate(true)
	gated.SetGated(true)
	mine := hub.Repo(user + "/mine")
	mine.Put("config.json", "{}")
	mine.SetPrivate(true)

	t.Run("with a token", func(t *testing.T) {
		m := mountHub(t, hub)
		read(t, m.path("me/mine/config.json"))
		// The Hub does not tell a stranger's private repo from a missing one.
		if _, err := os.ReadFile(m.path("other/secret/config.json")); !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			t.Errorf("private: %v", err)
		}
		if _, err := os.ReadFile(m.path("other/gated/config.json")); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("gated: %v, want EACCES", err)
		}
		const words = "restricted"
		if _, out := m.run("info", m.path("other/gated/config.json")); !strings.Contains(strings.ToLower(out), words) {
			t.Errorf("info does not say why: %s", out)
		}
		if log := m.log(); !strings.Contains(strings.ToLower(log), words) {
			t.Errorf("the log does not say why: %s", log)
		}
		// EACCES is not kept: once accepted, the file can be read.
		gated.Grant(user)
		read(t, m.path("other/gated/config.json"))
	})
	t.Run("anonymous", func(t *testing.T) {
		m := newMount(t, hub)
		m.setenv("HF_TOKEN", "")
		m.start()
		for _, name := range []string{"other/secret/config.json", "other/gated/config.json", "me/mine/config.json"} {
			if _, err := os.ReadFile(m.path(name)); !errors.Is(err, fs.ErrPermission) && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// Who may not write is told at the first write, not at unmount.
func TestReadOnlyPlaces(t *testing.T) {
	hub := newHub(t)
	theirs, mine := hub.Repo("other/model"), hub.Repo(user+"/model")
	theirs.Put("config.json", "{}")
	sha := mine.Put("config.json", "{}")
	mine.Tag("v1", "")
	m := mountHub(t, hub)
	for _, dir := range []string{"other/model", "me/model@v1", "me/model@" + sha} {
		for what, do := range map[string]func(string) error{
			"create": func(d string) error { return os.WriteFile(filepath.Join(d, "new.txt"), nil, 0o644) },
			"edit":   func(d string) error { return os.WriteFile(filepath.Join(d, "config.json"), nil, 0o644) },
			"mkdir":  func(d string) error { return os.Mkdir(filepath.Join(d, "__pycache__"), 0o755) },
			"unlink": func(d string) error { return os.Remove(filepath.Join(d, "config.json")) },
			"rename": func(d string) error {
				return os.Rename(filepath.Join(d, "config.json"), filepath.Join(d, "c.json"))
			},
		} {
			if err := do(m.path(dir)); !errors.Is(err, syscall.EROFS) {
				t.Errorf("%s in %s: %v, want EROFS", what, dir, err)
			}
		}
		if got := string(read(t, m.path(dir, "config.json"))); got != "{}" {
			t.Errorf("%s: file has %q", dir, got)
		}
	}
	if err := os.WriteFile(m.path("me/model@main/new.txt"), nil, 0o644); err != nil {
		t.Errorf("a branch of one's own: %v", err)
	}
	// A repo that exists is neither removed nor renamed through the mount.
	if err := os.RemoveAll(m.path("me/model")); !errors.Is(err, syscall.EPERM) && !errors.Is(err, syscall.ENOTEMPTY) {
		t.Errorf("removing a repo: %v", err)
	}
	if err := os.Rename(m.path("me/model"), m.path("me/other")); !errors.Is(err, syscall.EPERM) {
		t.Errorf("renaming a repo: %v, want EPERM", err)
	}

	t.Run("--read-only", func(t *testing.T) {
		m := mountHub(t, hub, "--read-only")
		if err := os.WriteFile(m.path("me/model/new.txt"), nil, 0o644); !errors.Is(err, syscall.EROFS) {
			t.Errorf("write: %v, want EROFS", err)
		}
	})
	t.Run("anonymous", func(t *testing.T) {
		m := newMount(t, hub)
		m.setenv("HF_TOKEN", "")
		m.start()
		read(t, m.path("me/model/config.json"))
		if err := os.WriteFile(m.path("me/model/new.txt"), nil, 0o644); !errors.Is(err, syscall.EROFS) {
			t.Errorf("write: %v, want EROFS", err)
		}
	})
}

func TestBadToken(t *testing.T) {
	hub := newHub(t)
	hub.Repo(user+"/model").Put("config.json", "{}")
	m := newMount(t, hub)
	m.setenv("HF_TOKEN", "hf_wrong")
	code, out := m.tryStart()
	if code != 1 || !strings.Contains(out, "token") || strings.Contains(out, "hf_wrong") {
		t.Errorf("exit code %d: %s", code, out)
	}
	oneLine(t, out)
	if mounted(m.mnt) {
		t.Error("it is mounted all the same")
	}
	m.setenv("HF_TOKEN", "")
	m.start()
	read(t, m.path("me/model/config.json"))
}

// oneLine checks that a refusal is one line for people.
func oneLine(t *testing.T, out string) {
	t.Helper()
	if s := strings.TrimSpace(out); s == "" || strings.Contains(s, "\n") || strings.Contains(s, "panic") {
		t.Errorf("want one line that says what to do, have:\n%s", out)
	}
}

// Names that would escape or confuse are hidden and counted; the rest works.
func TestHostileTree(t *testing.T) {
	hub := newHub(t)
	repo := hub.Repo(user + "/hostile")
	repo.Put("good.txt", "good")
	const oid = `"oid":"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"`
	entry := func(path string) string { return `{"type":"file","path":"` + path + `","size":0,` + oid + `}` }
	good := `{"type":"file","path":"good.txt","size":4,"oid":"` + repo.Files("")["good.txt"].OID + `"}`
	hostile := []string{
		entry("../evil"), entry("/etc/passwd"), entry("a/../../evil"), entry(`nul\u0000byte`), entry("a//b"), entry("./x"),
		entry(strings.Repeat("n", 256)), entry("ok/../x"), entry(".."), entry("."), entry(""),
	}
	twin := []string{entry("both"), `{"type":"directory","path":"both","size":0,` + oid + `}`, entry("both/inner.txt")}
	body := "[" + strings.Join(append(append([]string{good}, hostile...), twin...), ",") + "]"
	hub.Fault(func(r *http.Request) *hubtest.Fault {
		if strings.Contains(r.URL.Path, "/tree/") {
			return &hubtest.Fault{Body: body, Header: http.Header{"Content-Type": {"application/json"}}}
		}
		return nil
	})
	m := mountHub(t, hub)
	var names []string
	entries, err := os.ReadDir(m.path("me/hostile"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	slices.Sort(names)
	for _, n := range names {
		if n != "good.txt" && n != "both" {
			t.Errorf("%q is shown", n)
		}
	}
	if !slices.Contains(names, "good.txt") {
		t.Errorf("good.txt is not shown: %q", names)
	}
	if got := string(read(t, m.path("me/hostile/good.txt"))); got != "good" {
		t.Errorf("good.txt has %q", got)
	}
	worktrees, _ := m.status()["worktrees"].([]any)
	if len(worktrees) != 1 {
		t.Fatalf("status has worktrees %v", worktrees)
	}
	if n, _ := worktrees[0].(map[string]any)["hidden"].(float64); int(n) < len(hostile) {
		t.Errorf("the status counts %v hidden names of %d", n, len(hostile))
	}
}
