package fs

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/hubfs/hubfs/remote/hubtest"
)

// ask writes a request to a control file and returns the lines of the answer.
func (f *fixture) ask(file string, request any) (lines []string) {
	f.t.Helper()
	c, err := os.OpenFile(f.path(".hubfs/"+file), os.O_RDWR, 0)
	must(f.t, err)
	defer c.Close()
	_, err = c.Write(line(request))
	must(f.t, err)
	s := bufio.NewScanner(c)
	for s.Scan() {
		lines = append(lines, s.Text())
	}
	must(f.t, s.Err())
	return lines
}

func (f *fixture) askSync(req SyncRequest) (events []SyncEvent) {
	f.t.Helper()
	for _, l := range f.ask("sync", req) {
		var e SyncEvent
		must(f.t, json.Unmarshal([]byte(l), &e))
		events = append(events, e)
	}
	return events
}

func (f *fixture) askInfo(path string) (i Info) {
	f.t.Helper()
	lines := f.ask("info", InfoRequest{Path: path})
	if len(lines) != 1 {
		f.t.Fatalf("info says %q", lines)
	}
	must(f.t, json.Unmarshal([]byte(lines[0]), &i))
	return i
}

func TestControlDirectory(t *testing.T) {
	f := mountHub(t, opts{Fill: fillHub})
	wantNames(t, f.mnt, "acme", "datasets", "me", "spaces") // .hubfs is not listed
	wantNames(t, f.path(".hubfs"), "diff", "discard", "info", "log", "metrics", "status", "sync")
	st, err := os.Stat(f.path(".hubfs"))
	must(t, err)
	if st.Mode().Perm() != 0o700 {
		t.Errorf("mode %v", st.Mode())
	}
	wantErrno(t, os.Remove(f.path(".hubfs/sync")), syscall.EPERM)
	wantErrno(t, os.WriteFile(f.path(".hubfs/x"), nil, 0o600), syscall.EPERM)

	g := mine(t, map[string]string{"a": "1"})
	wantNames(t, g.mnt, ".gitattributes", "a")
	wantNames(t, g.path(".hubfs"), "diff", "discard", "info", "log", "metrics", "status", "sync")
	write(t, g.path("b"), "2")
	wantErrno(t, os.Rename(g.path("b"), g.path(".hubfs")), syscall.EEXIST) // Go's own check
	wantErrno(t, syscall.Rename(g.path("b"), g.path(".hubfs")), syscall.EISDIR)
	wantErrno(t, syscall.Rename(g.path(".hubfs"), g.path("c")), syscall.EPERM)
	wantErrno(t, syscall.Rmdir(g.path(".hubfs")), syscall.EPERM)
	must(t, os.Mkdir(g.path("d"), 0o755))
	wantErrno(t, syscall.Rename(g.path("d"), g.path(".hubfs")), syscall.EPERM)
}

func TestStatusFile(t *testing.T) {
	f := mountHub(t, opts{Fill: fillHub, Options: Options{Version: "v9", LogFile: "/var/log/x"}})
	must(t, os.Mkdir(f.path("me/new"), 0o755))
	write(t, f.path("me/new/file"), "12345")
	var st Status
	must(t, json.Unmarshal([]byte(read(t, f.path(".hubfs/status"))), &st))
	if st.Version != "v9" || st.PID != os.Getpid() || st.Mountpoint != f.mnt || st.Endpoint != f.hub.URL() || st.User != "me" ||
		st.LogFile != "/var/log/x" || st.Passthrough != "yes" || st.CacheDir != f.cacheDir {
		t.Errorf("status: %+v", st)
	}
	if len(st.Worktrees) != 1 || st.Worktrees[0].Repo != "me/new" || !st.Worktrees[0].New ||
		len(st.Worktrees[0].Staged) != 1 || st.Worktrees[0].Staged[0].Size != 5 {
		t.Errorf("worktrees: %+v", st.Worktrees)
	}
}

func TestSyncFile(t *testing.T) {
	f := mountHub(t, opts{Fill: fillHub})
	must(t, os.Mkdir(f.path("me/new"), 0o755))
	write(t, f.path("me/new/file"), "content")
	write(t, f.path("acme/new-name/x"), "x")
	f.idle("me/new/file")
	f.idle("acme/new-name/x")

	events := f.askSync(SyncRequest{Path: "me/new/file", CommitOptions: CommitOptions{Message: "First"}})
	last := events[len(events)-1]
	if last.Type != "done" || last.Code != "" {
		t.Errorf("last event: %+v", last)
	}
	var result SyncEvent
	progress := 0
	for _, e := range events {
		switch e.Type {
		case "result":
			result = e
		case "progress":
			progress++
		}
	}
	if result.Repo != "me/new" || result.Commit != f.hub.Repo("me/new").Head("") || result.Files != 1 || progress == 0 {
		t.Errorf("result: %+v after %d of progress", result, progress)
	}
	if log := f.hub.Repo("me/new").Log(""); log[0].Title != "First" {
		t.Errorf("title %q", log[0].Title)
	}
	if f.hub.Repo("acme/new-name").Files("")["x"].Size != 0 {
		t.Error("another repo was committed too")
	}
	// Nothing to do is a result.
	events = f.askSync(SyncRequest{Repo: "me/new"})
	if len(events) < 2 || !events[len(events)-2].Unchanged {
		t.Errorf("sync of nothing: %+v", events)
	}
	// A namespace means what is below it; so does the root.
	if events := f.askSync(SyncRequest{Path: "me"}); len(events) != 1 {
		t.Errorf("sync of a clean namespace: %+v", events)
	}
	f.askSync(SyncRequest{Path: f.mnt})
	if f.hub.Repo("acme/new-name").Files("")["x"].Size != 1 {
		t.Error("sync of the root left a repo out")
	}
	for _, bad := range []SyncRequest{{Path: "/etc"}, {Path: "../x"}, {Repo: "a b"}, {All: true, CommitOptions: CommitOptions{Wait: "long"}}} {
		if events := f.askSync(bad); len(events) != 1 || events[0].Type != "error" || events[0].Code != "usage" {
			t.Errorf("%+v: %+v", bad, events)
		}
	}
	if lines := f.ask("sync", "no request"); len(lines) != 1 || !strings.Contains(lines[0], "usage") {
		t.Errorf("%q", lines)
	}
}

func TestSyncOfBusyAndConflict(t *testing.T) {
	f := mine(t, map[string]string{"a": "1", "b": "2"})
	w, err := os.OpenFile(f.path("busy"), os.O_CREATE|os.O_WRONLY, 0o644)
	must(t, err)
	write(t, f.path("c"), "3")
	f.idle("c")
	events := f.askSync(SyncRequest{All: true})
	last := events[len(events)-1]
	if last.Type != "done" || last.Code != "busy" || events[len(events)-2].Busy[0] != "busy" {
		t.Errorf("busy: %+v", events)
	}
	if err := f.srv.Sync(context.Background(), SyncRequest{All: true}, nil); err == nil {
		t.Error("no error though a file is busy")
	}
	w.Close()
	f.idle("busy")
	write(t, f.path("a"), "mine")
	f.idle("a")
	f.hub.Repo("me/m").Put("a", "theirs")
	events = f.askSync(SyncRequest{All: true})
	last = events[len(events)-1]
	if last.Type != "error" || last.Code != "conflict" || len(last.Paths) != 1 || last.Paths[0] != "a" {
		t.Errorf("conflict: %+v", last)
	}
	wantContent(t, f.path("a"), "mine")
}

// A shell writes a request and learns by close(2) what came of it.
func TestSyncFromShell(t *testing.T) {
	f := mine(t, map[string]string{"a": "1"})
	write(t, f.path("b"), "2")
	f.idle("b")
	w, err := os.OpenFile(f.path(".hubfs/sync"), os.O_WRONLY|os.O_TRUNC, 0)
	must(t, err)
	fmt.Fprintln(w, `{"all":true}`)
	must(t, w.Close())
	if got := string(f.hub.Repo("me/m").Read("", "b")); got != "2" {
		t.Errorf("the Hub has %q", got)
	}
	w, err = os.OpenFile(f.path(".hubfs/sync"), os.O_WRONLY, 0)
	must(t, err)
	fmt.Fprint(w, `{"repo":"a b"}`)
	wantErrno(t, w.Close(), syscall.EINVAL)
}

func TestForcedUnmountKeepsStaged(t *testing.T) {
	f := mine(t, map[string]string{"a": "1"})
	write(t, f.path("b"), "2")
	if f.srv.KeepStaged() {
		t.Error("kept before it was asked for")
	}
	if events := f.askSync(SyncRequest{Unmount: true, Keep: true}); len(events) != 1 || events[0].Type != "done" {
		t.Errorf("%+v", events)
	}
	if !f.srv.KeepStaged() {
		t.Error("not kept")
	}
	f.end()
	f.mount()
	wantContent(t, f.path("b"), "2")
}

func TestInfoFile(t *testing.T) {
	f := mountHub(t, opts{Fill: fillHub})
	head := f.hub.Repo("openai-community/gpt2").Head("")
	if got := f.askInfo("gpt2"); got.Kind != "namespace" {
		t.Errorf("before it was used: %+v", got)
	}
	wantContent(t, f.path("gpt2/README.md"), "r")
	for path, want := range map[string]Info{
		"":                      {Kind: "root"},
		"datasets":              {Kind: "root"},
		"openai-community":      {Kind: "namespace"},
		"openai-community/gpt2": {Kind: "repo", Repo: "openai-community/gpt2", Revision: "main", Commit: head},
		"openai-community/gpt2@v1.0": {Kind: "repo", Repo: "openai-community/gpt2", Revision: "v1.0",
			Commit: f.hub.Repo("openai-community/gpt2").Head("v1.0")},
		"openai-community/gpt2@refs/convert/onnx": {Kind: "repo", Repo: "openai-community/gpt2", Revision: "refs/convert/onnx", Commit: head},
		"gpt2/":           {Kind: "repo", Repo: "openai-community/gpt2", Revision: "main", Commit: head},
		"datasets/acme/d": {Kind: "repo", Repo: "datasets/acme/d", Revision: "main", Commit: f.hub.Repo("datasets/acme/d").Head("")},
	} {
		got := f.askInfo(path)
		want.Path = path
		if got != want {
			t.Errorf("info of %q:\n%+v, want\n%+v", path, got, want)
		}
	}
	file := f.askInfo("openai-community/gpt2/config.json")
	if file.Kind != "file" || file.Blob != "git:"+f.hub.Repo("openai-community/gpt2").Files("")["config.json"].OID || file.Size != 2 || file.Whole ||
		file.Cached != 0 || file.Passthrough == "yes" || file.Error != "" {
		t.Errorf("cold: %+v", file)
	}
	f.warm("openai-community/gpt2/config.json")
	if file := f.askInfo("openai-community/gpt2/config.json"); !file.Whole || file.Cached != 2 || file.Passthrough != "yes" {
		t.Errorf("warm: %+v", file)
	}
	w, err := os.OpenFile(f.path("acme/new-name/new"), os.O_CREATE|os.O_WRONLY, 0o644)
	must(t, err)
	fmt.Fprint(w, "123")
	if file := f.askInfo("acme/new-name/new"); !file.Staged || !file.Busy || file.Size != 3 {
		t.Errorf("staged and open: %+v", file)
	}
	w.Close()
	f.idle("acme/new-name/new")
	if file := f.askInfo("acme/new-name/new"); !file.Staged || file.Busy {
		t.Errorf("staged: %+v", file)
	}
	for _, path := range []string{"openai-community/nope", "openai-community/gpt2/nope", "other/secret/file", "../x", "a b"} {
		if got := f.askInfo(path); got.Error == "" || got.Kind != "" {
			t.Errorf("info of %q: %+v", path, got)
		}
	}
}

func TestMetricsFile(t *testing.T) {
	f := mine(t, map[string]string{"a": "1"})
	wantContent(t, f.path("a"), "1")
	write(t, f.path("b"), "22")
	text := read(t, f.path(".hubfs/metrics"))
	for _, want := range []string{"hubfs_operations_total{op=\"open\"} ", "hubfs_staged_bytes 2\n", "hubfs_requests_total ", "# TYPE hubfs_cache_bytes gauge\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("metrics lack %q:\n%s", want, text)
		}
	}
}

func TestLogFile(t *testing.T) {
	f := mine(t, map[string]string{"sub/a": "1"})
	log, err := os.Open(f.path(".hubfs/log"))
	must(t, err)
	wantContent(t, f.path("sub/a"), "1")
	_, err = os.Stat(f.path("sub/missing"))
	if err == nil {
		t.Error("missing is there")
	}
	var opened, missing bool
	for s := bufio.NewScanner(log); !(opened && missing) && s.Scan(); {
		opened = opened || strings.Contains(s.Text(), ` open "/sub/a" ok `)
		missing = missing || strings.Contains(s.Text(), ` lookup "/sub/missing" no such file or directory `)
	}
	if !opened || !missing {
		t.Errorf("the log tells of the open: %v, of the failed lookup: %v", opened, missing)
	}
	must(t, log.Close())
	f.eventually("nobody follows any more", func() bool { return !f.srv.m.opLog.active() })
}

func TestReadersOfControlDoNotHoldTheMount(t *testing.T) {
	f := mountHub(t, opts{Repo: "acme/m", Fill: func(h *hubtest.Hub) { h.Repo("acme/m").Put("a", "1") }})
	for range 20 {
		read(t, f.path(".hubfs/status"))
		f.askInfo("a")
	}
}

// A request may be as long as a command line can be.
func TestLongRequest(t *testing.T) {
	f := mine(t, map[string]string{"a": "1"})
	write(t, f.path("b"), "2")
	f.idle("b")
	text := strings.Repeat("All about it. ", 30_000)
	if events := f.askSync(SyncRequest{All: true, CommitOptions: CommitOptions{Description: text}}); events[len(events)-1].Type != "done" {
		t.Errorf("%+v", events)
	}
	if log := f.hub.Repo("me/m").Log(""); log[0].Description != text {
		t.Errorf("a description of %d bytes came as %d", len(text), len(log[0].Description))
	}
	w := must1(os.OpenFile(f.path(".hubfs/sync"), os.O_WRONLY, 0))(t)
	_, err := w.Write(bytes.Repeat([]byte(" "), maxRequest+1))
	wantErrno(t, err, syscall.EMSGSIZE)
	wantErrno(t, w.Close(), syscall.EINVAL) // what it did take is no request
}

// What cannot be compared in one repo does not hide what is staged in others.
func TestDiffOfSomeRepos(t *testing.T) {
	f := mountHub(t, opts{Fill: func(h *hubtest.Hub) {
		for _, repo := range []string{"me/a", "me/b", "me/c"} {
			h.Repo(repo).Commit("main", "all", map[string]string{"x": "of " + repo})
		}
	}})
	for _, repo := range []string{"me/a", "me/b", "me/c"} {
		write(t, f.path(repo+"/x"), "2")
	}
	f.hub.Repo("me/b").SetDisabled(true)
	lines := f.ask("diff", DiffRequest{})
	if len(lines) != 3 || !strings.Contains(lines[2], `"error"`) || !strings.Contains(lines[2], "me/b") {
		t.Errorf("%q", lines)
	}
}
