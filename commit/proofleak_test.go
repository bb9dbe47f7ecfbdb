package commit

import (
	"fmt"
	"os"
	"testing"

	"github.com/hubfs/hubfs/integration/proof"
)

// TestProofDescriptors opens a store, works, and gives it up in each way, many
// times: no descriptor is left by any of it.
func TestProofDescriptors(t *testing.T) {
	count := func() int {
		fds, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			proof.Missing(t, err)
		}
		return len(fds)
	}
	r := proof.Rand(proof.Seed(t))
	w := newWorld(t)
	w.hub.Repo("acme/m").Commit("main", "start", kstart)
	cycle := func(i int) {
		tr := w.tree("acme/m")
		p := fmt.Sprint("f", i%7)
		save(t, tr, p, fmt.Sprint(i))
		do(t, tr, []string{"edit", "model.bin", "+"})
		mv(t, tr, p, p+".bin")
		if r.IntN(4) == 0 {
			rm(t, tr, p+".bin")
		}
		if r.IntN(8) == 0 {
			commitAll(t, tr)
		}
		if r.IntN(2) == 0 {
			w.crash()
		} else {
			w.close()
		}
		w.hub.DropIdle()
		w.open()
	}
	for i := range 20 {
		cycle(i)
	}
	before, cycles := count(), proof.N(60, 1000, 5000)
	for i := range cycles {
		cycle(i)
	}
	// A connection or two may just be on their way out.
	if after := count(); after > before+6 {
		t.Errorf("%d descriptors, and %d after %d cycles", before, after, cycles)
	}
	proof.Say(t, "%d times opened and closed or killed", cycles)
}
