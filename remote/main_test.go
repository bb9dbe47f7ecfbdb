package remote_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/hubfs/hubfs/remote"
	"github.com/hubfs/hubfs/remote/hubtest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	aliceToken = "hf_aliceAliceAliceAlice01"
	bobToken   = "hf_bobBobBobBobBobBob02"
)

// newHub starts a Hub with the users alice (member of acme) and bob.
func newHub(t *testing.T, o hubtest.Options) *hubtest.Hub {
	t.Helper()
	o.Dir = t.TempDir()
	hub, err := hubtest.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := hub.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		hub.Close()
		if n := hub.TokenLeaks(); n != 0 {
			t.Errorf("the token reached the content origin %d times", n)
		}
	})
	hub.AddUser("alice", aliceToken, hubtest.User{Orgs: map[string]string{"acme": "write", "readers": "read"}})
	hub.AddUser("bob", bobToken, hubtest.User{})
	return hub
}

// quick are timeouts for tests that do not wait for one: back-off is short, all
// else generous for a loaded machine.
var quick = remote.Timeouts{Backoff: time.Millisecond, Retry: 20 * time.Second}

func newClient(t *testing.T, endpoint, token string) *remote.Client {
	t.Helper()
	return clientOf(t, remote.Options{Endpoint: endpoint, Token: token, Timeouts: quick})
}

func clientOf(t *testing.T, o remote.Options) *remote.Client {
	t.Helper()
	c, err := remote.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// serve runs a server of the test's own, for what no honest Hub does.
func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func model(id string) remote.Repo { return remote.Repo{Type: remote.Model, ID: id} }

func snapshot(t *testing.T, c *remote.Client, repo remote.Repo) *remote.Snapshot {
	t.Helper()
	s, err := c.Snapshot(context.Background(), repo)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func stat(t *testing.T, s *remote.Snapshot, path string) remote.Entry {
	t.Helper()
	e, err := s.Stat(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// readRange reads n bytes of an entry from off.
func readRange(k *remote.Content, off, n int64) ([]byte, error) {
	r, err := k.ReadRange(context.Background(), off, n)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func sha(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// pattern is n bytes in which every offset can be told from its neighbours.
func pattern(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8*13 + i>>16*31)
	}
	return string(b)
}
