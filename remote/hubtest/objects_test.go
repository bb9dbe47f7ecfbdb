package hubtest

import (
	"strings"
	"testing"
	"time"
)

// The ids here were made by git itself.
func TestIDsAreGits(t *testing.T) {
	s, err := openStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	f, err := s.putRegular([]byte("hello\n"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "ce013625030ba8dba906f756967f9e9ca394464a"; f.OID != want {
		t.Errorf("blob %s, want %s", f.OID, want)
	}
	e := s.edit(emptyTree)
	for _, p := range []string{"b", "a.d/y", "a-z", "a/x"} {
		if err := e.put(p, f); err != nil {
			t.Fatal(err)
		}
	}
	tree, err := e.write()
	if err != nil {
		t.Fatal(err)
	}
	if want := "a1d4c722545d93288a524172fe8a83ea4e37b4b0"; tree != want {
		t.Errorf("tree %s, want %s", tree, want)
	}
	c := Commit{Tree: tree, Title: "Title", Description: "Body", Author: "acme", Date: time.Unix(1700000000, 0)}
	if got, want := commitID(c, false), "fb95e8a80af9656bdbe6e9b02c1f1177a8e4c5d9"; got != want {
		t.Errorf("commit %s, want %s", got, want)
	}
	if id := commitID(c, true); len(id) != 64 {
		t.Errorf("long commit id %s", id)
	}
}

func TestPointer(t *testing.T) {
	f := largeFile(strings.Repeat("ab", 32), 12345)
	want := "version https://git-lfs.github.com/spec/v1\noid sha256:" + strings.Repeat("ab", 32) + "\nsize 12345\n"
	if got := string(pointer(f.LFS, f.Size)); got != want {
		t.Errorf("pointer %q", got)
	}
	if f.OID != gitHash("blob", []byte(want)) || f.PointerSize != int64(len(want)) {
		t.Errorf("entry %+v", f)
	}
}

func TestAttributes(t *testing.T) {
	as := parseAttributes(initialAttributes + "notes.bin -filter\n/top.txt filter=lfs\nwith[[:space:]]space filter=lfs\n")
	for path, want := range map[string]bool{
		"a.bin": true, "x/y/a.bin": true, "notes.bin": false, "top.txt": true, "x/top.txt": false, "a.txt": false,
		"saved_model/a/b/c": true, "saved_model/c": true, "saved_model.txt": false, "runs/events.out.tfevents.1": true,
		"a.tar.gz": true, "with space": true, "model.safetensors": true, "model.safetensors.index.json": false,
	} {
		if got := as.lfs(path); got != want {
			t.Errorf("%s: lfs %v, want %v", path, got, want)
		}
	}
}

func TestIgnored(t *testing.T) {
	ig := parseIgnored("*.log\n!keep.log\nbuild/\n/root.txt\n# c\n")
	for path, want := range map[string]bool{
		"a.log": true, "x/a.log": true, "keep.log": false, "build/a": true, "x/build/a": true, "build": false,
		"root.txt": true, "x/root.txt": false,
	} {
		if got := ig.match(path); got != want {
			t.Errorf("%s: ignored %v, want %v", path, got, want)
		}
	}
}

func TestBinary(t *testing.T) {
	for s, want := range map[string]bool{
		"": false, "text\n": false, "é": false, "\x00": true, "\xff\xfe": true, "cut \xc3": false, "cut \xc3x": true,
	} {
		if got := binary([]byte(s)); got != want {
			t.Errorf("%q: binary %v, want %v", s, got, want)
		}
	}
}
