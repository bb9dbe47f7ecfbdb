package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"

	hubfs "github.com/hubfs/hubfs/fs"
)

const canary = "hf_canaryQ7x4kJ2m9Zp"

func TestSecretNeverPrints(t *testing.T) {
	l := launch{Token: canary}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "launch", l, "token", l.Token)
	slog.New(slog.NewTextHandler(&log, nil)).Info(fmt.Sprintf("%v %+v %#v %s %q %x", l, l, l, l.Token, l.Token, l.Token))
	if strings.Contains(log.String(), canary) || strings.Contains(log.String(), fmt.Sprintf("%x", canary)) {
		t.Error(log.String())
	}
}

func TestLaunchRoundTrip(t *testing.T) {
	l := launch{Mount: "/mnt", Token: canary, Umask: 0o22, Commit: hubfs.CommitOptions{Message: "multi\nline"}}
	b, err := l.encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := readLaunch(bytes.NewReader(b))
	if err != nil || !reflect.DeepEqual(got, l) {
		t.Errorf("%v, %v", got, err)
	}
	l.Commit.Message = strings.Repeat("x", maxLaunch)
	if _, err := l.encode(); exitCode(err) != exitUsage {
		t.Error("a launch that fills the pipe:", err)
	}
}

func TestEnvironHasNoToken(t *testing.T) {
	t.Setenv("HF_TOKEN", canary)
	t.Setenv("HUGGING_FACE_HUB_TOKEN", "hf_other")
	t.Setenv("MY_OWN_NAME", "prefix-"+canary)
	t.Setenv("HF_HOME", "/kept")
	env := launch{Token: canary}.environ()
	if all := strings.Join(env, "\n"); strings.Contains(all, canary) || strings.Contains(all, "hf_other") {
		t.Error("a token is in the environment")
	}
	if !slices.Contains(env, "HF_HOME=/kept") {
		t.Error("HF_HOME is gone")
	}
}
