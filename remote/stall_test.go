package remote_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hubfs/hubfs/remote"
	"github.com/hubfs/hubfs/remote/hubtest"
)

// short makes every wait end soon. The tests wait for ends that come from these,
// whenever that is; they measure nothing.
var short = remote.Timeouts{
	Dial: 50 * time.Millisecond, TLS: 50 * time.Millisecond, Header: 100 * time.Millisecond, Commit: 100 * time.Millisecond,
	Stall: 100 * time.Millisecond, Retry: 150 * time.Millisecond, Backoff: time.Millisecond,
}

func lateBy(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		t.Errorf("%s: %v", what, err)
	}
}

// A server that stops talking at any point of an answer.
func TestStalls(t *testing.T) {
	hub := newHub(t, hubtest.Options{})
	hub.Repo("acme/m").Commit("main", "x", map[string]string{"big.bin": pattern(bigSize)})
	c := clientOf(t, remote.Options{Endpoint: hub.URL(), Token: aliceToken, Timeouts: short})
	patient := newClient(t, hub.URL(), aliceToken)
	s := snapshot(t, patient, model("acme/m"))
	k := c.Content(s.Repo(), s.Commit(), stat(t, s, "big.bin"))
	for _, after := range []int64{0, 10} {
		hub.Fault(func(r *http.Request) *hubtest.Fault {
			if strings.Contains(hub.CDNURL(), r.Host) {
				return &hubtest.Fault{Stall: true, CutAfter: after}
			}
			return nil
		})
		_, err := readRange(k, 0, bigSize)
		lateBy(t, fmt.Sprintf("content, after %d bytes", after), err)
	}
	hub.Fault(func(r *http.Request) *hubtest.Fault { return &hubtest.Fault{Stall: true, CutAfter: 5} })
	_, err := c.Info(t.Context(), model("acme/m"))
	lateBy(t, "info", err)
	_, err = c.SnapshotAt(s.Repo(), s.Commit(), s.Date()).List(t.Context(), "")
	lateBy(t, "tree", err)
	hub.Fault(nil)
	k = patient.Content(s.Repo(), s.Commit(), stat(t, s, "big.bin"))
	if got, err := readRange(k, 0, bigSize); err != nil || string(got) != pattern(bigSize) {
		t.Errorf("after all that: %d bytes, %v", len(got), err)
	}
}

// One stall is not the end: the rest comes over another connection.
func TestStallIsResumed(t *testing.T) {
	hub := newHub(t, hubtest.Options{})
	hub.Repo("acme/m").Commit("main", "x", map[string]string{"big.bin": pattern(bigSize)})
	patient := short
	patient.Header, patient.Retry = 10*time.Second, 20*time.Second
	c := clientOf(t, remote.Options{Endpoint: hub.URL(), Token: aliceToken, Timeouts: patient})
	s := snapshot(t, c, model("acme/m"))
	k := c.Content(s.Repo(), s.Commit(), stat(t, s, "big.bin"))
	var once atomic.Bool
	hub.Fault(func(r *http.Request) *hubtest.Fault {
		if strings.Contains(hub.CDNURL(), r.Host) && once.CompareAndSwap(false, true) {
			return &hubtest.Fault{Stall: true, CutAfter: 100_000}
		}
		return nil
	})
	if got, err := readRange(k, 0, bigSize); err != nil || string(got) != pattern(bigSize) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// A reader that takes its time is no stall.
func TestSlowReader(t *testing.T) {
	hub := newHub(t, hubtest.Options{})
	hub.Repo("acme/m").Commit("main", "x", map[string]string{"big.bin": pattern(bigSize)})
	patient := short
	patient.Header, patient.Retry = 10*time.Second, 20*time.Second
	c := clientOf(t, remote.Options{Endpoint: hub.URL(), Token: aliceToken, Timeouts: patient})
	s := snapshot(t, c, model("acme/m"))
	r, err := c.Content(s.Repo(), s.Commit(), stat(t, s, "big.bin")).ReadRange(t.Context(), 0, bigSize)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.CopyN(io.Discard, r, 1000); err != nil {
		t.Fatal(err)
	}
	<-time.After(3 * short.Stall) // longer than any wait for the server may be
	if n, err := io.Copy(io.Discard, r); err != nil || n != bigSize-1000 {
		t.Errorf("%d bytes, %v", n, err)
	}
}

// A listener that accepts and never reads: the upload ends.
func TestUploadStalls(t *testing.T) {
	var deaf net.Listener
	hub := serve(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"objects":[{"oid":"%s","size":%d,"actions":{"upload":{"href":"http://%s/x"}}}]}`, sha(pattern(30<<20)), 30<<20, deaf.Addr())
	})
	var err error
	if deaf, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	c := clientOf(t, remote.Options{Endpoint: hub.URL, Timeouts: remote.Timeouts{
		Dial: 10 * time.Second, Stall: 100 * time.Millisecond, Retry: 20 * time.Millisecond, Backoff: time.Millisecond,
	}})
	lateBy(t, "upload", c.UploadLFS(t.Context(), model("a/b"), []remote.LFSFile{lfsFile(pattern(30 << 20))}, remote.UploadOptions{}))
}

// A port where nobody listens, and a TLS server that no one vouches for.
func TestUnreachable(t *testing.T) {
	c := newClient(t, "http://127.0.0.1:1", "")
	_, err := c.Info(t.Context(), model("a/b"))
	if err == nil || c.Requests() != 3 {
		t.Errorf("after %d requests: %v", c.Requests(), err)
	}
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = nil
	s.StartTLS()
	defer s.Close()
	c = newClient(t, s.URL, "")
	if _, err := c.Info(t.Context(), model("a/b")); err == nil || !strings.Contains(err.Error(), "certificate") || c.Requests() != 1 {
		t.Errorf("after %d requests: %v", c.Requests(), err)
	}
	c = newClient(t, strings.Replace(s.URL, "https", "http", 1), "")
	if _, err := c.Info(t.Context(), model("a/b")); err == nil {
		t.Error("http to https: no error")
	}
}

// Connections that were kept alive and are gone when they are used again.
func TestDroppedKeepAlive(t *testing.T) {
	hub := newHub(t, hubtest.Options{})
	hub.Repo("acme/m").Put("f", "x")
	c := newClient(t, hub.URL(), aliceToken)
	for i := range 10 {
		if _, err := c.Info(t.Context(), model("acme/m")); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		hub.Fault(func(r *http.Request) *hubtest.Fault {
			hub.Fault(nil)
			return &hubtest.Fault{Drop: true}
		})
	}
}

func TestOffline(t *testing.T) {
	c := clientOf(t, remote.Options{Endpoint: "https://hub.example", Offline: true})
	_, err := c.Info(t.Context(), model("a/b"))
	_, err2 := readRange(entryOf(c, 9), 0, 9)
	_, err3 := c.Commit(t.Context(), model("a/b"), remote.CommitRequest{Summary: "x", Deletes: []string{"f"}})
	for _, err := range []error{err, err2, err3} {
		if !errors.Is(err, remote.ErrOffline) || errors.Is(err, remote.ErrUnknownOutcome) {
			t.Error(err)
		}
	}
	if c.Requests() != 0 {
		t.Errorf("%d requests", c.Requests())
	}
}
