package commit

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hubfs/hubfs/remote"
)

// Two names that lead to each other end in an error, also when both are asked
// for at once.
func TestNamesInACircle(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := "acme/b"
		if strings.Contains(r.URL.Path, "/acme/b") {
			id = "acme/a"
		}
		fmt.Fprintf(w, `{"id": %q, "sha": "%s", "lastModified": "2024-01-01T00:00:00.000Z"}`, id, strings.Repeat("0", 40))
	}))
	defer srv.Close()
	w := newWorld(t)
	w.close()
	var err error
	w.open()
	defer w.close()
	w.client.Close()
	if w.client, err = remote.New(remote.Options{Endpoint: srv.URL}); err != nil {
		t.Fatal(err)
	}
	w.store.o.Client = w.client
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var both sync.WaitGroup
	for _, id := range []string{"acme/a", "acme/b"} {
		both.Go(func() {
			if _, err := w.store.Worktree(ctx, parse(t, id)); !errors.Is(err, syscall.ELOOP) {
				t.Errorf("%s: %v", id, err)
			}
		})
	}
	both.Wait()
}
