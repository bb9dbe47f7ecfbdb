package remote_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hubfs/hubfs/remote"
	"github.com/hubfs/hubfs/remote/hubtest"
)

const bigSize = 300_000

// contentHub has a regular file and a large one, and a client to read them.
func contentHub(t *testing.T, o hubtest.Options) (hub *hubtest.Hub, small, big, empty *remote.Content) {
	t.Helper()
	hub = newHub(t, o)
	hub.Repo("acme/m").Commit("main", "x", map[string]string{
		"dir x/small#1.txt": pattern(5000), "big.bin": pattern(bigSize), "empty": "",
	})
	c := newClient(t, hub.URL(), aliceToken)
	s := snapshot(t, c, model("acme/m"))
	for path, k := range map[string]**remote.Content{"dir x/small#1.txt": &small, "big.bin": &big, "empty": &empty} {
		*k = c.Content(s.Repo(), s.Commit(), stat(t, s, path))
	}
	if _, ok := stat(t, s, "big.bin").Blob.LFS(); !ok {
		t.Fatal("big.bin is not a large file")
	}
	hub.ResetCounts()
	return hub, small, big, empty
}

func TestReadRange(t *testing.T) {
	quirks := map[string]hubtest.Quirks{
		"the Hub": {}, "whole bodies": {WholeBody: true}, "bare redirects": {BareRedirect: true},
		"unquoted etags": {UnquotedETags: true}, "CloudFront": {CloudFront: true},
	}
	for _, shape := range "ABC" {
		quirks["shape "+string(shape)] = hubtest.Quirks{Resolve: func(string, string) byte { return byte(shape) }}
	}
	for name, q := range quirks {
		t.Run(name, func(t *testing.T) {
			hub, small, big, empty := contentHub(t, hubtest.Options{})
			hub.SetQuirks(q)
			for _, k := range []struct {
				content *remote.Content
				want    string
			}{{small, pattern(5000)}, {big, pattern(bigSize)}, {empty, ""}} {
				size := int64(len(k.want))
				for _, r := range [][2]int64{{0, size}, {0, 1}, {size / 2, 100}, {size - 1, 1}, {size - 1, 50}, {size, 10}, {size + 7, 10}, {1, 0}, {100, 1 << 62}} {
					off := min(max(r[0], 0), size)
					want := k.want[off : off+min(r[1], size-off)]
					got, err := readRange(k.content, max(r[0], 0), r[1])
					if err != nil || string(got) != want {
						t.Errorf("%d bytes at %d of %d: %d bytes, %v", r[1], r[0], size, len(got), err)
					}
				}
			}
			if _, err := readRange(small, -1, 5); !errors.Is(err, fs.ErrInvalid) {
				t.Error(err)
			}
		})
	}
}

func TestContentBudget(t *testing.T) {
	hub, small, big, empty := contentHub(t, hubtest.Options{})
	read := func(k *remote.Content, off, n int64) {
		t.Helper()
		if _, err := readRange(k, off, n); err != nil {
			t.Error(err)
		}
	}
	read(empty, 0, 10)
	if n := hub.Requests(); n != 0 {
		t.Errorf("%d requests for an empty file", n)
	}
	for _, k := range []*remote.Content{small, big} {
		hub.ResetCounts()
		read(k, 0, 1000)
		if n := hub.Requests(); n != 2 { // resolve and its redirect
			t.Errorf("first range: %d requests, want 2", n)
		}
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() { read(k, int64(i*100), 100) })
		}
		wg.Wait()
		if n := hub.Requests(); n != 12 {
			t.Errorf("ten more ranges: %d requests in all, want 12", n)
		}
	}
	if n := hub.Counts()[hubtest.KindResolve].N; n != 1 {
		t.Errorf("%d resolves of big.bin, want 1", n)
	}
}

// Many first reads at once resolve once.
func TestConcurrentFirstReads(t *testing.T) {
	hub, _, big, _ := contentHub(t, hubtest.Options{})
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			got, err := readRange(big, int64(i*1000), 1000)
			if err != nil || string(got) != pattern(bigSize)[i*1000:i*1000+1000] {
				t.Errorf("%d: %d bytes, %v", i, len(got), err)
			}
		})
	}
	wg.Wait()
	if c := hub.Counts(); c[hubtest.KindResolve].N != 1 || c[hubtest.KindContent].N != 32 {
		t.Errorf("%v, want 1 resolve and 32 reads", c)
	}
}

// The one who resolves may give up; those who wait must not.
func TestResolverGivesUp(t *testing.T) {
	hub, _, big, _ := contentHub(t, hubtest.Options{})
	arrived, release := make(chan bool), make(chan bool)
	defer close(release)
	var resolves atomic.Int32
	hub.Fault(func(r *http.Request) *hubtest.Fault {
		if strings.Contains(r.URL.Path, "/resolve/") && resolves.Add(1) == 1 {
			close(arrived)
			<-release
		}
		return nil
	})
	ctx, cancel := context.WithCancel(context.Background())
	first := make(chan error, 1)
	go func() {
		_, err := big.ReadRange(ctx, 0, 10)
		first <- err
	}()
	<-arrived
	second := make(chan error, 1)
	go func() {
		_, err := readRange(big, 0, 10)
		second <- err
	}()
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("first: %v", err)
	}
	if err := <-second; err != nil {
		t.Errorf("second: %v", err)
	}
}

func TestExpiredURL(t *testing.T) {
	for _, status := range []int{403, 401} {
		hub, _, big, _ := contentHub(t, hubtest.Options{})
		hub.SetQuirks(hubtest.Quirks{GoneStatus: status})
		for i := range 3 {
			if got, err := readRange(big, 10, 10); err != nil || string(got) != pattern(30)[10:20] {
				t.Errorf("%d: %q, %v", status, got, err)
			}
			if i == 0 {
				hub.ExpireURLs()
			}
		}
		if n := hub.Counts()[hubtest.KindResolve].N; n != 2 {
			t.Errorf("%d: %d resolves, want 2", status, n)
		}
	}
}

// A URL past its end is not used: no refusal is needed to see it.
func TestURLLife(t *testing.T) {
	for _, q := range []hubtest.Quirks{{}, {CloudFront: true}} {
		past := func() time.Time { return time.Now().Add(-2 * time.Hour) }
		hub, _, big, _ := contentHub(t, hubtest.Options{URLTTL: time.Hour, Now: past})
		hub.SetQuirks(q)
		for range 3 {
			if _, err := readRange(big, 0, 10); err != nil {
				t.Error(err)
			}
		}
		if n := hub.Counts()[hubtest.KindResolve].N; n != 3 {
			t.Errorf("%d resolves of URLs that had ended, want 3", n)
		}
	}
}

// What the content origin refuses for good is no judgement on the token.
func TestRefusedByContentOrigin(t *testing.T) {
	hub, _, big, _ := contentHub(t, hubtest.Options{})
	hub.Fault(func(r *http.Request) *hubtest.Fault {
		if strings.Contains(hub.CDNURL(), r.Host) {
			return &hubtest.Fault{Status: 403, Body: "<Error><Code>AccessDenied</Code></Error>"}
		}
		return nil
	})
	_, err := readRange(big, 0, 10)
	var e *remote.Error
	if !errors.As(err, &e) || e.Status != 403 {
		t.Fatal(err)
	}
	for _, not := range []error{fs.ErrPermission, remote.ErrBadToken, fs.ErrNotExist} {
		if errors.Is(err, not) {
			t.Errorf("%v is %v", err, not)
		}
	}
	if n := hub.Counts()[hubtest.KindResolve].N; n != 2 {
		t.Errorf("%d resolves, want 2", n)
	}
}

// Broken connections are resumed where they broke.
func TestResume(t *testing.T) {
	hub, _, big, _ := contentHub(t, hubtest.Options{})
	var mu sync.Mutex
	cuts := map[string]int{}
	hub.Fault(func(r *http.Request) *hubtest.Fault {
		mu.Lock()
		defer mu.Unlock()
		if strings.Contains(hub.CDNURL(), r.Host) && len(cuts) < 6 {
			cuts[r.Header.Get("Range")]++
			return &hubtest.Fault{CutAfter: 40_000}
		}
		return nil
	})
	got, err := readRange(big, 0, bigSize)
	if err != nil || string(got) != pattern(bigSize) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if len(cuts) != 6 {
		t.Errorf("cut %v", cuts)
	}
}

// A connection that breaks at once each time ends in an error, not in a loop.
func TestResumeEnds(t *testing.T) {
	hub, _, big, _ := contentHub(t, hubtest.Options{})
	hub.Fault(func(r *http.Request) *hubtest.Fault {
		if strings.Contains(hub.CDNURL(), r.Host) {
			return &hubtest.Fault{CutAfter: -1}
		}
		return nil
	})
	if got, err := readRange(big, 0, 1000); err == nil || len(got) != 0 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if n := hub.Requests(); n > 40 {
		t.Errorf("%d requests", n)
	}
}

// contentFrom serves one file of a tree as the test wants.
func contentFrom(t *testing.T, size int64, blob string, h http.HandlerFunc) *remote.Content {
	t.Helper()
	c := newClient(t, serve(t, h).URL, "")
	return c.Content(model("a/b"), strings.Repeat("c", 40), remote.Entry{Path: "f", Size: size, Blob: remote.Blob{ID: blob}})
}

func TestLyingAnswers(t *testing.T) {
	git := "git:" + strings.Repeat("a", 40)
	lfs := "sha256:" + strings.Repeat("b", 64)
	for name, c := range map[string]struct {
		blob   string
		status int
		header string
		body   string
	}{
		"other range":            {git, 206, "Content-Range: bytes 11-20/100", pattern(10)},
		"shorter range":          {git, 206, "Content-Range: bytes 10-18/100", pattern(9)},
		"longer range":           {git, 206, "Content-Range: bytes 10-20/100", pattern(11)},
		"other total":            {git, 206, "Content-Range: bytes 10-19/101", pattern(10)},
		"no range":               {git, 206, "X: y", pattern(10)},
		"range without sense":    {git, 206, "Content-Range: bytes 10--19/100", pattern(10)},
		"range of signs":         {git, 206, "Content-Range: bytes +10-+19/100", pattern(10)},
		"range beyond the total": {git, 206, "Content-Range: bytes 10-19/15", pattern(10)},
		"items":                  {git, 206, "Content-Range: items 10-19/100", pattern(10)},
		"length":                 {git, 206, "Content-Range: bytes 10-19/100", pattern(11)},
		"whole file of 99":       {git, 200, "X: y", pattern(99)},
		"whole file of 101":      {git, 200, "X: y", pattern(101)},
		"gzip":                   {git, 206, "Content-Range: bytes 10-19/100\nContent-Encoding: gzip", pattern(10)},
		"nothing there":          {git, 416, "Content-Range: bytes */5", ""},
		"accepted":               {git, 202, "X: y", pattern(10)},
		"no content":             {git, 204, "X: y", ""},
		"etag of other content":  {git, 206, "Content-Range: bytes 10-19/100\nETag: W/\"" + strings.Repeat("b", 40) + `"`, pattern(10)},
		"unquoted other etag":    {git, 206, "Content-Range: bytes 10-19/100\nETag: " + strings.Repeat("b", 40), pattern(10)},
		"other linked etag":      {lfs, 206, "Content-Range: bytes 10-19/100\nX-Linked-Etag: \"" + strings.Repeat("c", 64) + `"`, pattern(10)},
		"a large file after all": {git, 206, "Content-Range: bytes 10-19/100\nX-Linked-Etag: \"" + strings.Repeat("c", 64) + `"`, pattern(10)},
		"other linked size":      {lfs, 206, "Content-Range: bytes 10-19/100\nX-Linked-Size: 101", pattern(10)},
	} {
		t.Run(name, func(t *testing.T) {
			k := contentFrom(t, 100, c.blob, func(w http.ResponseWriter, r *http.Request) {
				setHeaders(w, c.header)
				w.WriteHeader(c.status)
				fmt.Fprint(w, c.body)
			})
			got, err := readRange(k, 10, 10)
			if !errors.Is(err, remote.ErrMismatch) || len(got) != 0 {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func setHeaders(w http.ResponseWriter, lines string) {
	for line := range strings.SplitSeq(lines, "\n") {
		k, v, _ := strings.Cut(line, ": ")
		w.Header().Set(k, v)
	}
}

// What is unusual but true is read.
func TestOddAnswers(t *testing.T) {
	git := "git:" + strings.Repeat("a", 40)
	lfs := "sha256:" + strings.Repeat("b", 64)
	for name, c := range map[string]struct {
		blob   string
		status int
		header string
		body   string
		chunks bool
	}{
		"total not known":      {git, 206, "Content-Range: bytes 10-19/*", pattern(100)[10:20], false},
		"no length":            {git, 206, "Content-Range: bytes 10-19/100", pattern(100)[10:20], true},
		"whole without length": {git, 200, "X: y", pattern(100), true},
		"own etag":             {git, 206, "Content-Range: BYTES 10-19/100\nETag: \"d41d8cd98f00b204e9800998ecf8427e-3\"", pattern(100)[10:20], false},
		"etag of the pointer":  {lfs, 206, "Content-Range: bytes 10-19/100\nETag: " + strings.Repeat("1", 40), pattern(100)[10:20], false},
		"weak etag":            {git, 206, "Content-Range: bytes 10-19/100\nETag: W/\"" + strings.Repeat("A", 40) + `"`, pattern(100)[10:20], false},
		"linked and plain":     {lfs, 206, "Content-Range: bytes 10-19/100\nX-Linked-Etag: " + strings.Repeat("b", 64) + "\nETag: " + strings.Repeat("2", 64), pattern(100)[10:20], false},
		"identity":             {git, 206, "Content-Range: bytes 10-19/100\nContent-Encoding: identity", pattern(100)[10:20], false},
	} {
		t.Run(name, func(t *testing.T) {
			k := contentFrom(t, 100, c.blob, func(w http.ResponseWriter, r *http.Request) {
				if got := r.Header.Get("Accept-Encoding"); got != "identity" {
					t.Errorf("Accept-Encoding: %q", got)
				}
				setHeaders(w, c.header)
				w.WriteHeader(c.status)
				if c.chunks {
					w.(http.Flusher).Flush()
				}
				fmt.Fprint(w, c.body)
			})
			got, err := readRange(k, 10, 10)
			if err != nil || string(got) != pattern(100)[10:20] {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// Bytes after the end are found even if no length was given.
func TestTooManyBytes(t *testing.T) {
	k := contentFrom(t, 100, "git:"+strings.Repeat("a", 40), func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Range", "bytes 90-99/100")
		w.WriteHeader(206)
		w.(http.Flusher).Flush()
		fmt.Fprint(w, pattern(11))
	})
	if _, err := readRange(k, 90, 10); !errors.Is(err, remote.ErrMismatch) {
		t.Error(err)
	}
}

// Flipped bytes of right length are found by those who read all of them.
func TestWrongHash(t *testing.T) {
	hub := newHub(t, hubtest.Options{})
	hub.Repo("acme/m").Commit("main", "x", map[string]string{"s": "small", "b.bin": pattern(20_000)})
	s := snapshot(t, newClient(t, hub.URL(), aliceToken), model("acme/m"))
	stat(t, s, "s")
	hub.Fault(func(r *http.Request) *hubtest.Fault { return &hubtest.Fault{Flip: 3} })
	for _, name := range []string{"s", "b.bin"} {
		if _, err := fs.ReadFile(s, name); !errors.Is(err, remote.ErrMismatch) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestGatedAndPrivate(t *testing.T) {
	hub := newHub(t, hubtest.Options{})
	private, gated := hub.Repo("acme/private"), hub.Repo("acme/gated")
	private.Put("f", "x")
	gated.Put("f", "x")
	private.SetPrivate(true)
	gated.SetGated(true)
	ctx := t.Context()
	for _, token := range []string{"", bobToken} {
		c := newClient(t, hub.URL(), token)
		_, err := c.Snapshot(ctx, model("acme/private"))
		if token == "" && !errors.Is(err, fs.ErrPermission) || token != "" && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("private, token %q: %v", token, err)
		}
		s := snapshot(t, c, model("acme/gated"))
		if _, err := fs.ReadFile(s, "f"); !errors.Is(err, fs.ErrPermission) || !errors.Is(err, remote.ErrGated) {
			t.Errorf("gated, token %q: %v", token, err)
		}
	}
	hub.SetQuirks(hubtest.Quirks{PlainDenial: true})
	if _, err := newClient(t, hub.URL(), "").Info(ctx, model("acme/private")); !errors.Is(err, fs.ErrPermission) || errors.Is(err, remote.ErrBadToken) {
		t.Error(err)
	}
	_, err := newClient(t, hub.URL(), "hf_wrongwrongwrong").Info(ctx, model("acme/private"))
	if !errors.Is(err, remote.ErrBadToken) || !errors.Is(err, fs.ErrPermission) || strings.Contains(err.Error(), "hf_wrong") {
		t.Error(err)
	}
}
