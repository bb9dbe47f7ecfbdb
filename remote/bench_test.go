package remote_test

import (
	"context"
	"io"
	"testing"

	"github.com/hubfs/hubfs/remote"
	"github.com/hubfs/hubfs/remote/hubtest"
	"golang.org/x/sync/errgroup"
)

// Ranges of 8 MiB of one file, 16 at a time, over loopback: what the client
// costs. The server takes its share of the same cores.
func BenchmarkRanges(b *testing.B) {
	const size, part = 1 << 30, 8 << 20
	hub, err := hubtest.New(hubtest.Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer hub.Close()
	if err := hub.Start("127.0.0.1:0"); err != nil {
		b.Fatal(err)
	}
	hub.Repo("acme/m").PutSparse("big.bin", size)
	c, err := remote.New(remote.Options{Endpoint: hub.URL()})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	s, err := c.Snapshot(b.Context(), model("acme/m"))
	if err != nil {
		b.Fatal(err)
	}
	e, err := s.Stat(b.Context(), "big.bin")
	if err != nil {
		b.Fatal(err)
	}
	k := c.Content(s.Repo(), s.Commit(), e)
	b.SetBytes(part)
	b.ResetTimer()
	var g errgroup.Group
	g.SetLimit(16)
	for i := range b.N {
		g.Go(func() error {
			r, err := k.ReadRange(context.Background(), int64(i)*part%size, part)
			if err != nil {
				return err
			}
			defer r.Close()
			buf := make([]byte, 256<<10)
			_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, r, buf)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		b.Fatal(err)
	}
}
