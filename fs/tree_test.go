package fs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hubfs/hubfs/remote"
	"github.com/hubfs/hubfs/remote/hubtest"
	"golang.org/x/sys/unix"
)

func namesIn(t *testing.T, dir string) (out []string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range list {
		out = append(out, e.Name())
	}
	slices.Sort(out)
	return out
}

func wantNames(t *testing.T, dir string, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := namesIn(t, dir); !slices.Equal(got, want) {
		t.Errorf("%s has %v, want %v", dir, got, want)
	}
}

// fillHub has repos of all types, revisions, a renamed repo and a one-word id.
func fillHub(h *hubtest.Hub) {
	m := h.Repo("openai-community/gpt2")
	m.Commit("main", "first", map[string]string{"config.json": "v1", "README.md": "r"})
	m.Tag("v1.0", "main")
	m.Put("config.json", "v2")
	m.Branch("feature/x", "main")
	m.Commit("feature/x", "x", map[string]string{"config.json": "x"})
	m.Convert("onnx", "main")
	h.Alias("gpt2", "openai-community/gpt2")
	h.Repo("openai-community/other").Put("a", "b")
	h.Repo("datasets/acme/d").Put("data.csv", "1,2")
	h.Repo("spaces/acme/s").Put("app.py", "print()")
	old := h.Repo("acme/old-name")
	old.Put("file", "renamed")
	old.Rename("acme/new-name")
	secret := h.Repo("other/secret")
	secret.Put("file", "x")
	secret.SetPrivate(true)
	gated := h.Repo("other/gated")
	gated.Put("file", "behind the gate")
	gated.SetGated(true)
}

func TestWholeHub(t *testing.T) {
	f := mountHub(t, opts{Fill: fillHub})
	wantNames(t, f.mnt, "datasets", "spaces", "me", "acme")
	if n := f.requests(func() { wantContent(t, f.path("openai-community/gpt2/config.json"), "v2") }); n > 4 {
		t.Errorf("%d requests for a file of a new repo, want info, tree, resolve and content", n)
	}
	wantNames(t, f.mnt, "datasets", "spaces", "me", "acme", "openai-community")
	wantNames(t, f.path("openai-community"), "gpt2", "other")
	wantNames(t, f.path("datasets"), "me", "acme")
	wantContent(t, f.path("openai-community/gpt2@v1.0/config.json"), "v1")
	wantContent(t, f.path("openai-community/gpt2@feature%2Fx/config.json"), "x")
	wantContent(t, f.path("openai-community/gpt2@"+f.hub.Repo("openai-community/gpt2").Head("v1.0")+"/config.json"), "v1")
	wantContent(t, f.path("openai-community/gpt2@main/config.json"), "v2")
	wantContent(t, f.path("openai-community/gpt2@refs%2Fconvert%2Fonnx/config.json"), "v2")
	wantContent(t, f.path("openai-community/gpt2@refs/convert/onnx/config.json"), "v2")
	wantNames(t, f.path("openai-community/gpt2@refs"), "convert", "pr")
	wantNames(t, f.path("openai-community/gpt2@refs/convert"), "onnx")
	wantContent(t, f.path("datasets/acme/d/data.csv"), "1,2")
	wantContent(t, f.path("spaces/acme/s/app.py"), "print()")
	for name, want := range map[string]syscall.Errno{
		"openai-community/missing": syscall.ENOENT, "openai-community/gpt2@nope": syscall.ENOENT,
		"openai-community/gpt2/missing": syscall.ENOENT, "other/secret": syscall.ENOENT,
	} {
		_, err := os.Stat(f.path(name))
		wantErrno(t, err, want)
	}
	_, err := os.ReadFile(f.path("other/gated/file"))
	wantErrno(t, err, syscall.EACCES)
}

func TestImpossibleNamesAskNothing(t *testing.T) {
	f := mountHub(t, opts{Fill: fillHub})
	wantContent(t, f.path("acme/new-name/file"), "renamed")
	n := f.requests(func() {
		for _, name := range []string{".git", ".Trash-0", "a--b", "a..b", "-x", "x y", "é", ".hidden/x", "acme/.git", "acme/a b", "acme/x.git",
			"acme/m@", "acme/m@a..b", "acme/m@.x", strings.Repeat("n", 97), "acme/" + strings.Repeat("n", 97), "acme/new-name/missing", "@x"} {
			if _, err := os.Stat(f.path(name)); !os.IsNotExist(err) {
				t.Errorf("%s: %v, want that it does not exist", name, err)
			}
		}
	})
	if n != 0 {
		t.Errorf("%d requests, want 0", n)
	}
}

func TestOneWordAndRenamed(t *testing.T) {
	f := mountHub(t, opts{Fill: fillHub})
	wantContent(t, f.path("gpt2/config.json"), "v2")
	target, err := os.Readlink(f.path("gpt2"))
	must(t, err)
	if target != "openai-community/gpt2" {
		t.Errorf("gpt2 is a link to %q", target)
	}
	wantContent(t, f.path("gpt2@v1.0/config.json"), "v1")
	wantContent(t, f.path("acme/old-name/file"), "renamed")
	if target, err := os.Readlink(f.path("acme/old-name")); err != nil || target != "new-name" {
		t.Errorf("old-name is a link to %q, %v", target, err)
	}

	// Found by ls, and from inside.
	g := mountHub(t, opts{Fill: fillHub})
	wantNames(t, g.path("gpt2"), ".gitattributes", "README.md", "config.json")
	h := mountHub(t, opts{Fill: fillHub})
	t.Chdir(h.path("gpt2"))
	wantNames(t, ".", ".gitattributes", "README.md", "config.json")
	wantContent(t, "config.json", "v2")
	t.Chdir("/")
}

func TestListingOfNamespaceIsPaged(t *testing.T) {
	var want []string
	f := mountHub(t, opts{Hub: hubtest.Options{PageSize: 10}, Fill: func(h *hubtest.Hub) {
		for i := range 25 {
			name := fmt.Sprintf("m%02d", i)
			h.Repo("acme/" + name)
			want = append(want, name)
		}
	}})
	n := f.requests(func() {
		if got := len(walkDir(t, f.path("acme"))); got != 25 {
			t.Errorf("%d names", got)
		}
		wantNames(t, f.path("acme"), want...)
	})
	if n > 3 {
		t.Errorf("%d requests for a listing of three pages with attributes", n)
	}
}

// walkDir is ls -l of one directory.
func walkDir(t *testing.T, dir string) (out []os.FileInfo) {
	t.Helper()
	list, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range list {
		fi, err := e.Info()
		must(t, err)
		out = append(out, fi)
	}
	return out
}

func TestNewRepo(t *testing.T) {
	f := mountHub(t, opts{Fill: fillHub})
	must(t, os.Mkdir(f.path("me/new"), 0o755))
	wantNames(t, f.path("me"), "new")
	wantErrno(t, os.Mkdir(f.path("me/new"), 0o755), syscall.EEXIST)
	must(t, os.Rename(f.path("me/new"), f.path("me/newer")))
	wantNames(t, f.path("me"), "newer")
	write(t, f.path("me/newer/file"), "content")
	wantErrno(t, os.Remove(f.path("me/newer")), syscall.ENOTEMPTY)
	f.idle("me/newer/file")
	must(t, os.Mkdir(f.path("me/empty"), 0o755))
	must(t, os.Remove(f.path("me/empty")))
	wantErrno(t, os.Remove(f.path("acme/new-name")), syscall.EPERM)
	wantErrno(t, os.Rename(f.path("acme/new-name"), f.path("acme/x")), syscall.EPERM)
	wantErrno(t, os.WriteFile(f.path("me/file"), nil, 0o644), syscall.EPERM)
	wantErrno(t, os.WriteFile(f.path("file"), nil, 0o644), syscall.EISDIR) // a namespace, as any name is
	wantErrno(t, os.Mkdir(f.path("me/a@b"), 0o755), syscall.EPERM)
	wantErrno(t, os.Mkdir(f.path("me/a..b"), 0o755), syscall.EINVAL)
	wantErrno(t, os.Rename(f.path("me/newer/file"), f.path("acme/new-name/file")), syscall.EXDEV)
	f.commit()
	if got := string(f.hub.Repo("me/newer").Read("main", "file")); got != "content" {
		t.Errorf("the Hub has %q", got)
	}
	if f.hub.Has("me/empty") || f.hub.Has("me/new") {
		t.Error("a repo was made that nothing is in")
	}
	wantContent(t, f.path("me/newer/file"), "content")
	wantErrno(t, os.Remove(f.path("me/newer/file")), 0)
}

func TestReadOnlyPlaces(t *testing.T) {
	f := mountHub(t, opts{Fill: fillHub})
	for _, p := range []string{"openai-community/gpt2@v1.0/x", "openai-community/gpt2/x", "acme/new-name@" + f.hub.Repo("acme/new-name").Head("") + "/x"} {
		wantErrno(t, os.WriteFile(f.path(p), nil, 0o644), syscall.EROFS)
	}
	wantErrno(t, os.WriteFile(f.path("openai-community/gpt2/config.json"), nil, 0o644), syscall.EROFS)
	write(t, f.path("acme/new-name/x"), "an org of mine")

	a := mountHub(t, opts{Fill: fillHub, Anonymous: true})
	wantErrno(t, os.WriteFile(a.path("acme/new-name/x"), nil, 0o644), syscall.EROFS)
	// Before mkdir the kernel looks whether the name is there, which the Hub does
	// not tell everybody.
	wantErrno(t, os.Mkdir(a.path("me/zz"), 0o755), syscall.EACCES)
	wantErrno(t, os.Mkdir(a.path("me/z..z"), 0o755), syscall.EROFS)
	wantErrno(t, os.Remove(a.path("acme/new-name")), syscall.EROFS)
}

func TestReadOnlyMount(t *testing.T) {
	f := mountHub(t, opts{Fill: func(h *hubtest.Hub) {
		fillHub(h)
		h.Repo("me/m").Put("dir/file", "f")
	}, Options: Options{ReadOnly: true}})
	file, dir := f.path("me/m/dir/file"), f.path("me/m/dir")
	for what, err := range map[string]error{
		"create":            os.WriteFile(f.path("me/m/x"), nil, 0o644),
		"edit":              os.WriteFile(file, nil, 0o644),
		"truncate":          os.Truncate(file, 1),
		"chmod":             os.Chmod(file, 0o600),
		"chmod dir":         os.Chmod(dir, 0o700),
		"utimens":           os.Chtimes(file, time.Now(), time.Now()),
		"unlink":            os.Remove(file),
		"rename":            os.Rename(file, f.path("me/m/y")),
		"mkdir":             os.Mkdir(f.path("me/m/new"), 0o755),
		"rmdir":             syscall.Rmdir(dir),
		"symlink":           os.Symlink("a", f.path("me/m/link")),
		"link":              os.Link(file, f.path("me/m/link")),
		"mkfifo":            unix.Mknod(f.path("me/m/fifo"), unix.S_IFIFO|0o644, 0),
		"create repo":       os.Mkdir(f.path("me/new"), 0o755),
		"rmdir repo":        syscall.Rmdir(f.path("me/m")),
		"rename repo":       os.Rename(f.path("me/m"), f.path("me/n")),
		"chmod repo":        os.Chmod(f.path("me/m"), 0o700),
		"file in namespace": os.WriteFile(f.path("me/file"), nil, 0o644),
		"rmdir namespace":   syscall.Rmdir(f.path("me")),
		"chmod namespace":   os.Chmod(f.path("me"), 0o700),
		"file in the root":  os.WriteFile(f.path("a b"), nil, 0o644),
	} {
		if !errors.Is(err, syscall.EROFS) {
			t.Errorf("%s: %v, want EROFS", what, err)
		}
	}
	wantContent(t, file, "f")
	if err := f.srv.Sync(t.Context(), SyncRequest{All: true}, nil); !errors.Is(err, syscall.EROFS) {
		t.Errorf("sync: %v", err)
	}
	must(t, f.srv.Sync(t.Context(), SyncRequest{All: true, Unmount: true}, nil))
	c := must1(os.OpenFile(f.path(".hubfs/sync"), os.O_RDWR, 0))(t)
	must(t, c.Close())
}

func TestSubdir(t *testing.T) {
	f := mountHub(t, opts{Repo: "acme/m/sub", Fill: fillModel})
	wantNames(t, f.mnt, "deep", "other.txt")
	wantContent(t, f.path("deep/file.txt"), "deep")
	write(t, f.path("deep/new"), "n")
	f.idle("deep/new")
	f.commit()
	if got := string(f.hub.Repo("acme/m").Read("main", "sub/deep/new")); got != "n" {
		t.Errorf("the Hub has %q", got)
	}
}

func TestMountOfNothing(t *testing.T) {
	f := mountHub(t, opts{Fill: fillModel})
	for _, name := range []string{"acme/missing", "acme/m@missing"} {
		repo, _, err := remote.ParseRepo(name)
		must(t, err)
		dir := t.TempDir()
		if _, err := Mount(dir, f.client, f.store, f.cache, Options{Repo: &repo}); !os.IsNotExist(err) && errnoOf(err) != syscall.ENOENT {
			t.Errorf("mount of %s: %v", name, err)
		}
	}
	repo, _, _ := remote.ParseRepo("acme/m")
	if _, err := Mount(t.TempDir(), f.client, f.store, f.cache, Options{Repo: &repo, Subdir: "nowhere"}); errnoOf(err) != syscall.ENOENT {
		t.Errorf("mount of a missing subdirectory: %v", err)
	}
	if _, err := Mount(filepath.Join(t.TempDir(), "missing"), f.client, f.store, f.cache, Options{}); err == nil {
		t.Error("mounted on a directory that is not there")
	}
}

func TestHostileNames(t *testing.T) {
	f := mountHub(t, opts{Repo: "acme/m", Fill: func(h *hubtest.Hub) {
		r := h.Repo("acme/m")
		r.Put("good", "g")
		var bad []hubtest.TreeEntry
		for _, p := range []string{"..", "../evil", "/etc/passwd", "a//b", "a/../b", ".", "nul\x00byte", strings.Repeat("n", 256)} {
			bad = append(bad, hubtest.TreeEntry{Type: "file", Path: p, OID: strings.Repeat("a", 40), Size: 1})
		}
		r.Inject(bad...)
	}})
	wantNames(t, f.mnt, ".gitattributes", "good")
	wantContent(t, f.path("good"), "g")
	if st := f.srv.Status(); len(st.Worktrees) != 1 || st.Worktrees[0].Hidden == 0 {
		t.Errorf("hidden entries are not counted: %+v", st.Worktrees)
	}
}
