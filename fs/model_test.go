package fs

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hubfs/hubfs/integration/proof"
	"golang.org/x/sys/unix"
)

// TestProofModel does random things to a mount and to a plain directory, and
// wants to see no difference. In between a colleague commits, commits are made,
// and the daemon is killed.
func TestProofModel(t *testing.T) {
	needRoot(t)
	unix.Umask(0o022)
	total := proof.N(1500, 110_000, 3_100_000)
	perWorld := proof.N(1500, 2500, 5000)
	seed := proof.Seed(t)
	r := proof.Rand(seed)
	var sum modelCounts
	var mu sync.Mutex
	next := func() (ops []modelOp) {
		mu.Lock()
		defer mu.Unlock()
		if total > 0 && !t.Failed() {
			ops = trace(r.Uint64(), perWorld)
			total -= len(ops)
		}
		return ops
	}
	var worlds sync.WaitGroup
	for range proof.N(1, 2, 2) {
		worlds.Go(func() {
			for ops := next(); ops != nil; ops = next() {
				count := runTrace(t, ops)
				mu.Lock()
				sum.add(count)
				mu.Unlock()
			}
		})
	}
	worlds.Wait()
	proof.Say(t, "%d operations, %d syncs, %d commits, %d of others, %d conflicts (%d forced, %d discarded), %d kills, %d restarts, %d drops of names, %d comparisons of everything, %d commits with steps in between, %d busy files, %d edits beside a reader, 0 divergences",
		sum.ops, sum.syncs, sum.commits, sum.theirs, sum.conflicts, sum.forced, sum.discarded, sum.kills, sum.restarts, sum.drops, sum.checks, sum.concurrent, sum.busy, sum.detached)
	if total > 0 || sum.commits == 0 || sum.conflicts == 0 || sum.kills == 0 {
		t.Errorf("tried too little: %+v", sum)
	}
}

func trace(seed uint64, n int) []modelOp {
	g := &generator{r: rand.New(rand.NewPCG(seed, 1)), rare: 120, sync: 40}
	// So that a short one has everything too.
	ops := []modelOp{
		{Do: "writefile", P: "a", N: 7}, {Do: "theirs", P: "a", N: 8}, {Do: "sync"},
		{Do: "writefile", P: "b/c", N: 9}, {Do: "theirs", P: "their", N: 10}, {Do: "sync"}, {Do: "kill"},
	}
	for len(ops) < n {
		ops = append(ops, g.step())
	}
	return ops
}

// runTrace runs a trace and, if it fails, says the shortest one that does.
func runTrace(t *testing.T, ops []modelOp) modelCounts {
	t.Helper()
	n, count, err := tryTrace(ops)
	if err == nil {
		return count
	}
	short := ops[:n+1]
	if os.Getenv("HUBFS_MODEL_NOSHRINK") == "" {
		short = shrink(t, short, err)
	}
	name := filepath.Join(os.TempDir(), fmt.Sprintf("hubfs-model-%d.trace", time.Now().UnixNano()))
	os.WriteFile(name, []byte(traceText(short)), 0o644)
	text := "its end:\n" + traceText(short[max(0, len(short)-30):])
	t.Errorf("%v\nThe trace, %s, belongs into testdata/model; %s", err, name, text)
	return count
}

// tryTrace runs a trace in a world of its own.
func tryTrace(ops []modelOp) (n int, count modelCounts, err error) {
	dir, err := os.MkdirTemp("", "hubfs-model-")
	if err != nil {
		return 0, count, err
	}
	defer os.RemoveAll(dir)
	w, err := newModelWorld(dir)
	if err != nil {
		return 0, count, err
	}
	n, err = w.run(append([]modelOp{{Do: "mount"}}, ops...), func() {})
	if err != nil {
		n--
		if log, lerr := os.ReadFile(w.config.Log); lerr == nil && os.Getenv("HUBFS_MODEL_LOG") != "" {
			err = fmt.Errorf("%w\n%s", err, log)
		}
	}
	if eerr := w.end(); err == nil {
		err = eerr
	}
	return n, w.count, err
}

// kind is what an error is about, without the step, names and figures.
func kind(err error) string {
	if err == nil {
		return ""
	}
	_, text, _ := strings.Cut(err.Error(), "}: ")
	words := strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ':' || r == ',' })
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return !plain.MatchString(w) || slices.Contains(modelNames, w) }), " ")
}

var plain = regexp.MustCompile(`^[A-Za-z]+$`)

const shrinkTime = 60 * time.Second

// shrink leaves out steps as long as what is left still fails, and it does so
// within the time that there is for it.
func shrink(t *testing.T, ops []modelOp, err error) []modelOp {
	t.Logf("%v; making the trace of %d steps shorter", err, len(ops))
	again := false
	for range 3 {
		if _, _, e := tryTrace(ops); kind(e) == kind(err) {
			again = true
			break
		}
	}
	if !again {
		t.Log("it is a matter of chance")
		return ops
	}
	end := time.Now().Add(shrinkTime)
	for size := len(ops) / 2; size > 0; {
		shorter := false
		for at := 0; at+size <= len(ops) && time.Now().Before(end); {
			less := append(append([]modelOp{}, ops[:at]...), ops[at+size:]...)
			if n, _, e := tryTrace(less); kind(e) == kind(err) && len(less) > 0 {
				ops, shorter = less[:max(n+1, 0)], true
			} else {
				at += size
			}
		}
		if !shorter {
			size /= 2
		}
		if time.Now().After(end) {
			break
		}
	}
	return ops
}

// Traces that found a fault once.
func TestModelTraces(t *testing.T) {
	needRoot(t)
	unix.Umask(0o022)
	files, err := filepath.Glob("testdata/model/*.trace")
	must(t, err)
	if one := os.Getenv("HUBFS_MODEL_TRACE"); one != "" {
		files = []string{one}
	}
	for _, name := range files {
		ops, err := readTrace(name)
		must(t, err)
		if _, _, err := tryTrace(ops); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
