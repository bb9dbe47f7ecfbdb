package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hubfs/hubfs/commit"
)

func TestStatusShowsFirstWhatWillBeCommitted(t *testing.T) {
	w := commit.Status{Repo: "me/new", Branch: "main", Base: strings.Repeat("a", 40)}
	for i := range 30 {
		w.Staged = append(w.Staged, commit.StagedPath{Path: fmt.Sprintf(".git/%02d", i), Op: "add", Size: 1, Reason: ".git is never committed"})
	}
	w.Staged = append(w.Staged,
		commit.StagedPath{Path: "dir", Op: "mkdir", Reason: "Git has no empty directories"},
		commit.StagedPath{Path: "wanted", Op: "change", Size: 5})
	var out strings.Builder
	printWorktree(&out, w)
	want := `  me/new@main: at aaaaaaaaaaaa, 1 change staged, 5 B, 31 left out
    change  wanted (5 B)
    left out, .git is never committed: .git/00, .git/01, .git/02, .git/03, .git/04 and 25 more
    left out, Git has no empty directories: dir
`
	if out.String() != want {
		t.Errorf("got:\n%swant:\n%s", out.String(), want)
	}
}

// A mount that hangs keeps nobody from asking the next one.
func TestMountsAreAskedAtOnce(t *testing.T) {
	second := make(chan struct{})
	errs := atOnce([]string{"/hangs", "/answers"}, func(i int, mnt string) error {
		if i == 0 {
			<-second
			return errHangs
		}
		close(second)
		return nil
	})
	if len(errs) != 2 || errs[0] != errHangs || errs[1] != nil {
		t.Error(errs)
	}
}

func TestHelp(t *testing.T) {
	w := newWorld(t)
	if r := w.must("help"); !contains(r.out, "COMMANDS:", "umount") {
		t.Error(r.out)
	}
	if r := w.must("help", "mount"); !contains(r.out, "hubfs mount", "--read-only") {
		t.Error(r.out)
	}
	w.fails(exitUsage, "no such command: nonsense", "help", "nonsense")
}

// A read-only mount is a mount like any other.
func TestReadOnlyMount(t *testing.T) {
	w := mounted(t, "--read-only")
	w.fails(1, "the mount is read-only", "sync", w.mnt)
	if r := w.must("info", w.path("acme/model/config.json")); !contains(r.out, "2 bytes") {
		t.Error(r.out)
	}
	if r := w.must("umount", w.mnt); r.err != "" || w.isMounted() {
		t.Errorf("mounted: %t, %s", w.isMounted(), r.err)
	}
}
