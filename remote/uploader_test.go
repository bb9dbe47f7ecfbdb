package remote_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hubfs/hubfs/remote"
	"github.com/hubfs/hubfs/remote/hubtest"
)

// A barrier lets requests through once enough of them are there.
type barrier struct {
	want int

	mu       sync.Mutex
	here     int
	complete chan struct{}
}

func newBarrier(want int) *barrier { return &barrier{want: want, complete: make(chan struct{})} }

func (b *barrier) arrive(r *http.Request) {
	b.mu.Lock()
	b.here++
	if b.here == b.want {
		close(b.complete)
	}
	b.mu.Unlock()
	select {
	case <-b.complete:
	case <-r.Context().Done():
	}
}

func isPut(r *http.Request) bool { return r.Method == http.MethodPut }

// Parts of one file and other files go side by side, over 32 connections; every
// byte is sent once.
func TestUploadSideBySide(t *testing.T) {
	hub := newHub(t, hubtest.Options{MultipartOver: 9_999, PartSize: 1_000})
	hub.Repo("acme/m")
	c := newClient(t, hub.URL(), aliceToken)
	b := newBarrier(32)
	hub.Fault(func(r *http.Request) *hubtest.Fault {
		if isPut(r) {
			b.arrive(r)
		}
		return nil
	})
	var files []remote.LFSFile
	var total int64
	for i := range 40 {
		files = append(files, lfsFile(pattern(2_000+100*i)))
		total += int64(2_000 + 100*i)
	}
	big := pattern(20_000) // in 20 parts
	files = append(files, lfsFile(big))
	total += int64(len(big))
	if err := c.UploadLFS(t.Context(), model("acme/m"), files, remote.UploadOptions{}); err != nil {
		t.Fatal(err)
	}
	n := hub.Counts()
	if n[hubtest.KindLFSPut].N != 60 || n[hubtest.KindLFSPut].In != total || n[hubtest.KindLFSBatch].N != 1 {
		t.Errorf("%+v, %d bytes are new", n, total)
	}
}

// A part that fails again and again is sent again, and no other is.
func TestPartsAreResumed(t *testing.T) {
	hub := newHub(t, hubtest.Options{MultipartOver: 50_000, PartSize: 10_000})
	hub.Repo("acme/m")
	c := newClient(t, hub.URL(), aliceToken)
	faults := []*hubtest.Fault{{Status: 500}, {Status: 503}, {Drop: true}, {After: true}, {After: true, Status: 502}, {Status: 429}, {Drop: true}, {Status: 500}}
	var n atomic.Int32
	hub.Fault(func(r *http.Request) *hubtest.Fault {
		if !isPut(r) || path.Base(r.URL.Path) != "7" {
			return nil
		}
		if i := int(n.Add(1)) - 1; i < len(faults) {
			return faults[i]
		}
		return nil
	})
	big := pattern(100_000)
	var sent atomic.Int64
	if err := c.UploadLFS(t.Context(), model("acme/m"), []remote.LFSFile{lfsFile(big)}, remote.UploadOptions{Progress: func(n int64) { sent.Add(n) }}); err != nil {
		t.Fatal(err)
	}
	if got := hub.Counts()[hubtest.KindLFSPut].N; got != 10+len(faults) || sent.Load() != int64(len(big)) {
		t.Errorf("%d parts sent, %d bytes told", got, sent.Load())
	}
	commitAndRead(t, hub, c, big)
}

// commitAndRead puts content that was uploaded at a path.
func commitAndRead(t *testing.T, hub *hubtest.Hub, c *remote.Client, content string) {
	t.Helper()
	if _, err := c.Commit(t.Context(), model("acme/m"), remote.CommitRequest{
		Summary: "big", LFS: []remote.LFSRef{{Path: "b.bin", OID: sha(content), Size: int64(len(content))}},
	}); err != nil {
		t.Fatal(err)
	}
	if got := hub.Repo("acme/m").Read("main", "b.bin"); !bytes.Equal(got, []byte(content)) {
		t.Errorf("%d bytes", len(got))
	}
}

// All URLs run out in the middle of an upload in parts. Where the store goes on
// with the upload, the parts that have arrived are not sent again.
func TestURLsRunOut(t *testing.T) {
	for _, keep := range []bool{true, false} {
		t.Run(fmt.Sprint(keep), func(t *testing.T) {
			var log bytes.Buffer // of a server that writes a line at a time
			hub := newHub(t, hubtest.Options{MultipartOver: 50_000, PartSize: 1_000, AccessLog: &log})
			hub.Repo("acme/m")
			hub.SetQuirks(hubtest.Quirks{KeepUploads: keep})
			c := newClient(t, hub.URL(), aliceToken)
			var n atomic.Int32
			hub.Fault(func(r *http.Request) *hubtest.Fault {
				if isPut(r) && n.Add(1) == 60 {
					hub.ExpireURLs()
				}
				return nil
			})
			big := pattern(100_000)
			var sent atomic.Int64
			if err := c.UploadLFS(t.Context(), model("acme/m"), []remote.LFSFile{lfsFile(big)}, remote.UploadOptions{Progress: func(n int64) { sent.Add(n) }}); err != nil {
				t.Fatal(err)
			}
			if sent.Load() != int64(len(big)) {
				t.Errorf("%d bytes told", sent.Load())
			}
			commitAndRead(t, hub, c, big)
			if got := hub.Counts()[hubtest.KindLFSBatch].N; got != 2 {
				t.Errorf("asked %d times", got)
			}
			hub.Close()
			arrived := 0
			for line := range strings.Lines(log.String()) {
				if strings.Contains(line, `"/part/`) && strings.Contains(line, `"status":200`) {
					arrived++
				}
			}
			if keep && arrived != 100 || !keep && arrived <= 100 {
				t.Errorf("%d parts arrived", arrived)
			}
		})
	}
}

// URLs that are never good end the upload, after they were asked for anew.
func TestURLsNeverGood(t *testing.T) {
	for _, part := range []int64{1_000, 0} {
		o := hubtest.Options{}
		if part > 0 {
			o = hubtest.Options{MultipartOver: 5_000, PartSize: part}
		}
		hub := newHub(t, o)
		hub.Repo("acme/m")
		c := newClient(t, hub.URL(), aliceToken)
		hub.Fault(func(r *http.Request) *hubtest.Fault {
			if isPut(r) {
				return &hubtest.Fault{Status: 403}
			}
			return nil
		})
		err := c.UploadLFS(t.Context(), model("acme/m"), []remote.LFSFile{lfsFile(pattern(10_000))}, remote.UploadOptions{})
		var e *remote.Error
		if !errors.As(err, &e) || e.Status != 403 || hub.Counts()[hubtest.KindLFSBatch].N != 2 {
			t.Errorf("asked %d times: %v", hub.Counts()[hubtest.KindLFSBatch].N, err)
		}
	}
}

// The answer to a completion is lost: the object is there, and nothing of it is
// sent again.
func TestCompletionLost(t *testing.T) {
	hub := newHub(t, hubtest.Options{MultipartOver: 5_000, PartSize: 1_000})
	hub.Repo("acme/m")
	c := newClient(t, hub.URL(), aliceToken)
	var lost atomic.Bool
	hub.Fault(func(r *http.Request) *hubtest.Fault {
		if strings.Contains(r.URL.Path, "complete_multipart") && lost.CompareAndSwap(false, true) {
			return &hubtest.Fault{After: true}
		}
		return nil
	})
	big := pattern(10_000)
	if err := c.UploadLFS(t.Context(), model("acme/m"), []remote.LFSFile{lfsFile(big)}, remote.UploadOptions{}); err != nil {
		t.Fatal(err)
	}
	if n := hub.Counts(); n[hubtest.KindLFSPut].N != 10 || n[hubtest.KindLFSBatch].N != 1 {
		t.Errorf("%+v", n)
	}
	commitAndRead(t, hub, c, big)
}

// What has arrived before a failure is not sent by the next run.
func TestUploadGoesOn(t *testing.T) {
	hub := newHub(t, hubtest.Options{})
	hub.Repo("acme/m")
	c := newClient(t, hub.URL(), aliceToken)
	var files []remote.LFSFile
	for i := range 10 {
		files = append(files, lfsFile(pattern(1_000+i)))
	}
	// The smallest is sent only when the others are there, and fails.
	bad := sha(pattern(1_000))
	hub.Fault(func(r *http.Request) *hubtest.Fault {
		if !isPut(r) || path.Base(r.URL.Path) != bad {
			return nil
		}
		for there := 0; there < 9 && r.Context().Err() == nil; runtime.Gosched() {
			owned, _ := os.ReadDir(filepath.Join(hub.Dir(), "repos/models/acme/m/lfs"))
			there = len(owned)
		}
		return &hubtest.Fault{Status: 402}
	})
	err := c.UploadLFS(t.Context(), model("acme/m"), files, remote.UploadOptions{})
	var e *remote.Error
	if !errors.As(err, &e) || e.Status != 402 || !strings.Contains(err.Error(), bad) {
		t.Fatal(err)
	}
	hub.Fault(nil)
	hub.ResetCounts()
	if err := c.UploadLFS(t.Context(), model("acme/m"), files, remote.UploadOptions{}); err != nil {
		t.Fatal(err)
	}
	if n := hub.Counts()[hubtest.KindLFSPut]; n.N != 1 || n.In != 1_000 {
		t.Errorf("%+v", n)
	}
}

// Progress is not told of each read: that would cost more than the sending.
func TestProgressInSteps(t *testing.T) {
	hub := newHub(t, hubtest.Options{MultipartOver: 1 << 20, PartSize: 1 << 20})
	hub.Repo("acme/m")
	c := newClient(t, hub.URL(), aliceToken)
	big := pattern(5<<20 + 5)
	var sent, calls atomic.Int64
	if err := c.UploadLFS(t.Context(), model("acme/m"), []remote.LFSFile{lfsFile(big)}, remote.UploadOptions{Progress: func(n int64) {
		sent.Add(n)
		calls.Add(1)
	}}); err != nil {
		t.Fatal(err)
	}
	if sent.Load() != int64(len(big)) || calls.Load() < 2 || calls.Load() > 6 {
		t.Errorf("told of %d bytes in %d calls", sent.Load(), calls.Load())
	}
}

// An upload that has failed says why, and asks about no more files.
func TestUploadFails(t *testing.T) {
	hub := newHub(t, hubtest.Options{})
	hub.Repo("acme/m")
	c := newClient(t, hub.URL(), aliceToken)
	hub.Fault(func(r *http.Request) *hubtest.Fault {
		if isPut(r) {
			return &hubtest.Fault{Status: 402}
		}
		return nil
	})
	var files []remote.LFSFile
	for i := range 600 {
		files = append(files, lfsFile(fmt.Sprint(i)))
	}
	err := c.UploadLFS(t.Context(), model("acme/m"), files, remote.UploadOptions{Done: func(oid string) { t.Error(oid) }})
	var e *remote.Error
	if n := hub.Counts(); !errors.As(err, &e) || e.Status != 402 || n[hubtest.KindLFSBatch].N != 1 {
		t.Errorf("asked %d times: %v", n[hubtest.KindLFSBatch].N, err)
	}
}

// zeros is n zero bytes that lie nowhere.
type zeros struct{ pos, n int64 }

func (z *zeros) Close() error { return nil }

func (z *zeros) Seek(off int64, _ int) (int64, error) { z.pos = off; return off, nil }

func (z *zeros) Read(p []byte) (int, error) {
	if z.pos >= z.n {
		return 0, io.EOF
	}
	n := min(int64(len(p)), z.n-z.pos)
	z.pos += n
	return int(n), nil
}

// A large object takes no more memory than its connections need.
func TestUploadMemory(t *testing.T) {
	const size, chunk = 2 << 30, 32 << 20
	var peak atomic.Uint64
	var puts atomic.Int64
	buffers := sync.Pool{New: func() any { b := make([]byte, 64<<10); return &b }}
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPut {
			if strings.HasSuffix(r.URL.Path, "/batch") {
				fmt.Fprintf(w, `{"objects":[{"oid":"%s","size":%d,"actions":{"upload":{"href":"http://%s/done","header":{"chunk_size":"%d"`, sha("big"), size, r.Host, chunk)
				for i := range size / chunk {
					fmt.Fprintf(w, `,"%05d":"http://%s/part/%d"`, i+1, r.Host, i+1)
				}
				fmt.Fprint(w, `}}}}]}`)
			}
			return
		}
		buf := buffers.Get().(*[]byte)
		defer buffers.Put(buf)
		for {
			n, err := r.Body.Read(*buf)
			puts.Add(int64(n))
			if err != nil {
				break
			}
		}
		w.Header().Set("ETag", `"x"`)
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		for old := peak.Load(); m.HeapInuse+m.StackInuse > old && !peak.CompareAndSwap(old, m.HeapInuse+m.StackInuse); old = peak.Load() {
		}
	})
	c := newClient(t, srv.URL, aliceToken)
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	f := remote.LFSFile{OID: sha("big"), Size: size, Open: func() (io.ReadSeekCloser, error) { return &zeros{n: size}, nil }}
	if err := c.UploadLFS(t.Context(), model("a/b"), []remote.LFSFile{f}, remote.UploadOptions{}); err != nil {
		t.Fatal(err)
	}
	if puts.Load() != size {
		t.Errorf("%d bytes sent", puts.Load())
	}
	grown := int64(peak.Load()) - int64(before.HeapInuse+before.StackInuse)
	t.Logf("%.1f MiB more in use at the peak, the server's share too", float64(grown)/(1<<20))
	if grown > 64<<20 {
		t.Errorf("%d MiB more in use", grown>>20)
	}
}
