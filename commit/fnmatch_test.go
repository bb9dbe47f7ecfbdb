package commit

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The table was printed by integration/clients/patterns_table.py from what the
// real library answers.
func TestPatterns(t *testing.T) {
	b, err := os.ReadFile("testdata/patterns.json")
	if err != nil {
		t.Fatal(err)
	}
	var table struct {
		Paths []string
		Rows  []struct{ Allow, Ignore, Out []string }
	}
	if err := json.Unmarshal(b, &table); err != nil || len(table.Rows) < 500 {
		t.Fatal(len(table.Rows), err)
	}
	for _, row := range table.Rows {
		f, err := newFilter(row.Allow, row.Ignore)
		if err != nil {
			t.Errorf("%q %q: %v", row.Allow, row.Ignore, err)
			continue
		}
		out := []string{}
		for _, p := range table.Paths {
			if f.reason(p) != "" {
				out = append(out, p)
			}
		}
		if d := cmp.Diff(row.Out, out); d != "" {
			t.Errorf("%q %q (-want +got):\n%s", row.Allow, row.Ignore, d)
		}
	}
}
