package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
)

func TestGate(t *testing.T) {
	g := newGate()
	ctx := context.Background()
	a, b := &upload{}, &upload{}
	in := func(u *upload) int {
		t.Helper()
		serial, err := g.enter(ctx, u, 1)
		if err != nil {
			t.Fatal(err)
		}
		return serial
	}
	var serials []int
	for range maxConns {
		serials = append(serials, in(a))
	}
	if g.running != maxConns || a.sending != maxConns {
		t.Fatal(g.running, a.sending)
	}
	// One failure, however often it is told, halves the limit once.
	for _, s := range serials {
		g.failed(s)
	}
	if g.limit != maxConns/2 {
		t.Errorf("limit %d", g.limit)
	}
	gone, cancel := context.WithCancelCause(ctx)
	why := errors.New("why")
	cancel(why)
	if _, err := g.enter(gone, a, 1); err != why || len(g.waiting) != 0 {
		t.Errorf("%v, %d wait", err, len(g.waiting))
	}
	// Nobody is let in until enough have left; then those with the fewest.
	type got struct {
		u    *upload
		size int64
	}
	order := make(chan got, 4)
	for i, w := range []got{{a, 1}, {a, 5}, {b, 2}, {b, 3}} {
		go func() {
			if _, err := g.enter(ctx, w.u, w.size); err == nil {
				order <- w
			}
		}()
		for n := 0; n <= i; {
			g.mu.Lock()
			n = len(g.waiting)
			g.mu.Unlock()
		}
	}
	for range maxConns / 2 {
		g.leave(a, false)
	}
	if g.running != maxConns/2 || len(order) != 0 {
		t.Errorf("%d run, %d were let in", g.running, len(order))
	}
	for _, want := range []got{{b, 3}, {b, 2}, {a, 5}, {a, 1}} {
		g.leave(a, false)
		if w := <-order; w != want {
			t.Errorf("%v, want size %d", w.size, want.size)
		}
	}
	// Each success gives one back, up to the most; failures leave two.
	for range g.running {
		g.leave(b, false)
	}
	for range 2 * maxConns {
		in(a)
		g.leave(a, true)
	}
	if g.limit != maxConns || g.running != 0 {
		t.Errorf("limit %d, %d run", g.limit, g.running)
	}
	for range 20 {
		g.failed(in(b))
		g.leave(b, false)
	}
	if g.limit != minConns {
		t.Errorf("limit %d", g.limit)
	}
}

// countingNet answers a batch with uploads for all, and lets none of them end
// before it is told.
type countingNet struct {
	under   atomic.Int32
	release chan struct{}
}

func (n *countingNet) RoundTrip(r *http.Request) (*http.Response, error) {
	b, err := io.ReadAll(r.Body)
	r.Body.Close()
	if err != nil {
		return nil, err
	}
	body := ""
	if r.Method == http.MethodPut {
		n.under.Add(1)
		<-n.release
		n.under.Add(-1)
	} else {
		// The objects come back as they were sent, with a place to send them to.
		body = strings.ReplaceAll(string(b), `"size":1}`, `"size":1,"actions":{"upload":{"href":"https://cdn.example/x"}}}`)
	}
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

type oneByte struct{ *strings.Reader }

func (oneByte) Close() error { return nil }

// Two uploads of one client have 32 connections between them, while more waits.
func TestConnectionLimit(t *testing.T) {
	net := &countingNet{release: make(chan struct{})}
	c, err := New(Options{Endpoint: "https://hub.example", Transport: net})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	errs := make(chan error, 2)
	for u := range 2 {
		var files []LFSFile
		for i := range 60 {
			files = append(files, LFSFile{
				OID: fmt.Sprintf("%064x", 1000*u+i), Size: 1,
				Open: func() (io.ReadSeekCloser, error) { return oneByte{strings.NewReader("x")}, nil },
			})
		}
		go func() {
			errs <- c.UploadLFS(context.Background(), Repo{Type: Model, ID: fmt.Sprint("a/m", u)}, files, UploadOptions{})
		}()
	}
	for full := false; !full; runtime.Gosched() {
		c.gate.mu.Lock()
		full = len(c.gate.waiting) > 60 && int(net.under.Load()) == c.gate.running
		if c.gate.running > 32 {
			t.Errorf("%d at once", c.gate.running)
			full = true
		}
		c.gate.mu.Unlock()
	}
	if n := net.under.Load(); n != 32 {
		t.Errorf("%d requests under way, want 32", n)
	}
	close(net.release)
	for range 2 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}
