package proof

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
)

// N chooses a number by the size of this run.
func N(small, deep, long int) int {
	switch size := os.Getenv("HUBFS_PROOF"); size {
	case "":
		return small
	case "deep":
		return deep
	case "long":
		return long
	default:
		panic(fmt.Sprintf("HUBFS_PROOF is %q, want nothing, deep or long", size))
	}
}

// A Logger is what Seed and Say need of a *testing.T.
type Logger interface {
	Helper()
	Name() string
	Logf(format string, args ...any)
}

// Seed is that of this run: HUBFS_SEED if it is a number; a fresh one if it is
// "new", or the run is a long one; else the same each time, so that a change is
// not held up by chance. It is logged, so that the output of a test that fails
// has it.
func Seed(t Logger) uint64 {
	t.Helper()
	var seed uint64 = 1
	switch s := os.Getenv("HUBFS_SEED"); {
	case s == "new", s == "" && os.Getenv("HUBFS_PROOF") == "long":
		seed = rand.Uint64()
	case s != "":
		n, err := strconv.ParseUint(s, 0, 64)
		if err != nil {
			panic("HUBFS_SEED: " + err.Error())
		}
		seed = n
	}
	t.Logf("HUBFS_SEED=%d", seed)
	return seed
}

// Rand gives choices that a seed decides.
func Rand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, seed^0x9e3779b97f4a7c15)) }

// Say tells what a test counted. The summary of a run repeats the line.
func Say(t Logger, format string, args ...any) {
	t.Helper()
	t.Logf("proof: %s: %s", t.Name(), fmt.Sprintf(format, args...))
}

// A Skipper is what Missing needs of a *testing.T.
type Skipper interface {
	Helper()
	Skip(why ...any)
	Fatal(why ...any)
}

// Missing skips a test for what the machine lacks. Where the tests must be whole
// (CI is set) it lacks nothing, and the test fails.
func Missing(t Skipper, what ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(append([]any{"missing:"}, what...)...)
	}
	t.Skip(what...)
}
