package commit

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A line that is doubled, missing or moved is damage, though each is whole.
func TestJournalChain(t *testing.T) {
	rs := []record{{Op: opVersion, V: journalVersion}, {Op: opDir, P: "a"}, {Op: opDir, P: "b"}, {Op: opSwap, P: "a", Q: "b", D: true, G: true}, {Op: opDir, P: "c"}}
	b, _, err := encode(rs)
	if err != nil {
		t.Fatal(err)
	}
	line := bytes.SplitAfter(b, []byte("\n"))
	join := func(ls ...[]byte) []byte { return bytes.Join(ls, nil) }
	for what, c := range map[string]struct {
		content []byte
		good    int
	}{
		"whole":          {b, 5},
		"doubled":        {join(line[0], line[1], line[2], line[3], line[3], line[4]), 4},
		"block doubled":  {join(line[0], line[1], line[2], line[3], line[2], line[3]), 4},
		"missing":        {join(line[0], line[1], line[3], line[4]), 2},
		"moved":          {join(line[0], line[2], line[1], line[3]), 1},
		"without an end": {b[:len(b)-1], 4},
		"another end":    {append(bytes.Clone(b[:len(b)-1]), 'n'), 4},
	} {
		n := 0
		_, _, err := lines(c.content, func(record) error { n++; return nil })
		if n != c.good {
			t.Errorf("%s: %d records, want %d", what, n, c.good)
		}
		if want := map[string]error{"whole": nil, "without an end": errTorn}; err != want[what] && (want[what] != nil || err != errRecord) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A journal of version 1, whose lines are summed one by one, is read and
// replaced.
func TestJournalOfVersion1(t *testing.T) {
	w := newWorld(t)
	w.hub.Repo("acme/m").Put("a", "a")
	tr := w.tree("acme/m")
	save(t, tr, "b", "b")
	mv(t, tr, "a", "c")
	want := view(t, tr)
	dir := tr.st.disk.path
	w.crash()
	b, err := os.ReadFile(filepath.Join(dir, journalName))
	if err != nil {
		t.Fatal(err)
	}
	var rs []record
	if _, _, err := lines(b, func(r record) error { rs = append(rs, r); return nil }); err != nil {
		t.Fatal(err)
	}
	rs[0].V = 1
	if b, _, err = encode(rs); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, journalName), b, 0o600); err != nil {
		t.Fatal(err)
	}
	if w.open(); !staged(dir, identity{}) {
		t.Error("nothing is said to be staged")
	}
	tr = w.tree("acme/m")
	if d := cmp.Diff(want, view(t, tr)); d != "" {
		t.Error(d)
	}
	if b, _ = os.ReadFile(filepath.Join(dir, journalName)); !strings.Contains(string(b), `"v":2`) {
		t.Errorf("%s", b)
	}
	save(t, tr, "d", "d")
	w.crash()
	w.open()
	if got := content(t, w.tree("acme/m"), "d"); got != "d" {
		t.Error(got)
	}
}
