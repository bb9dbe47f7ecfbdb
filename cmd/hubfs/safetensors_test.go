package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestTensorsRoundTrip(t *testing.T) {
	file := []byte(demoModel()["model.safetensors"])
	if len(file) < 2<<20 || len(file) > 8<<20 {
		t.Errorf("the model has %d bytes", len(file))
	}
	got, err := readTensors(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	want := demoTensors()
	if len(got) != len(want) {
		t.Errorf("%d tensors, want %d", len(got), len(want))
	}
	for _, w := range want {
		if g := got[w.Name]; g.Dtype != "F32" || g.Offsets[1]-g.Offsets[0] != int64(4*w.len()) {
			t.Errorf("%s: %+v", w.Name, g)
		}
	}
	if again := demoModel()["model.safetensors"]; again != string(file) {
		t.Error("the model is not the same each time")
	}
}

func TestReadTensorsRefuses(t *testing.T) {
	good := string(writeTensors([]namedTensor{{"a", []int{2}, func(int) float32 { return 1 }}}))
	for name, file := range map[string]string{
		"empty":           "",
		"short":           good[:5],
		"cut header":      good[:20],
		"missing data":    good[:len(good)-1],
		"excess data":     good + "x",
		"huge header":     "\xff\xff\xff\xff\xff\xff\xff\x7f" + good[8:],
		"no json":         good[:8] + strings.Repeat("x", len(good)-8),
		"offset not zero": strings.Replace(good, "[0,8]", "[1,8]", 1),
		"backwards":       strings.Replace(good, "[0,8]", "[8,0]", 1),
	} {
		if _, err := readTensors(strings.NewReader(file), int64(len(file))); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestByteLetters(t *testing.T) {
	letters := byteLetters()
	seen := map[rune]bool{}
	for _, l := range letters {
		seen[l] = true
	}
	if len(seen) != 256 || letters['a'] != 'a' || letters[' '] != 'Ġ' || letters['\n'] != 'Ċ' {
		t.Error("not the alphabet of byte-level tokenizers")
	}
}
