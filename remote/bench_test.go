package remote_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

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

// Uploads over a link of 100 MB/s whose connections carry an eighth of that at
// most: the share of the link that is used, by a file in parts and by several.
// A connection is kept waiting 20 ms before each answer.
func BenchmarkUpload(b *testing.B) {
	const rate, size = 100 << 20, 64 << 20
	for name, o := range map[string]hubtest.Options{
		"parts": {MultipartOver: size - 1, PartSize: 8 << 20}, "files": {},
	} {
		b.Run(name, func(b *testing.B) {
			o.Dir = b.TempDir()
			hub, err := hubtest.New(o)
			if err != nil {
				b.Fatal(err)
			}
			defer hub.Close()
			if err := hub.Start("127.0.0.1:0"); err != nil {
				b.Fatal(err)
			}
			hub.AddUser("alice", aliceToken, hubtest.User{Orgs: map[string]string{"acme": "write"}})
			hub.Repo("acme/m")
			hub.Shape(hubtest.Shape{Delay: 20 * time.Millisecond, Rate: rate, ConnRate: rate / 8})
			c, err := remote.New(remote.Options{Endpoint: hub.URL(), Token: aliceToken})
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			var total int64
			b.ResetTimer()
			for i := range b.N {
				b.StopTimer()
				var files []remote.LFSFile
				each := size
				if name == "files" {
					each = size / 8
				}
				for n := range 8 * size / each {
					content := strings.Repeat(fmt.Sprintf("%08d %08d\n", i, n), each/18)
					files = append(files, lfsFile(content))
					total += int64(len(content))
				}
				b.StartTimer()
				if err := c.UploadLFS(b.Context(), model("acme/m"), files, remote.UploadOptions{}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(total)/b.Elapsed().Seconds()/rate, "of-link")
			b.ReportMetric(float64(hub.Counts()[hubtest.KindLFSPut].In)/float64(total), "sent/new")
		})
	}
}
