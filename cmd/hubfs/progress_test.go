package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/hubfs/hubfs/commit"
)

func TestProgressInLines(t *testing.T) {
	var out bytes.Buffer
	p := newProgress(&out)
	for _, e := range []commit.Event{
		{Phase: "hash", Total: 1500, TotalFiles: 2},
		{Phase: "hash", Done: 1500, Total: 1500, Files: 2, TotalFiles: 2},
		{Phase: "upload", Total: 1000, TotalFiles: 1},
		{Phase: "upload", Done: 1000, Total: 1000, TotalFiles: 1},
		{Phase: "commit", TotalFiles: 2},
		{Phase: "done", TotalFiles: 2},
	} {
		p.event("me/a", e)
	}
	p.event("me/b", commit.Event{Phase: "commit", TotalFiles: 1234})
	p.close()
	want := `me/a: reading 2 files, 1.5 kB
me/a: uploading 1 file, 1.0 kB
me/a: committing 2 files
me/b: committing 1,234 files
`
	if out.String() != want {
		t.Errorf("got:\n%swant:\n%s", out.String(), want)
	}
}

func TestShown(t *testing.T) {
	for in, want := range map[string]string{
		"model.safetensors": "model.safetensors", "naïve name": "naïve name",
		"\x1b[2Jx": `"\x1b[2Jx"`, "a\nb": `"a\nb"`, "\u202e": `"\u202e"`, "\xff": `"\xff"`,
	} {
		if got := shown(in); got != want {
			t.Errorf("shown(%q) = %s, want %s", in, got, want)
		}
	}
}

// What a server says goes to the terminal as text.
func TestServersWordsAreText(t *testing.T) {
	var out bytes.Buffer
	printWorktree(&out, commit.Status{Repo: "me/m", LastError: "no\x1b[2J", Conflicts: []string{"\x1b]0;x\a"}, Reason: "r"})
	printResults(&out, []repoResult{{"me/m", commit.Result{Commit: "abc", URL: "http://x/\x1b[2J", Files: 1}}})
	if strings.ContainsAny(out.String(), "\x1b\a") {
		t.Errorf("%q", out.String())
	}
	if got := shownText("a\n\x1b[1mb\tc"); got != "a\n\\x1b[1mb\tc" {
		t.Errorf("%q", got)
	}
}
