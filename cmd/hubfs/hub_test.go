package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hubfs/hubfs/remote/hubtest"
)

// startHub runs the command's function until the test ends, or stop is called.
func startHub(t *testing.T, o hubServerOptions) (endpoint string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := hub(ctx, o, w)
		w.CloseWithError(err)
		ended <- err
	}()
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	stop = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		ended <- nil
	}
	t.Cleanup(stop)
	endpoint, ok := strings.CutPrefix(strings.TrimSpace(line), "hub listens on ")
	if !ok {
		t.Fatalf("line %q", line)
	}
	return endpoint, stop
}

func hubGet(t *testing.T, url, token string) (int, string) {
	t.Helper()
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	res, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

func TestHubServesImportsAndUsers(t *testing.T) {
	model, data := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{model + "/config.json": "{}", model + "/w.bin": "\x00w", data + "/a.txt": "a"} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	log := filepath.Join(t.TempDir(), "access.log")
	o := hubServerOptions{Listen: "127.0.0.1:0", Dir: t.TempDir(), AccessLog: log, Users: map[string]string{}}
	err := o.parse([]string{"me=tok", "acme", "you=tok2"}, []string{"acme/m=" + model, "datasets/acme/d=" + data}, "", "", "")
	if err != nil {
		t.Fatal(err)
	}
	endpoint, stop := startHub(t, o)
	status, body := hubGet(t, endpoint+"/acme/m/resolve/main/config.json", "")
	if status != 200 || body != "{}" {
		t.Errorf("%d %q", status, body)
	}
	_, body = hubGet(t, endpoint+"/api/whoami-v2", "tok")
	var me struct {
		Name string
		Orgs []struct{ Name string }
	}
	if err := json.Unmarshal([]byte(body), &me); err != nil || me.Name != "me" || len(me.Orgs) != 1 || me.Orgs[0].Name != "acme" {
		t.Errorf("%v %s", err, body)
	}
	_, first := hubGet(t, endpoint+"/api/models/acme/m/commits/main", "")
	stop()
	b, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), `"path":"/acme/m/resolve/main/config.json"`) {
		t.Errorf("log %s", b)
	}
	// The same again, on the same directory: nothing to import, nothing lost.
	endpoint, _ = startHub(t, o)
	if _, again := hubGet(t, endpoint+"/api/models/acme/m/commits/main", ""); again != first {
		t.Errorf("history changed:\n%s\n%s", first, again)
	}
	if status, _ := hubGet(t, endpoint+"/api/datasets/acme/d", ""); status != 200 {
		t.Errorf("status %d", status)
	}
}

func TestHubFlags(t *testing.T) {
	o := hubServerOptions{Users: map[string]string{}}
	if err := o.parse(nil, nil, "100MB", "1GB/s", ""); err != nil {
		t.Fatal(err)
	}
	if o.Shape != (hubtest.Shape{ConnRate: 100e6, Rate: 1e9}) {
		t.Errorf("%+v", o.Shape)
	}
	for _, bad := range [][4]string{{"nobody"}, {"=t"}, {"n="}, {"", "acme/m"}, {"", "=x"}, {"", "", "fast"}, {"", "", "", "0"}} {
		o := hubServerOptions{Users: map[string]string{}}
		some := func(s string) []string {
			if s == "" {
				return nil
			}
			return []string{s}
		}
		if err := o.parse(some(bad[0]), some(bad[1]), bad[2], bad[3], ""); !errors.Is(err, errUsage) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestHubThatCannotStart(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for name, o := range map[string]hubServerOptions{
		"address": {Listen: "nowhere", Dir: t.TempDir()},
		"folder":  {Listen: "127.0.0.1:0", Dir: t.TempDir(), Imports: [][2]string{{"acme/m", "/no/such/folder"}}},
		"id":      {Listen: "127.0.0.1:0", Dir: t.TempDir(), Imports: [][2]string{{"a--b/m", t.TempDir()}}},
		"log":     {Listen: "127.0.0.1:0", Dir: t.TempDir(), AccessLog: "/no/such/folder/log"},
	} {
		if err := hub(ctx, o, io.Discard); err == nil || ctx.Err() != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
