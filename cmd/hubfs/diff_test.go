package main

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/hubfs/hubfs/commit"
)

// edited is a mount with one change of each kind staged in me/new.
func edited(t *testing.T) *world {
	t.Helper()
	w := mounted(t)
	w.hub.Repo("me/new").Commit("main", "start", map[string]string{
		"card.md": "one\ntwo\nthree\n", "gone.txt": "x\n", "old.bin": "\x00\x01", "dir/f": "f",
	})
	w.write("me/new/card.md", "one\nTWO\nthree\n")
	w.write("me/new/added.txt", "new\n")
	for _, err := range []error{
		os.Remove(w.path("me/new/gone.txt")),
		os.Rename(w.path("me/new/old.bin"), w.path("me/new/new.bin")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func TestDiff(t *testing.T) {
	w := edited(t)
	out := w.must("diff", w.path("me/new")).out
	if !contains(out, "me/new:\n", "change  card.md (14 B to 14 B)\n", "-two\n+TWO\n", "add     added.txt (4 B)\n", "+new\n",
		"delete  gone.txt (2 B)\n", "-x\n", "rename  new.bin from old.bin\n") || strings.Contains(out, "\x1b") {
		t.Error(out)
	}
	if out := w.must("diff", "--name-only", w.path("me")).out; out != "added.txt\ncard.md\ngone.txt\nnew.bin\n" {
		t.Error(out)
	}
	if out := w.must("diff", "--stat", w.path("me/new/card.md")).out; out != "me/new:\nchange  card.md (14 B to 14 B)\n" {
		t.Error(out)
	}
	// A deleted path can be named.
	if out := w.must("diff", w.path("me/new/gone.txt")).out; !contains(out, "delete  gone.txt") || contains(out, "card.md") {
		t.Error(out)
	}
	w.fails(exitFailed, "does not exist", "diff", w.path("me/new/never"))
	var rep diffReport
	if err := json.Unmarshal([]byte(w.must("diff", "--json", w.path("me/new")).out), &rep); err != nil || len(rep.Changes) != 4 || rep.Changes[0].Repo != "me/new" {
		t.Errorf("%+v, %v", rep, err)
	}
}

// Colours are for terminals, and text of others cannot do what it likes there.
func TestDiffText(t *testing.T) {
	var out bytes.Buffer
	printText(&out, colours{on: true}, "--- a/x\n+++ b/x\n@@ -1 +1 @@\n--- old\n+\x1b]0;title\x07\ttab\n")
	want := "\x1b[36m@@ -1 +1 @@\x1b[0m\n\x1b[31m--- old\x1b[0m\n\x1b[32m+\\x1b]0;title\\a\ttab\x1b[0m\n"
	if out.String() != want {
		t.Errorf("%q\nwant %q", out.String(), want)
	}
	if line := deltaLine(repoDelta{"me/m", commit.Delta{Path: "a\x1b[2J", Op: "delete"}}); strings.Contains(line, "\x1b") {
		t.Errorf("%q", line)
	}
}

func TestDiscard(t *testing.T) {
	w := edited(t)
	if out := w.must("discard", w.path("me/new/card.md")).out; out != "dropped me/new: change  card.md (14 B)\n" {
		t.Error(out)
	}
	if got := w.read("me/new/card.md"); got != "one\ntwo\nthree\n" {
		t.Errorf("the file is %q", got)
	}
	// A rename is one change, undone from either side.
	if out := w.must("discard", w.path("me/new/new.bin")).out; !contains(out, "move    new.bin from old.bin", "delete  old.bin") {
		t.Error(out)
	}
	if err := os.Rename(w.path("me/new/old.bin"), w.path("me/new/new.bin")); err != nil {
		t.Fatal(err)
	}
	w.fails(exitUsage, "say --yes", "discard", w.path("me/new"))
	if out := w.must("diff", "--name-only", w.path("me/new")).out; out != "added.txt\ngone.txt\nnew.bin\n" {
		t.Error("dropped without a yes: " + out)
	}
	var rep discardReport
	r := w.must("discard", "--yes", "--json", w.path("me/new"))
	if err := json.Unmarshal([]byte(r.out), &rep); err != nil || len(rep.Dropped) != 4 {
		t.Errorf("%+v, %v", rep, err)
	}
	if names := w.names("me/new"); !slices.Equal(names, []string{".gitattributes", "card.md", "dir", "gone.txt", "old.bin"}) {
		t.Error(names)
	}
	if out := w.must("discard", w.path("me/new")).out; out != "nothing was staged there\n" {
		t.Error(out)
	}
	w.fails(exitFailed, "is no repo", "discard", w.path("me"))
}

func (w *world) names(dir string) (names []string) {
	w.t.Helper()
	entries, err := os.ReadDir(w.path(dir))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
