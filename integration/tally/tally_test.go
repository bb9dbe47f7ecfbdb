package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// module writes a throw-away Go module with one test file per package.
func module(t *testing.T, files map[string]string) {
	t.Helper()
	dir := t.TempDir()
	files["go.mod"] = "module example\n\ngo 1.26\n"
	for name, text := range files {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	t.Setenv("GOFLAGS", "-mod=mod")
}

func TestGoTest(t *testing.T) {
	const head = "package a\nimport \"testing\"\n"
	for _, tt := range []struct {
		name                    string
		files                   map[string]string
		passed, failed, skipped int
		ok                      bool
		shows                   string
	}{
		{
			name: "pass, subtests and skip",
			files: map[string]string{"a/a_test.go": head + `
				func TestA(t *testing.T) { t.Run("b", func(t *testing.T) {}) }
				func TestS(t *testing.T) { t.Skip("no device") }`},
			passed: 2, skipped: 1, ok: true,
		},
		{
			name:   "failure",
			files:  map[string]string{"a/a_test.go": head + `func TestA(t *testing.T) { t.Error("the cause") }`},
			failed: 1, shows: "the cause",
		},
		{
			name: "crash",
			files: map[string]string{"a/a_test.go": head + `
				func TestA(t *testing.T) {}
				func TestB(t *testing.T) { done := make(chan int); go func() { panic("went down") }(); <-done }`},
			passed: 1, failed: 1, shows: "went down",
		},
		{
			name: "exit in TestMain",
			files: map[string]string{"a/a_test.go": "package a\nimport (\"os\"; \"testing\")\n" +
				`func TestMain(m *testing.M) { os.Exit(3) }`},
			failed: 1,
		},
		{
			name: "one does not build",
			files: map[string]string{
				"a/a_test.go": head + `func TestA(t *testing.T) {}`,
				"b/b_test.go": "package b\nfunc f() { undefinedName() }\n",
			},
			passed: 1, failed: 1, shows: "undefinedName",
		},
		{
			name:  "no test",
			files: map[string]string{"a/a.go": "package a\n"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			module(t, tt.files)
			var out bytes.Buffer
			r := goTest(context.Background(), &out, []string{"./..."})
			if r.passed != tt.passed || r.failed != tt.failed || r.skipped != tt.skipped || r.ok() != tt.ok {
				t.Errorf("%d passed, %d failed, %d skipped, ok %v; want %d, %d, %d, %v\n%s",
					r.passed, r.failed, r.skipped, r.ok(), tt.passed, tt.failed, tt.skipped, tt.ok, &out)
			}
			if !strings.Contains(out.String(), tt.shows) {
				t.Errorf("output lacks %q:\n%s", tt.shows, &out)
			}
		})
	}
}

func TestTruncatedStreamFails(t *testing.T) {
	var out bytes.Buffer
	r := readGoTest(&out, strings.NewReader(
		`{"Action":"start","Package":"p"}`+"\n"+
			`{"Action":"pass","Package":"p","Test":"TestA"}`+"\n"))
	if r.passed != 1 || r.failed != 1 {
		t.Errorf("got %d passed, %d failed; want 1 and 1", r.passed, r.failed)
	}
}

func TestReadJUnit(t *testing.T) {
	r, err := readJUnit(strings.NewReader(`<?xml version="1.0"?><testsuites><testsuite>
		<testcase classname="m" name="a"><properties><property name="proof" value="a: 7 kills"/><property name="other" value="x"/></properties></testcase>
		<testcase classname="m" name="b"><failure message="x"/></testcase>
		<testcase classname="m" name="c"><error message="setup"/></testcase>
		<testcase classname="m" name="d"><skipped message="why"/></testcase>
		</testsuite></testsuites>`))
	if err != nil || r.passed != 1 || r.failed != 2 || r.skipped != 1 {
		t.Errorf("got %+v, %v", r, err)
	}
	if len(r.proofs) != 1 || r.proofs[0] != "a: 7 kills" {
		t.Errorf("proofs are %q", r.proofs)
	}
	if r.skips[0] != "m d: why" {
		t.Errorf("skip is %q", r.skips[0])
	}
}

// A program in place of Python: what pytest leaves behind is what counts, not
// that it was started.
func TestPytestWithoutReportFails(t *testing.T) {
	for name, script := range map[string]string{
		"exits 0":  "exit 0",
		"exits 2":  "exit 2",
		"overruns": "exec sleep 60",
	} {
		t.Run(name, func(t *testing.T) {
			python := filepath.Join(t.TempDir(), "python")
			if err := os.WriteFile(python, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			if r := pytest(context.Background(), python, "suite", "", time.Second); r.failed != 1 || r.ok() {
				t.Errorf("got %+v, want one failure", r)
			}
		})
	}
}

func TestReport(t *testing.T) {
	var out bytes.Buffer
	report(&out, result{passed: 3, failed: 1, skipped: 2})
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if got, want := lines[len(lines)-1], "3 passed, 1 failed, 2 skipped"; got != want {
		t.Errorf("last line %q, want %q", got, want)
	}
}
