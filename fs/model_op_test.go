package fs

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// A modelOp is one step of the model test, with everything that was chosen for
// it, so that a trace can be run again without the generator. One that does not
// fit (a handle that is not open, say) does nothing: traces are made shorter by
// leaving steps out.
type modelOp struct {
	Do    string `json:"do"`
	P     string `json:"p,omitempty"`
	Q     string `json:"q,omitempty"`
	H     int    `json:"h,omitempty"`
	G     int    `json:"g,omitempty"`
	Off   int64  `json:"off,omitempty"`
	N     int64  `json:"n,omitempty"`
	Flags int    `json:"flags,omitempty"`
	Seed  uint64 `json:"seed,omitempty"`
}

func (o modelOp) String() string {
	b, err := json.Marshal(o)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func traceText(ops []modelOp) string {
	var b strings.Builder
	for _, o := range ops {
		fmt.Fprintln(&b, o)
	}
	return b.String()
}

func readTrace(path string) (ops []modelOp, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for d := json.NewDecoder(f); d.More(); {
		var o modelOp
		if err := d.Decode(&o); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		ops = append(ops, o)
	}
	return ops, nil
}

const (
	modelSlots = 6 // handles that may be open at a time
	modelDepth = 3
)

// Few names, so that everything meets. The second last is large content by the
// repo's rules, the last one takes several bytes a character.
var modelNames = []string{"a", "b", "c", "d.bin", "é"}

// theirNames are those that only the colleague gives.
var theirNames = []string{"their", "theirs.bin"}

// A generator makes steps from a seed.
type generator struct {
	r    *rand.Rand
	rare int // 1 in so many steps kills the daemon
	sync int // 1 in so many steps has to do with commits
}

// weights are how often each step comes, beside those of commits and kills.
var weights = []struct {
	do string
	n  int
}{
	{"open", 16}, {"close", 10}, {"pread", 7}, {"pwrite", 10}, {"write", 4}, {"ftruncate", 3}, {"truncate", 4},
	{"fsync", 1}, {"fstat", 3}, {"stat", 5}, {"unlink", 6}, {"mkdir", 5}, {"rmdir", 3}, {"rename", 12},
	{"readfile", 5}, {"writefile", 9}, {"readdir", 3}, {"dirstep", 4}, {"chmod", 2}, {"utimens", 2},
	{"mmap", 2}, {"mstore", 3}, {"msync", 1}, {"munmap", 1}, {"fallocate", 3}, {"copyrange", 3}, {"seekdata", 2},
	{"lock", 2}, {"link", 1}, {"symlink", 1}, {"readlink", 1}, {"tmpfile", 1}, {"badname", 1}, {"fsyncdir", 1},
}

var weightSum = func() (sum int) {
	for _, w := range weights {
		sum += w.n
	}
	return sum
}()

func (g *generator) step() modelOp {
	switch {
	case g.r.IntN(g.rare) == 0:
		return modelOp{Do: g.one("kill", "kill", "restart", "drop", "drop"), Flags: g.r.IntN(4)}
	case g.r.IntN(g.sync) == 0:
		o := modelOp{Do: g.one("sync", "sync", "sync", "sync begin", "sync begin", "theirs", "theirs", "theirs")}
		switch o.Do {
		case "theirs":
			o.P, o.N, o.Seed = g.theirPath(), g.size(), g.r.Uint64()
			if g.r.IntN(5) == 0 {
				o.N = -1 // deletes it
			}
		default:
			o.Flags = g.r.IntN(syncAll)
			if g.r.IntN(4) > 0 {
				o.Flags &^= syncLoses
			}
			if g.r.IntN(3) > 0 {
				o.Flags &^= syncIgnores
			}
		}
		return o
	case g.r.IntN(40) == 0:
		return modelOp{Do: "check"}
	}
	n := g.r.IntN(weightSum)
	for _, w := range weights {
		if n -= w.n; n < 0 {
			return g.fill(w.do)
		}
	}
	panic("not reached")
}

func (g *generator) one(list ...string) string { return list[g.r.IntN(len(list))] }

func (g *generator) path() string {
	depth := 1
	switch n := g.r.IntN(20); {
	case n >= 17:
		depth = modelDepth
	case n >= 9:
		depth = 2
	}
	parts := make([]string, depth)
	for i := range parts {
		parts[i] = modelNames[min(g.r.IntN(len(modelNames)), g.r.IntN(len(modelNames)))]
	}
	return strings.Join(parts, "/")
}

// theirPath is one that is the colleague's own mostly.
func (g *generator) theirPath() string {
	if g.r.IntN(3) == 0 {
		return g.path()
	}
	name := theirNames[g.r.IntN(len(theirNames))]
	if g.r.IntN(2) == 0 {
		return name
	}
	return modelNames[g.r.IntN(3)] + "/" + name
}

func (g *generator) size() int64 {
	switch n := g.r.IntN(40); {
	case n == 0:
		return 300_000 + g.r.Int64N(100)
	case n < 5:
		return 0
	}
	return g.r.Int64N(8 << 10)
}

func (g *generator) offset() int64 {
	if g.r.IntN(30) == 0 {
		return g.r.Int64N(400_000)
	}
	return g.r.Int64N(9 << 10)
}

func (g *generator) flags() int {
	flags := []int{os.O_RDONLY, os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_RDWR}[g.r.IntN(5)]
	for _, f := range []struct{ flag, oneIn int }{
		{os.O_CREATE, 2}, {os.O_EXCL, 12}, {os.O_TRUNC, 5}, {os.O_APPEND, 7},
		{unix.O_NOFOLLOW, 20}, {unix.O_DIRECTORY, 40}, {os.O_SYNC, 30}, {unix.O_DSYNC, 30},
	} {
		if g.r.IntN(f.oneIn) == 0 {
			flags |= f.flag
		}
	}
	return flags
}

func (g *generator) fill(do string) modelOp {
	o := modelOp{Do: do, H: g.r.IntN(modelSlots)}
	switch do {
	case "open", "tmpfile":
		o.P, o.Flags = g.path(), g.flags()
		if do == "tmpfile" {
			o.P, o.Q, o.N, o.Seed = g.dir(), g.path(), g.size(), g.r.Uint64()
		}
	case "pread", "seekdata":
		o.Off, o.N = g.offset(), g.size()
	case "mstore":
		o.Off, o.N, o.Seed = g.offset(), g.r.Int64N(3000), g.r.Uint64()
	case "pwrite", "write":
		o.Off, o.N, o.Seed = g.offset(), g.size(), g.r.Uint64()
	case "ftruncate":
		o.N = g.offset()
	case "truncate":
		o.P, o.N = g.path(), g.offset()
		if g.r.IntN(3) == 0 {
			o.N = 0
		}
	case "rename":
		o.P, o.Q = g.path(), g.path()
		switch g.r.IntN(8) {
		case 0:
			o.Flags = unix.RENAME_NOREPLACE
		case 1, 2:
			o.Flags = unix.RENAME_EXCHANGE
		}
	case "link", "symlink":
		o.P, o.Q = g.path(), g.path()
	case "writefile":
		o.P, o.N, o.Seed = g.path(), g.size(), g.r.Uint64()
	case "readdir", "fsyncdir":
		o.P = g.dir()
	case "dirstep":
		o.P, o.Flags = g.dir(), g.r.IntN(6)
	case "chmod":
		o.P, o.Flags = g.path(), []int{0o644, 0o600, 0o755, 0o444, 0o640}[g.r.IntN(5)]
	case "utimens":
		o.P, o.N = g.path(), g.r.Int64N(markedTimes)
	case "fallocate":
		o.Off, o.N, o.Flags = g.offset(), 1+g.r.Int64N(9<<10), fallocateModes[g.r.IntN(len(fallocateModes))]
	case "copyrange":
		o.G, o.Off, o.Seed, o.N = g.r.IntN(modelSlots), g.offset(), uint64(g.offset()), g.size()
	case "lock":
		o.G, o.Flags = g.r.IntN(modelSlots), g.r.IntN(8)
	case "badname":
		o.Flags = g.r.IntN(len(badNames))
	case "close", "fsync", "fstat", "mmap", "msync", "munmap":
	default:
		o.P = g.path()
	}
	return o
}

// dir is a path that is good for a directory: the root now and then.
func (g *generator) dir() string {
	if g.r.IntN(3) == 0 {
		return ""
	}
	return g.path()
}

var fallocateModes = []int{
	0, unix.FALLOC_FL_KEEP_SIZE, unix.FALLOC_FL_KEEP_SIZE | unix.FALLOC_FL_PUNCH_HOLE, unix.FALLOC_FL_ZERO_RANGE,
	unix.FALLOC_FL_ZERO_RANGE | unix.FALLOC_FL_KEEP_SIZE, unix.FALLOC_FL_COLLAPSE_RANGE,
}

// badNames, and what each is answered with.
var badNames = []struct {
	name string
	want error
}{
	{strings.Repeat("n", 256), unix.ENAMETOOLONG},
	{"bad\xff", unix.EILSEQ},
	{".", unix.EISDIR},
}

// modelContent is n bytes that no others look like.
func modelContent(seed uint64, n int64) []byte {
	b := make([]byte, n+8)
	x := seed | 1
	for i := 0; i < int(n); i += 8 {
		x = x*6364136223846793005 + 1442695040888963407
		y := x ^ x>>29
		for j := range 8 {
			b[i+j] = byte(y >> (8 * j))
		}
	}
	return b[:n]
}
