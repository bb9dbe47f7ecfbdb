package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each of these is found before anything is started, and said in one line.
func TestMountSaysWhatIsWrong(t *testing.T) {
	needFuse(t)
	w := newWorld(t)
	path := func(name string) string { return filepath.Join(w.dir, name) }
	os.WriteFile(path("file"), nil, 0o644)
	os.MkdirAll(path("full/x"), 0o755)
	os.MkdirAll(path("outer/cache"), 0o755)
	os.MkdirAll(path("outer/mnt"), 0o755)
	os.Symlink(path("outer"), path("link"))
	os.WriteFile(path("empty-token"), []byte("\n"), 0o600)
	os.WriteFile(path("bad-token"), []byte("hf_nobody"), 0o600)
	os.WriteFile(path("no-token"), []byte("a b\x00c"), 0o600)

	for _, c := range []struct {
		name  string
		code  int
		words string
		args  []string
	}{
		{"missing", 1, "mkdir -p " + path("none"), []string{path("none")}},
		{"a file", 1, "is not a directory", []string{path("file")}},
		{"below a file", 1, "not a directory", []string{path("file/x")}},
		{"not empty", 1, "is not empty", []string{path("full")}},
		{"cache in it", 2, "--cache-dir", []string{"--cache-dir", path("outer/cache"), path("outer")}},
		{"it in the cache", 2, "--cache-dir", []string{"--cache-dir", path("outer"), path("outer/mnt")}},
		{"cache in it, by a link", 2, "--cache-dir", []string{"--cache-dir", path("link/cache/new"), path("outer/cache")}},
		{"state in it", 2, "--state-dir", []string{"--state-dir", path("mnt/state"), w.mnt}},
		{"the cache is a file", 1, "--cache-dir", []string{"--cache-dir", path("file"), w.mnt}},
		{"log in it", 2, "log file", []string{"--log-file", path("mnt/log"), w.mnt}},
		{"no arguments", 2, "--help", nil},
		{"too many", 2, "--help", []string{"a/b", w.mnt, "c"}},
		{"wrong order", 2, "REPO MOUNTPOINT", []string{w.mnt, "hf://acme/model"}},
		{"no repo", 2, "", []string{"../etc", w.mnt}},
		{"empty mount point", 2, "empty", []string{""}},
		{"bad size", 2, "50GB", []string{"--cache-size", "many", w.mnt}},
		{"unknown flag", 2, "--help", []string{"--token", "x", w.mnt}},
		{"empty token file", 1, "is empty", []string{"--token-file", path("empty-token"), w.mnt}},
		{"no token file", 1, "no such file", []string{"--token-file", path("none"), w.mnt}},
		{"binary token file", 1, "does not hold a token", []string{"--token-file", path("no-token"), w.mnt}},
		{"bad token", 1, "does not accept the token of " + path("bad-token"), []string{"--token-file", path("bad-token"), w.mnt}},
		{"bad endpoint", 2, "", []string{"--endpoint", "ftp://x", w.mnt}},
		{"missing repo", 1, "acme/none", []string{"acme/none", w.mnt}},
		{"missing revision", 1, "acme/model", []string{"acme/model@none", w.mnt}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := *w
			w.t = t
			r := w.fails(c.code, c.words, append([]string{"mount"}, c.args...)...)
			if n := strings.Count(r.err, "\n"); n != 1 || strings.Contains(r.err, canary) {
				t.Errorf("%d lines: %s", n, r.err)
			}
			for _, m := range w.mounts() {
				if within(m, w.dir) {
					t.Errorf("left mounted: %s", m)
				}
			}
		})
	}
}

func TestUserAllowOther(t *testing.T) {
	conf := filepath.Join(t.TempDir(), "fuse.conf")
	if userAllowOther(conf) {
		t.Error("without a file")
	}
	os.WriteFile(conf, []byte("# user_allow_other\n"), 0o644)
	if userAllowOther(conf) {
		t.Error("in a comment")
	}
	os.WriteFile(conf, []byte("mount_max = 10\nuser_allow_other \n"), 0o644)
	if !userAllowOther(conf) {
		t.Error("not seen")
	}
}

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{
		"/home/me/hub": "/home/me/hub", "": "''", "a b": "'a b'", "it's": `'it'\''s'`, "$x": "'$x'", "é": "é",
	} {
		if got := quote(in); got != want {
			t.Errorf("quote(%q) = %s, want %s", in, got, want)
		}
	}
}
