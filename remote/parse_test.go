package remote_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/hubfs/hubfs/remote"
)

func TestParseRepo(t *testing.T) {
	M, D, S := remote.Model, remote.Dataset, remote.Space
	for _, c := range []struct {
		in     string
		want   remote.Repo
		subdir string
		out    string // String(), if it is not in
	}{
		{"org/name", remote.Repo{M, "org/name", ""}, "", ""},
		{"gpt2", remote.Repo{M, "gpt2", ""}, "", ""},
		{"gpt2@main/sub", remote.Repo{M, "gpt2", "main"}, "sub", "gpt2@main"},
		{"org/name/", remote.Repo{M, "org/name", ""}, "", "org/name"},
		{"org/name/a/b.txt", remote.Repo{M, "org/name", ""}, "a/b.txt", "org/name"},
		{"org/name/at@file", remote.Repo{M, "org/name", ""}, "at@file", "org/name"},
		{"org/name@v1.0", remote.Repo{M, "org/name", "v1.0"}, "", ""},
		{"org/name@v1.0/a@b", remote.Repo{M, "org/name", "v1.0"}, "a@b", "org/name@v1.0"},
		{"org/name@refs/pr/3", remote.Repo{M, "org/name", "refs/pr/3"}, "", ""},
		{"org/name@refs/pr/3/x/y", remote.Repo{M, "org/name", "refs/pr/3"}, "x/y", "org/name@refs/pr/3"},
		{"org/name@refs%2Fpr%2F3", remote.Repo{M, "org/name", "refs/pr/3"}, "", "org/name@refs/pr/3"},
		{"org/name@refs/convert/parquet-v2/a", remote.Repo{M, "org/name", "refs/convert/parquet-v2"}, "a", "org/name@refs/convert/parquet-v2"},
		{"org/name@refs/pr/3x", remote.Repo{M, "org/name", "refs"}, "pr/3x", "org/name@refs"},
		{"org/name@feature%2Fx/sub", remote.Repo{M, "org/name", "feature/x"}, "sub", "org/name@feature%2Fx"},
		{"org/name@100%", remote.Repo{M, "org/name", "100%"}, "", "org/name@100%25"},
		{"datasets/squad", remote.Repo{D, "squad", ""}, "", ""},
		{"datasets/org/name@main", remote.Repo{D, "org/name", "main"}, "", ""},
		{"spaces/org/name", remote.Repo{S, "org/name", ""}, "", ""},
		{"models/org/name", remote.Repo{M, "org/name", ""}, "", "org/name"},
		{"models/hf.co/name", remote.Repo{M, "hf.co/name", ""}, "", ""},
		{"models/datasets", remote.Repo{M, "datasets", ""}, "", ""},
		{"hf://org/name", remote.Repo{M, "org/name", ""}, "", "org/name"},
		{"hf://datasets/org/name@x/y", remote.Repo{D, "org/name", "x"}, "y", "datasets/org/name@x"},
		{"https://huggingface.co/org/name", remote.Repo{M, "org/name", ""}, "", "org/name"},
		{"huggingface.co/datasets/org/name/tree/main", remote.Repo{D, "org/name", "main"}, "", "datasets/org/name@main"},
		{"https://hf.co/org/name/blob/refs%2Fpr%2F1/a%20b?x=1#L3", remote.Repo{M, "org/name", "refs/pr/1"}, "a b", "org/name@refs/pr/1"},
		{"HTTPS://HuggingFace.co/spaces/org/name/resolve/main/a/b", remote.Repo{S, "org/name", "main"}, "a/b", "spaces/org/name@main"},
		{"https://huggingface.co/org/name/tree", remote.Repo{M, "org/name", ""}, "", "org/name"},
	} {
		got, subdir, err := remote.ParseRepo(c.in)
		if err != nil || got != c.want || subdir != c.subdir {
			t.Errorf("ParseRepo(%q) = %#v, %q, %v; want %#v, %q", c.in, got, subdir, err, c.want, c.subdir)
			continue
		}
		if c.out == "" {
			c.out = c.in
		}
		if got.String() != c.out {
			t.Errorf("ParseRepo(%q).String() = %q, want %q", c.in, got, c.out)
		}
		if again, _, err := remote.ParseRepo(got.String()); err != nil || again != got {
			t.Errorf("%q does not round-trip: %#v, %v", got, again, err)
		}
	}
}

func TestParseRepoRefuses(t *testing.T) {
	for _, in := range []string{
		"", "/", "/org/name", "org//name", "org/name//x", "org/name/../x", "org/name/./x", "org/na me", "org/näme",
		"-org/name", "org./name", "org/a--b", "org/a..b", "org/name.git", "org/" + strings.Repeat("a", 97),
		"org/name@", "org/name@/x", "@main", "a/b@c\x00", "a/b@..", "a/b@x..y", "a/b@x%0d%0ay", "a/b@-x", "a/b@x.lock", "a/b@%2Fx", "a/b@a%2F%2Fb",
		"datasets", "datasets/", "dataset/org/name", "model/x", "kernels/org/name", "buckets/org/name", "hf://", "hf://gpt2", "hf://model/x/y",
		"hf://datasets", "https://example.com/org/name", "https://huggingface.co/org", "https://huggingface.co/org/name/discussions/1",
		"https://huggingface.co/datasets/squad", "https://huggingface.co/o@x/name", "https://huggingface.co/org/name/tree/main/..%2F..%2Fx/..", "http://[::1", "org/name/a\x00b", "org/name/\xff",
	} {
		got, subdir, err := remote.ParseRepo(in)
		var pe *remote.ParseError
		if !errors.As(err, &pe) {
			t.Errorf("ParseRepo(%q) = %#v, %q, %v; want a ParseError", in, got, subdir, err)
		}
	}
}

func TestParseRepoOfEndpoint(t *testing.T) {
	want := remote.Repo{Type: remote.Dataset, ID: "org/name", Rev: "main"}
	for endpoint, pages := range map[string][]string{
		"http://Hub.Example:8080/hf/": {
			"http://hub.example:8080/hf/datasets/org/name/tree/main/sub",
			"HTTP://HUB.example:8080/datasets/org/name/raw/main/sub",
		},
		"http://127.0.0.1:80":    {"http://127.0.0.1/datasets/org/name/tree/main/sub"},
		"https://huggingface.co": {"https://hf.co/datasets/org/name/tree/main/sub", "https://huggingface.co:443/datasets/org/name/blob/main/sub"},
		"https://hf.co":          {"huggingface.co/datasets/org/name/tree/main/sub"},
		"https://hub.example":    {"hf://datasets/org/name@main/sub", "datasets/org/name@main/sub"},
	} {
		c := newClient(t, endpoint, "")
		for _, in := range pages {
			if got, subdir, err := c.ParseRepo(in); err != nil || got != want || subdir != "sub" {
				t.Errorf("ParseRepo(%q) at %s = %#v, %q, %v", in, endpoint, got, subdir, err)
			}
		}
	}
	if _, _, err := remote.ParseRepo("http://hub.example/org/name"); err == nil {
		t.Error("an endpoint's page was taken without the endpoint")
	}
}

// The repo of the same name on another server is another repo.
func TestParseRepoOfAnotherServer(t *testing.T) {
	for endpoint, pages := range map[string][]string{
		"http://127.0.0.1:45911": {
			"https://huggingface.co/org/name", "huggingface.co/org/name", "https://hf.co/org/name", "hf.co/org/name",
			"http://127.0.0.1/org/name", "http://127.0.0.1:45912/org/name", "https://127.0.0.1:45911/org/name", "http://localhost:45911/org/name",
		},
		"https://huggingface.co": {
			"http://huggingface.co/org/name", "https://huggingface.co:444/org/name", "https://hub-ci.huggingface.co/org/name", "http://127.0.0.1:45911/org/name",
			"https://me:CANARY@hub.example/org/name",
		},
		"https://hub-ci.huggingface.co": {"https://huggingface.co/org/name", "hf.co/org/name"},
	} {
		c := newClient(t, endpoint, "")
		for _, in := range pages {
			got, _, err := c.ParseRepo(in)
			var pe *remote.ParseError
			if !errors.As(err, &pe) {
				t.Errorf("ParseRepo(%q) at %s = %#v, %v; want a ParseError", in, endpoint, got, err)
				continue
			}
			if !strings.Contains(pe.Reason, endpoint) || strings.Contains(err.Error(), "CANARY") {
				t.Errorf("ParseRepo(%q) at %s: %v", in, endpoint, err)
			}
			_, page, _ := strings.Cut(in, "://")
			if host, _, _ := strings.Cut(page, "/"); !strings.Contains(host, "@") && !strings.Contains(pe.Reason, host) {
				t.Errorf("ParseRepo(%q) at %s: %v", in, endpoint, err)
			}
		}
	}
	if _, _, err := remote.ParseRepo("https://huggingface.co:444/org/name"); err == nil {
		t.Error("a strange port of a public host was taken")
	}
}

func TestValidPath(t *testing.T) {
	long := strings.Repeat("x", 255)
	for p, want := range map[string]bool{
		"a": true, "a/b": true, "..a/b..": true, "a b/\n": true, long: true, "ü/é": true,
		"": false, ".": false, "a/.": false, "../a": false, "a/..": false, "/a": false, "a/": false, "a//b": false,
		"a\x00": false, "\xff": false, long + "x": false, strings.Repeat(long+"/", 17) + "x": false,
	} {
		if remote.ValidPath(p) != want {
			t.Errorf("ValidPath(%.40q) = %t", p, !want)
		}
	}
}

func FuzzParseRepo(f *testing.F) {
	for _, s := range []string{"org/name@refs/pr/3/x", "hf://datasets/a/b@c%2Fd/e", "https://hf.co/a/b/blob/x%2Fy/z%20", "gpt2@%41", "models/hf.co/x", "a/b@%25"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		repo, subdir, err := remote.ParseRepo(s)
		if err != nil {
			return
		}
		if !remote.ValidID(repo.ID) || repo.Rev != "" && !remote.ValidRev(repo.Rev) || subdir != "" && !remote.ValidPath(subdir) {
			t.Errorf("%q gives %#v, %q, which is not valid", s, repo, subdir)
		}
		again, rest, err := remote.ParseRepo(repo.String())
		if err != nil || again != repo || rest != "" {
			t.Errorf("%q gives %#v, which is written %q and read %#v, %q, %v", s, repo, repo, again, rest, err)
		}
	})
}
