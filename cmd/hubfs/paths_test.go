package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMountName(t *testing.T) {
	seen := map[string]string{}
	for _, mnt := range []string{"/home/me/hub", "/home/me-hub", "/home/me/-hub", "/home/me-/hub", "/a b", "/.x", "/x.y", "/é", "/x\n"} {
		name := mountName(mnt)
		if strings.ContainsAny(name, "/ \n") || name == "" || name[0] == '.' {
			t.Errorf("mountName(%q) = %q", mnt, name)
		}
		if other, ok := seen[name]; ok {
			t.Errorf("%q and %q are both %q", mnt, other, name)
		}
		seen[name] = mnt
	}
	if got := mountName("/home/me/hub"); got != "home-me-hub" {
		t.Error(got)
	}
	if n := len(mountName("/" + strings.Repeat("long/", 200))); n > 220 {
		t.Errorf("a name of %d bytes", n)
	}
}

func TestOverlap(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"/a", "/a", true}, {"/a", "/a/b", true}, {"/a/b", "/a", true},
		{"/a", "/ab", false}, {"/a/b", "/a/c", false}, {"/", "/a", true},
	} {
		if overlap(c.a, c.b) != c.want {
			t.Errorf("overlap(%s, %s) is not %t", c.a, c.b, c.want)
		}
	}
}

func TestResolveFollowsLinksOfMissingPaths(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "real"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		"link": "real", "link/new/deep": "real/new/deep", "none": "none", "link/../x": "x",
	} {
		got, err := resolve(filepath.Join(dir, in))
		if want = filepath.Join(real, want); err != nil || got != want {
			t.Errorf("resolve(%s) = %s, %v, want %s", in, got, err, want)
		}
	}
}

func TestDefaultDirs(t *testing.T) {
	t.Setenv("HOME", "/home/me")
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("XDG_STATE_HOME", "relative/is/ignored")
	if d, err := cacheDir(""); err != nil || d != "/home/me/.cache/hubfs" {
		t.Error(d, err)
	}
	if d, err := stateDir(""); err != nil || d != "/home/me/.local/state/hubfs" {
		t.Error(d, err)
	}
	t.Setenv("XDG_CACHE_HOME", "/fast")
	if d, err := cacheDir(""); err != nil || d != "/fast/hubfs" {
		t.Error(d, err)
	}
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("HOME", "")
	if _, err := cacheDir(""); exitCode(err) != exitUsage {
		t.Error("without a home directory:", err)
	}
}

func TestPrivateDir(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	if err := privateDir(dir); err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(dir); err != nil || fi.Mode().Perm() != 0o700 {
		t.Error(fi.Mode(), err)
	}
	file := filepath.Join(dir, "file")
	os.WriteFile(file, nil, 0o600)
	if err := privateDir(file); err == nil {
		t.Error("a file was taken for a directory")
	}
}
