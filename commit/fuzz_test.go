package commit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hubfs/hubfs/remote"
	"github.com/hubfs/hubfs/remote/hubtest"
)

const journals = "testdata/journals"

// real gives the journals in testdata: with checksums, and the bare records of
// each, one a line.
func real(t testing.TB) (whole, bare map[string][]byte) {
	t.Helper()
	names, err := filepath.Glob(journals + "/*.journal")
	if err != nil || len(names) == 0 {
		t.Fatal("no journals:", err)
	}
	whole, bare = make(map[string][]byte), make(map[string][]byte)
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		whole[name] = b
		for line := range bytes.Lines(b) {
			bare[name] = append(bare[name], line[9:]...)
		}
	}
	return whole, bare
}

// summed makes a journal of bare records.
func summed(bare []byte) []byte {
	var b []byte
	var c chain
	for line := range bytes.Lines(bare) {
		line = bytes.TrimSuffix(line, []byte("\n"))
		sum := c.next(line)
		var r record
		json.Unmarshal(line, &r)
		c.took(r, sum)
		b = fmt.Appendf(b, "%08x %s\n", sum, line)
	}
	return b
}

// replayed is a worktree in memory after a journal, as far as it is good.
func replayed(t testing.TB, content []byte) (w *Worktree, good int, damage error) {
	t.Helper()
	client, err := remote.New(remote.Options{Endpoint: "http://127.0.0.1:1", Offline: true})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	w = newWorktree(&Store{o: Options{Client: client, Logger: slog.New(slog.DiscardHandler)}}, parse(t, "acme/m"))
	w.st = &state{}
	w.replaying = true
	n := 0
	good, _, damage = lines(content, func(r record) error {
		err := w.applyAny(r, n == 0)
		if err == nil {
			n++
		}
		return err
	})
	w.dropped = nil
	return w, good, damage
}

// shape is what an overlay means.
func shape(w *Worktree) []string {
	out := []string{"base " + w.baseCommit(), fmt.Sprint("pending ", len(w.pending))}
	var walk func(d *Dir, at string) (some bool)
	walk = func(d *Dir, at string) (some bool) {
		for _, name := range slices.Sorted(maps.Keys(d.kids)) {
			k, p := d.kids[name], join(at, name)
			switch {
			case k.file != nil:
				out = append(out, fmt.Sprintf("%s file %d %o", p, k.file.seq, k.file.mode))
			case k.ref != nil:
				out = append(out, fmt.Sprintf("%s ref %+v %s", p, k.ref.entry, k.ref.commit))
			case k.link != nil:
				out = append(out, fmt.Sprintf("%s link %s", p, k.link.Target))
			case k.dir != nil:
				n := len(out)
				out = append(out, fmt.Sprintf("%s dir %t %s", p, k.dir.based, k.dir.origin))
				if !walk(k.dir, p) && k.dir.natural() && k.through != nil {
					out = out[:n]
					continue
				}
			case d.based:
				out = append(out, p+" gone")
			default:
				continue
			}
			some = true
		}
		return some
	}
	walk(w.root, "")
	for _, p := range slices.Sorted(maps.Keys(w.clashes)) {
		if w.overlays(p) {
			out = append(out, "clash "+p+" "+w.clashes[p])
		}
	}
	return out
}

// FuzzReplay gives journals to replay whose checksums are right and whose
// records are anything.
func FuzzReplay(f *testing.F) {
	_, bare := real(f)
	for _, b := range bare {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, bare []byte) { checkReplay(t, summed(bare)) })
}

func checkReplay(t *testing.T, content []byte) (damage error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	w, good, damage := replayed(t, content)
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 1<<22+1000*uint64(len(content)) {
		t.Errorf("%d bytes of journal took %d bytes of memory", len(content), used)
	}
	if good > len(content) || damage == nil && good != len(content) {
		t.Fatalf("%d of %d bytes, %v", good, len(content), damage)
	}
	walkAll(t, w.root)
	cut, again, damage2 := replayed(t, content[:good])
	if damage2 != nil || again != good {
		t.Fatalf("after the cut at %d: %d, %v", good, again, damage2)
	}
	if d := cmp.Diff(shape(w), shape(cut)); d != "" {
		t.Fatalf("after the cut at %d: %s", good, d)
	}
	if good == 0 || len(w.pending) > 0 || w.planning {
		return damage
	}
	b, _, err := encode(w.records())
	if err != nil {
		t.Fatal(err)
	}
	short, n, err := replayed(t, b)
	if err != nil || n != len(b) {
		t.Fatalf("the shortened journal: %v\n%s", err, b)
	}
	if d := cmp.Diff(shape(w), shape(short)); d != "" {
		t.Fatalf("the shortened journal means something else: %s\n%s", d, b)
	}
	return damage
}

// FuzzRecord gives whole journals, checksums and all, to the parser.
func FuzzRecord(f *testing.F) {
	whole, _ := real(f)
	for _, b := range whole {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		var rs []record
		good, _, damage := lines(content, func(r record) error { rs = append(rs, r); return nil })
		if good > len(content) || damage == nil && good != len(content) {
			t.Fatalf("%d of %d bytes, %v", good, len(content), damage)
		}
		var again []record
		if n, _, err := lines(content[:good], func(r record) error { again = append(again, r); return nil }); n != good || err != nil {
			t.Fatalf("after the cut at %d: %d, %v", good, n, err)
		}
		if len(again) != len(rs) {
			t.Fatalf("%d records, then %d", len(rs), len(again))
		}
		b, _, err := encode(rs)
		if err != nil {
			t.Fatal(err)
		}
		var third []record
		if _, _, err := lines(b, func(r record) error { third = append(third, r); return nil }); err != nil {
			t.Fatal(err)
		}
		b2, _, _ := encode(third)
		if !bytes.Equal(b, b2) {
			t.Fatalf("written again:\n%s\n%s", b, b2)
		}
	})
}

// The journals in testdata are real ones, have every kind of record, and replay
// to their end. HUBFS_UPDATE=1 makes them anew.
func TestRealJournals(t *testing.T) {
	if os.Getenv("HUBFS_UPDATE") != "" {
		makeJournals(t)
	}
	whole, bare := real(t)
	ops := make(map[string]int)
	for name, b := range whole {
		if damage := checkReplay(t, b); damage != nil {
			t.Errorf("%s: %v", name, damage)
		}
		if !bytes.Equal(summed(bare[name]), b) {
			t.Errorf("%s: other checksums", name)
		}
		lines(b, func(r record) error { ops[r.Op]++; return nil })
	}
	for _, op := range []string{opVersion, opBase, opPut, opMode, opRef, opDel, opMv, opSwap, opLink, opDir, opDiscard, opPlan, opIntent, opVoid, opSent, opClash} {
		if ops[op] == 0 {
			t.Errorf("no journal has %q", op)
		}
	}
}

func makeJournals(t *testing.T) {
	keep := func(name string, tr *Worktree) {
		b, err := os.ReadFile(filepath.Join(tr.st.disk.path, journalName))
		if err == nil {
			err = os.MkdirAll(journals, 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(journals, name+".journal"), b, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	tr := staging(t, newWorld(t))
	keep("operations", tr)
	if _, err := tr.Root().Symlink(ctx, "link", "m"); err != nil {
		t.Fatal(err)
	}
	if _, err := tr.Discard(ctx, "empty"); err != nil {
		t.Fatal(err)
	}
	keep("discarded", tr)
	tr.checkpoint()
	keep("shortened", tr)

	w := newWorld(t)
	tr = staging(t, w)
	plan := func(o CommitOptions, wantErr bool) {
		if _, err := tr.Commit(ctx, o); (err != nil) != wantErr {
			t.Fatal(err)
		}
	}
	w.hub.Fault(func(r *http.Request) *hubtest.Fault {
		if strings.Contains(r.URL.Path, "/commit/") {
			return &hubtest.Fault{Status: 403}
		}
		return nil
	})
	plan(CommitOptions{}, true)
	keep("refused", tr)
	w.hub.Fault(nil)
	save(t, tr, "late", "late")
	checkpoint := tr.st.disk.hook
	tr.st.disk.hook = func(op, name string) error { // so that the journal is not shortened after the commit
		if op == "create" && strings.HasSuffix(name, ".tmp") {
			return os.ErrPermission
		}
		return nil
	}
	plan(CommitOptions{}, false)
	save(t, tr, "later", "later")
	keep("committed", tr)
	plan(CommitOptions{Branch: "dev"}, false)
	save(t, tr, "clash", "clash")
	tr.mu.Lock()
	err := tr.append(record{Op: opClash, P: "clash", C: tr.baseCommit()})
	tr.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	keep("sent", tr)
	tr.st.disk.hook = checkpoint
}
