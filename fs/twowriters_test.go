package fs

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
)

// Two programs write one file, one by one open after another, while commits
// come: no byte that was written may be lost, nor may a file be busy for ever.
func TestTwoWritersWhileCommitting(t *testing.T) {
	f := mine(t, map[string]string{"log": ""})
	long, err := os.OpenFile(f.path("log"), os.O_WRONLY|os.O_APPEND, 0)
	must(t, err)
	stop := make(chan struct{})
	var commits sync.WaitGroup
	commits.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				f.srv.Sync(t.Context(), SyncRequest{All: true, CommitOptions: CommitOptions{Wait: "1ms"}}, nil) // busy
			}
		}
	})
	const lines = 300
	for i := range lines {
		must(t, patch(f.path("log"), os.O_WRONLY|os.O_APPEND, fmt.Sprintf("short %d\n", i), -1))
		_, err := fmt.Fprintf(long, "long %d\n", i)
		must(t, err)
	}
	close(stop)
	commits.Wait()
	must(t, long.Close())
	f.idle("log")
	f.commit()
	got := string(f.hub.Repo("me/m").Read("", "log"))
	for i := range lines {
		for _, who := range []string{"short", "long"} {
			if line := fmt.Sprintf("%s %d\n", who, i); strings.Count(got, line) != 1 {
				t.Errorf("%q is there %d times", line, strings.Count(got, line))
			}
		}
	}
}
