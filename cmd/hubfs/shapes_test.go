package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	hubfs "github.com/hubfs/hubfs/fs"
)

// shapes are the JSON objects that programs may rely on, by what SEMANTICS.md
// calls them.
var shapes = map[string]any{
	"hubfs status --json":         statusReport{},
	"hubfs sync --json":           syncReport{},
	"hubfs diff --json":           diffReport{},
	"hubfs discard --json":        discardReport{},
	"hubfs stage ls --json":       stageReport{},
	"hubfs stage export --json":   exportReport{},
	"hubfs info PATH --json":      infoReport{},
	"hubfs info REPO --json":      repoReport{},
	"hubfs info REPO/PATH --json": pathReport{},
	"MNT/.hubfs/sync":             hubfs.SyncRequest{},
	"MNT/.hubfs/diff":             hubfs.DiffRequest{},
	"MNT/.hubfs/discard":          hubfs.DiscardRequest{},
	"MNT/.hubfs/info":             hubfs.InfoRequest{},
}

// The examples in SEMANTICS.md have just the keys that are printed and read.
func TestShapesAreDocumented(t *testing.T) {
	b, err := os.ReadFile("../../SEMANTICS.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for name, v := range shapes {
		_, rest, ok := strings.Cut(string(b), "`"+name+"`\n\n```json\n")
		example, _, closed := strings.Cut(rest, "```")
		var doc any
		if !ok || !closed {
			t.Errorf("SEMANTICS.md has no example of %s", name)
			continue
		}
		if err := json.Unmarshal([]byte(example), &doc); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want, got := map[string]bool{}, map[string]bool{}
		keysOf(reflect.TypeOf(v), "", want)
		keysIn(doc, "", got)
		for _, k := range slices.Sorted(maps.Keys(want)) {
			if !got[k] {
				t.Errorf("%s: %s is not documented", name, k)
			}
		}
		for _, k := range slices.Sorted(maps.Keys(got)) {
			if !want[k] {
				t.Errorf("%s: there is no %s", name, k)
			}
		}
		found++
	}
	if found != len(shapes) {
		t.Errorf("%d of %d shapes", found, len(shapes))
	}
}

// keysOf are the keys that a value of a type has as JSON, with those inside.
func keysOf(t reflect.Type, at string, keys map[string]bool) {
	switch {
	case t.Kind() == reflect.Pointer:
		keysOf(t.Elem(), at, keys)
	case t.Kind() == reflect.Slice:
		keysOf(t.Elem(), at+"[]", keys)
	case t == reflect.TypeFor[time.Time]() || t.Kind() != reflect.Struct:
		return
	default:
		for f := range t.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			switch {
			case f.Anonymous && name == "":
				keysOf(f.Type, at, keys)
			case f.IsExported() && name != "-":
				if name == "" {
					name = f.Name
				}
				keys[at+"."+name] = true
				keysOf(f.Type, at+"."+name, keys)
			}
		}
	}
}

func keysIn(v any, at string, keys map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for k, sub := range v {
			keys[at+"."+k] = true
			keysIn(sub, at+"."+k, keys)
		}
	case []any:
		for _, sub := range v {
			keysIn(sub, at+"[]", keys)
		}
	}
}

// Whatever happens, --json prints one object with the exit code.
func TestJSONAlsoOnErrors(t *testing.T) {
	needFuse(t)
	w := newWorld(t)
	w.must("mount", w.mnt)
	for _, args := range [][]string{
		{"status", "--json", w.dir}, {"sync", "--json", w.dir}, {"sync", "--json"}, {"diff", "--json", w.dir},
		{"discard", "--json", w.dir}, {"discard", "--json"}, {"stage", "ls", "--json", "x"}, {"stage", "sync", "--json", "me/none"},
		{"stage", "drop", "--json", "me/none"}, {"stage", "drop", "--json"}, {"stage", "export", "--json", "x", "me/none"}, {"stage", "export", "--json"},
		{"umount", "--json", w.dir}, {"umount", "--json"},
		{"sync", "--json", "--create-pr", "--branch", "x", w.dir},
		{"info", "--json"}, {"info", "--json", "./none"}, {"info", "--json", "me/none"}, {"info", "--json", w.path("me/gone")}, {"info", "--json", "me/none/a"},
	} {
		r := w.run(args...)
		var got outcome
		if err := json.Unmarshal([]byte(r.out), &got); err != nil || r.code == 0 || got.Code != r.code || got.Error == "" {
			t.Errorf("%v: exit %d, %v\n%s%s", args, r.code, err, r.out, r.err)
		}
		if !strings.Contains(r.err, strings.SplitN(got.Error, "\n", 2)[0]) {
			t.Errorf("%v: standard error has %q", args, r.err)
		}
	}
	w.write("me/new/a", "1")
	r := w.run("sync", "--json", w.path("me/new"), "-m", "First")
	var rep syncReport
	if err := json.Unmarshal([]byte(r.out), &rep); err != nil || rep.Code != 0 || len(rep.Results) != 1 || rep.Results[0].Files != 1 || r.err != "" {
		t.Errorf("%v %+v %q", err, rep, r.err)
	}
	w.write("me/new/a", "mine")
	w.hub.Repo("me/new").Put("a", "theirs")
	r = w.run("sync", "--json", w.path("me/new"))
	rep = syncReport{}
	if err := json.Unmarshal([]byte(r.out), &rep); err != nil || rep.Code != exitConflict || len(rep.Failures) != 1 ||
		rep.Failures[0].Code != "conflict" || fmt.Sprint(rep.Failures[0].Paths) != "[a]" {
		t.Errorf("%v %+v", err, rep)
	}
	r = w.run("umount", "--json", w.mnt)
	rep = syncReport{}
	if err := json.Unmarshal([]byte(r.out), &rep); err != nil || rep.Code != exitConflict || len(rep.Failures) != 1 || !strings.Contains(rep.Error, "--force") {
		t.Errorf("%v %+v", err, rep)
	}
	if r := w.run("sync", "--quiet", w.path("me/new"), "--ignore", "a"); r.out != "" {
		t.Errorf("quiet: %q", r.out)
	}
	r = w.run("umount", "--force", "--json", w.mnt)
	rep = syncReport{}
	if err := json.Unmarshal([]byte(r.out), &rep); err != nil || rep.Code != 0 || rep.Results == nil || w.isMounted() {
		t.Errorf("%v %+v", err, rep)
	}
	var exp exportReport
	r = w.run("stage", "export", "--json", filepath.Join(w.dir, "saved"))
	if err := json.Unmarshal([]byte(r.out), &exp); err != nil || len(exp.Exported) != 1 || len(exp.Exported[0].Files) != 1 ||
		exp.Exported[0].Dir != filepath.Join(w.dir, "saved/me/new@main") {
		t.Errorf("%v %+v", err, exp)
	}
	var drop discardReport
	r = w.run("stage", "drop", "--json", "--yes", "me/new")
	if err := json.Unmarshal([]byte(r.out), &drop); err != nil || len(drop.Dropped) != 1 || drop.Dropped[0].Path != "a" || drop.Dropped[0].Repo != "me/new" {
		t.Errorf("%v %+v", err, drop)
	}
	w.must("mount", w.mnt)
	w.write("me/new/b", "1")
	r = w.run("umount", "--json", w.mnt)
	rep = syncReport{}
	if err := json.Unmarshal([]byte(r.out), &rep); err != nil || rep.Code != 0 || len(rep.Results) != 1 || r.err != "" || w.isMounted() {
		t.Errorf("%v %+v %q", err, rep, r.err)
	}
}
