package main

import (
	"bytes"
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
