package commit

import (
	"fmt"
	"os"
	"testing"
)

// BenchmarkCreate is create, write 4 KiB, close.
func BenchmarkCreate(b *testing.B) {
	w := newWorld(b)
	w.hub.Repo("acme/m")
	tr := w.tree("acme/m")
	content := make([]byte, 4096)
	for i := 0; b.Loop(); i++ {
		f, err := tr.Root().Create(ctx, fmt.Sprintf("f%07d", i), 0o644, true)
		if err != nil {
			b.Fatal(err)
		}
		g, err := f.Open(os.O_RDWR)
		if err != nil {
			b.Fatal(err)
		}
		g.Write(content)
		g.Close()
	}
}

// BenchmarkManyStaged is what a directory of 100,000 staged files costs.
func BenchmarkManyStaged(b *testing.B) {
	const n = 100_000
	w := newWorld(b)
	w.hub.Repo("acme/m")
	tr := w.tree("acme/m")
	for i := range n {
		if _, err := tr.Root().Create(ctx, fmt.Sprintf("f%07d", i), 0o644, true); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("status", func(b *testing.B) {
		for b.Loop() {
			if s := tr.Status(ctx); len(s.Staged) != n {
				b.Fatal(len(s.Staged))
			}
		}
	})
	b.Run("list", func(b *testing.B) {
		for b.Loop() {
			if names, err := tr.Root().List(ctx); err != nil || len(names) < n {
				b.Fatal(len(names), err)
			}
		}
	})
	b.Run("checkpoint", func(b *testing.B) {
		for b.Loop() {
			if err := tr.checkpoint(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("replay", func(b *testing.B) {
		for b.Loop() {
			w.crash()
			w.open()
			tr = w.tree("acme/m")
		}
	})
}
