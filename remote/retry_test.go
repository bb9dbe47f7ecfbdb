package remote_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hubfs/hubfs/remote"
)

const infoJSON = `{"id":"a/b","sha":"cccccccccccccccccccccccccccccccccccccccc"}`

// script answers with one after the other, the last for ever; nil is a broken
// connection.
func script(times *[]time.Duration, answers ...func() *http.Response) fakeNet {
	start, n := time.Now(), 0
	return func(r *http.Request) *http.Response {
		*times = append(*times, time.Since(start))
		a := answers[min(n, len(answers)-1)]
		n++
		if a == nil {
			return nil
		}
		return a()
	}
}

func reply(status int, header ...string) func() *http.Response {
	body := "busy"
	if status == 200 {
		body = infoJSON
	}
	return func() *http.Response { return answer(status, body, header...) }
}

// The waits of the retry policy, on a clock that costs nothing.
func TestRetry(t *testing.T) {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	type span struct{ min, max time.Duration }
	backoff := []span{{ms(375), ms(625)}, {ms(750), ms(1250)}, {ms(1500), ms(2500)}, {ms(3000), ms(5000)}}
	date := func() *http.Response {
		return answer(503, "", "Retry-After: "+time.Now().Add(4*time.Second).UTC().Format(http.TimeFormat))
	}
	for name, c := range map[string]struct {
		answers []func() *http.Response
		waits   []span
		status  int // of the final error, 0 = none
	}{
		"fine":                      {[]func() *http.Response{reply(200)}, nil, 0},
		"one 503":                   {[]func() *http.Response{reply(503), reply(200)}, backoff[:1], 0},
		"one broken connection":     {[]func() *http.Response{nil, reply(200)}, backoff[:1], 0},
		"500 502 504 408":           {[]func() *http.Response{reply(500), reply(502), reply(504), reply(408), reply(200)}, backoff, 0},
		"503 for ever":              {[]func() *http.Response{reply(503)}, backoff, 503},
		"404":                       {[]func() *http.Response{reply(404)}, nil, 404},
		"501":                       {[]func() *http.Response{reply(501)}, nil, 501},
		"429 without a word":        {[]func() *http.Response{reply(429), reply(200)}, backoff[:1], 0},
		"Retry-After":               {[]func() *http.Response{reply(429, "Retry-After: 7"), reply(200)}, []span{{7 * time.Second, ms(7200)}}, 0},
		"Retry-After: 0":            {[]func() *http.Response{reply(429, "Retry-After: 0"), reply(200)}, []span{{ms(1), ms(200)}}, 0},
		"Retry-After as a date":     {[]func() *http.Response{date, reply(200)}, []span{{3 * time.Second, ms(4200)}}, 0},
		"Retry-After without sense": {[]func() *http.Response{reply(503, "Retry-After: soon"), reply(200)}, backoff[:1], 0},
		"Retry-After: minus":        {[]func() *http.Response{reply(503, "Retry-After: -5"), reply(200)}, backoff[:1], 0},
		"rate limit":                {[]func() *http.Response{reply(429, `RateLimit: "api";r=0;t=9`), reply(200)}, []span{{9 * time.Second, ms(9200)}}, 0},
		"another limit's window":    {[]func() *http.Response{reply(429, `RateLimit: "api";r=5;t=9`), reply(200)}, backoff[:1], 0},
		"longer than the budget":    {[]func() *http.Response{reply(429, "Retry-After: 200")}, nil, 429},
		"huge Retry-After":          {[]func() *http.Response{reply(429, "Retry-After: 99999999999999999999")}, backoff, 429},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var times []time.Duration
				cl, err := remote.New(remote.Options{Endpoint: "https://hub.example", Transport: script(&times, c.answers...)})
				if err != nil {
					t.Fatal(err)
				}
				defer cl.Close()
				_, err = cl.Info(t.Context(), model("a/b"))
				var e *remote.Error
				if c.status == 0 && err != nil || c.status != 0 && (!errors.As(err, &e) || e.Status != c.status) {
					t.Errorf("%v, want status %d", err, c.status)
				}
				if errors.Is(err, remote.ErrRateLimited) != (c.status == 429) {
					t.Errorf("%v", err)
				}
				if len(times) != len(c.waits)+1 {
					t.Fatalf("requests at %v, want %d", times, len(c.waits)+1)
				}
				for i, w := range c.waits {
					if got := times[i+1] - times[i]; got < w.min || got > w.max {
						t.Errorf("wait %d: %s, want %s to %s", i+1, got, w.min, w.max)
					}
				}
			})
		})
	}
}

// A caller that goes away ends the wait at once.
func TestRetryIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var times []time.Duration
		c, err := remote.New(remote.Options{Endpoint: "https://hub.example", Transport: script(&times, reply(503, "Retry-After: 20"))})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		_, err = c.Info(ctx, model("a/b"))
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != 3*time.Second || len(times) != 1 {
			t.Errorf("after %s and %d requests: %v", time.Since(start), len(times), err)
		}
	})
}

// A server that accepts connections and says nothing: each kind of wait ends.
func TestDeadlines(t *testing.T) {
	quiet := func(r *http.Request) *http.Response {
		<-r.Context().Done()
		return nil
	}
	synctest.Test(t, func(t *testing.T) {
		c, err := remote.New(remote.Options{Endpoint: "https://hub.example", Transport: fakeNet(quiet)})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for name, call := range map[string]func() error{
			"info":    func() error { _, err := c.Info(t.Context(), model("a/b")); return err },
			"content": func() error { _, err := readRange(entryOf(c, 9), 0, 9); return err },
			"create": func() error {
				_, err := c.CreateRepo(t.Context(), model("a/b"), remote.CreateOptions{})
				return err
			},
		} {
			start := time.Now()
			err := call()
			if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", name, err)
			}
			if took := time.Since(start); took > 150*time.Second || name != "create" && took > 75*time.Second {
				t.Errorf("%s took %s", name, took)
			}
		}
	})
}

func entryOf(c *remote.Client, size int64) *remote.Content {
	return c.Content(model("a/b"), "cccccccccccccccccccccccccccccccccccccccc",
		remote.Entry{Path: "f", Size: size, Blob: remote.Blob{ID: "git:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}})
}
