package remote_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hubfs/hubfs/remote"
)

var envNames = []string{
	"HF_ENDPOINT", "HUGGINGFACE_CO_STAGING", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_HOME", "XDG_CACHE_HOME",
	"HF_HUB_DISABLE_IMPLICIT_TOKEN", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_ETAG_TIMEOUT", "HF_HUB_DOWNLOAD_TIMEOUT", "HF_HUB_USER_AGENT_ORIGIN",
}

func TestFromEnv(t *testing.T) {
	home := t.TempDir()
	saved := func(path, token string) {
		t.Helper()
		path = filepath.Join(home, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	saved(".cache/huggingface/token", "hf_home\n")
	saved("xdg/huggingface/token", "  hf_xdg\r\n ")
	saved("hfhome/token", "hf_hfhome")
	saved("blank", " \n")
	for name, c := range map[string]struct {
		env  string
		want remote.Options
	}{
		"nothing set":       {"", remote.Options{Token: "hf_home"}},
		"set but empty":     {"HF_ENDPOINT= HF_TOKEN= HF_HOME= HF_TOKEN_PATH= HF_HUB_ETAG_TIMEOUT=", remote.Options{Token: "hf_home"}},
		"endpoint":          {"HF_ENDPOINT=https://x.example/hf//", remote.Options{Endpoint: "https://x.example/hf", Token: "hf_home"}},
		"staging":           {"HF_ENDPOINT=https://x HUGGINGFACE_CO_STAGING=yes", remote.Options{Endpoint: "https://hub-ci.huggingface.co", Token: "hf_home"}},
		"variable first":    {"HF_TOKEN=hf_a HUGGING_FACE_HUB_TOKEN=hf_b", remote.Options{Token: "hf_a"}},
		"legacy variable":   {"HUGGING_FACE_HUB_TOKEN=hf_b", remote.Options{Token: "hf_b"}},
		"path":              {"HF_TOKEN_PATH=$HOME/hfhome/token HF_HOME=~/none", remote.Options{Token: "hf_hfhome"}},
		"home":              {"HF_HOME=~/hfhome XDG_CACHE_HOME=$HOME/xdg", remote.Options{Token: "hf_hfhome"}},
		"xdg":               {"XDG_CACHE_HOME=" + home + "/xdg", remote.Options{Token: "hf_xdg"}},
		"blank file":        {"HF_TOKEN_PATH=" + home + "/blank", remote.Options{}},
		"no file":           {"HF_TOKEN_PATH=" + home + "/$NONE/x", remote.Options{}},
		"implicit disabled": {"HF_TOKEN=hf_a HF_HUB_DISABLE_IMPLICIT_TOKEN=True", remote.Options{}},
		"offline":           {"TRANSFORMERS_OFFLINE=on", remote.Options{Token: "hf_home", Offline: true}},
		"not offline":       {"HF_HUB_OFFLINE=0 TRANSFORMERS_OFFLINE=1", remote.Options{Token: "hf_home"}},
		"timeouts":          {"HF_HUB_ETAG_TIMEOUT=3 HF_HUB_DOWNLOAD_TIMEOUT=40", remote.Options{Token: "hf_home", Timeouts: remote.Timeouts{Header: 3 * time.Second, Stall: 40 * time.Second}}},
		"origin":            {"HF_HUB_USER_AGENT_ORIGIN=acme", remote.Options{Token: "hf_home", Origin: "acme"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, n := range envNames {
				t.Setenv(n, "")
				os.Unsetenv(n)
			}
			t.Setenv("HOME", home)
			for kv := range strings.FieldsSeq(c.env) {
				k, v, _ := strings.Cut(kv, "=")
				t.Setenv(k, v)
			}
			got, err := remote.FromEnv()
			if err != nil || got != c.want {
				t.Errorf("%#v (token %q), %v; want %#v", got, got.Token, err, c.want)
			}
		})
	}
	t.Setenv("HF_HUB_DOWNLOAD_TIMEOUT", "soon")
	if _, err := remote.FromEnv(); err == nil {
		t.Error("a time of \"soon\": no error")
	}
}

func TestNewRefuses(t *testing.T) {
	for _, o := range []remote.Options{
		{Endpoint: "ftp://x"}, {Endpoint: "x"}, {Endpoint: "https://"}, {Endpoint: "https://u:secret@x"}, {Endpoint: "https://x?y=secret"},
		{Token: "a\nsecret"}, {Token: "sécret"}, {UserAgent: "a\r\nX: y"}, {Origin: "a\nb"},
	} {
		if _, err := remote.New(o); err == nil || strings.Contains(err.Error(), "cret") {
			t.Errorf("%v: %v", o, err)
		}
	}
}
