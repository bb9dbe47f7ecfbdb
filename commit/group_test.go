package commit

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hubfs/hubfs/integration/proof"
)

// TestProofGroupCommit counts the syncs of files that are made and synced one
// by one: each has one of its own, and the two others are shared by all who
// wait at the same time.
func TestProofGroupCommit(t *testing.T) {
	rounds := proof.N(20, 100, 400)
	for _, threads := range []int{1, 4, 16} {
		w := newWorld(t)
		w.hub.Repo("acme/m")
		tr := w.tree("acme/m")
		if err := tr.Writable(ctx); err != nil {
			t.Fatal(err)
		}
		var content, names, journal, others atomic.Int64
		tr.st.disk.around = func(e effect, do func() error) error {
			if e.op != effSync {
				return do()
			}
			switch e.name {
			case journalName:
				journal.Add(1)
			case filesName:
				names.Add(1)
			case ".":
				others.Add(1)
			default:
				content.Add(1)
			}
			time.Sleep(2 * time.Millisecond) // a disk takes a while, in which others come
			return nil
		}
		var g sync.WaitGroup
		for i := range threads {
			g.Go(func() {
				for j := range rounds {
					f, d, err := tr.Root().CreateOpen(ctx, fmt.Sprint(i, "-", j), 0o644)
					if err != nil {
						t.Error(err)
						return
					}
					d.WriteString("x")
					if err := f.Sync(ctx); err != nil {
						t.Error(err)
					}
					d.Close()
				}
			})
		}
		g.Wait()
		files := int64(threads * rounds)
		shared := files  // what the directory and the journal may have at most
		switch threads { // about 1 for 2 and 1 for 8, when all come in time
		case 4:
			shared = files * 3 / 4
		case 16:
			shared = files / 2
		}
		proof.Say(t, "%d threads: %d files, %d syncs of content, %d of their directory, %d of the journal", threads, files, content.Load(), names.Load(), journal.Load())
		if content.Load() != files || names.Load() > shared || journal.Load() > shared || others.Load() > 0 {
			t.Errorf("more than %d, %d and %d (and %d others)", files, shared, shared, others.Load())
		}
		w.close()
	}
}
