package integration

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hubfs/hubfs/integration/proof"
	"github.com/hubfs/hubfs/remote/hubtest"
)

// What the network and the server do wrong, and what local disks do.

// deadline is far more than any answer may take with the time-outs of quick.
const deadline = 90 * time.Second

// quick shortens the client's waits as a user would.
func quick(m *mount) *mount {
	m.setenv("HF_HUB_ETAG_TIMEOUT", "2")
	m.setenv("HF_HUB_DOWNLOAD_TIMEOUT", "2")
	return m
}

func isNetwork(err error) bool {
	return errors.Is(err, syscall.EIO) || errors.Is(err, syscall.ETIMEDOUT)
}

// readErr reads path within the deadline and returns its error.
func readErr(t *testing.T, path string) error {
	t.Helper()
	return bounded(t, deadline, "read "+path, func() error {
		_, err := os.ReadFile(path)
		return err
	})
}

func TestHubAway(t *testing.T) {
	t.Parallel() // with the other tests that mostly wait
	for name, fault := range map[string]hubtest.Fault{
		"dropped connections": {Drop: true},
		"silence":             {Stall: true, CutAfter: -1},
		"503":                 {Status: http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hub := newHub(t)
			repo := hub.Repo(user + "/model")
			repo.Put("cached.txt", "cached")
			repo.Put("cold.txt", "cold")
			hub.Repo(user+"/unseen").Put("a.txt", "a")
			m := quick(newMount(t, hub))
			m.start()
			read(t, m.path("me/model/cached.txt"))

			hub.Fault(func(*http.Request) *hubtest.Fault { return &fault })
			unseen := make(chan error, 1)
			go func() { _, err := os.ReadFile(m.path("me/unseen/a.txt")); unseen <- err }()
			if err := readErr(t, m.path("me/model/cold.txt")); !isNetwork(err) {
				t.Errorf("cold.txt: %v, want EIO or ETIMEDOUT", err)
			}
			if err := bounded(t, deadline, "a repo not seen before", func() error { return <-unseen }); !isNetwork(err) {
				t.Errorf("a repo not seen before: %v, want EIO or ETIMEDOUT", err)
			}
			// Everything that is here goes on: listing, cached content, writing.
			if got := string(read(t, m.path("me/model/cached.txt"))); got != "cached" {
				t.Errorf("cached.txt has %q", got)
			}
			m.sh("ls -l me/model")

			hub.Fault(nil)
			if got := string(read(t, m.path("me/model/cold.txt"))); got != "cold" {
				t.Errorf("after the outage cold.txt has %q", got)
			}
			read(t, m.path("me/unseen/a.txt"))
		})
	}
}

// One file's server hangs: readers of other files do not wait for it.
func TestOneFileHangs(t *testing.T) {
	t.Parallel()
	hub := newHub(t)
	repo := hub.Repo(user + "/model")
	repo.Put("hangs.txt", "never")
	repo.Put("fine.txt", "fine")
	m := quick(newMount(t, hub))
	m.start()
	m.sh("ls me/model")
	started := make(chan struct{}, 100)
	hub.Fault(func(r *http.Request) *hubtest.Fault {
		if strings.Contains(r.URL.Path, "hangs.txt") && !strings.Contains(r.URL.Path, "/resolve/") {
			started <- struct{}{}
			return &hubtest.Fault{Stall: true, CutAfter: -1}
		}
		return nil
	})
	// Not many: readers of one page queue in the kernel, and each asks anew.
	const readers = 2
	done := make(chan error, readers)
	for range readers {
		go func() { _, err := os.ReadFile(m.path("me/model/hangs.txt")); done <- err }()
	}
	<-started
	if got := string(read(t, m.path("me/model/fine.txt"))); got != "fine" {
		t.Errorf("fine.txt has %q", got)
	}
	for range readers {
		err := bounded(t, deadline, "a hanging read", func() error { return <-done })
		if !isNetwork(err) {
			t.Errorf("hangs.txt: %v, want EIO or ETIMEDOUT", err)
		}
	}
}

// Wrong bytes are EIO, and are neither shown nor kept.
func TestWrongBytes(t *testing.T) {
	right := bytes.Repeat([]byte("right bytes "), 1<<18) // 3 MiB
	for name, fault := range map[string]hubtest.Fault{
		"a flipped byte":          {Flip: 1<<20 + 1},
		"an early end":            {CutAfter: 1 << 20},
		"someone else's file":     {Body: strings.Repeat("wrong bytes ", 1<<18)},
		"an error page with 200":  {Body: "<html>sign in</html>"},
		"a wrong partial content": {Status: http.StatusPartialContent, Body: "x", Header: http.Header{"Content-Range": {"bytes 7-7/9"}}},
	} {
		t.Run(name, func(t *testing.T) {
			hub := newHub(t)
			hub.Repo(user+"/model").Put("model.safetensors", string(right))
			m := quick(newMount(t, hub))
			m.start()
			m.sh("ls me/model")
			cdn := strings.TrimPrefix(hub.CDNURL(), "http://")
			hub.Fault(func(r *http.Request) *hubtest.Fault {
				if r.Host == cdn {
					return &fault
				}
				return nil
			})
			path := m.path("me/model/model.safetensors")
			err := bounded(t, deadline, "read", func() error {
				got, err := os.ReadFile(path)
				if err == nil && !bytes.Equal(got, right) {
					t.Errorf("read gave %d wrong bytes without an error", len(got))
				}
				return err
			})
			if err != nil && !isNetwork(err) {
				t.Errorf("%v, want EIO", err)
			}
			if err == nil && name != "an early end" { // which a retry mends
				t.Error("no error")
			}
			// A blob that was wrong is tried again after a pause. Until then it is
			// an error, never the wrong bytes.
			hub.Fault(nil)
			waitUntil(t, "the file can be read", func() bool {
				got, err := os.ReadFile(path)
				if err == nil && !bytes.Equal(got, right) {
					t.Fatal("wrong bytes were kept")
				}
				return err == nil
			})
		})
	}
}

// The token's revocation, an expired address: resolved anew, and no bad login.
func TestExpiredAddresses(t *testing.T) {
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden} {
		hub := newHub(t)
		hub.SetQuirks(hubtest.Quirks{GoneStatus: status})
		hub.Repo(user+"/model").PutSparse("model.safetensors", 8<<20)
		m := mountHub(t, hub)
		f, err := os.Open(m.path("me/model/model.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		buf := make([]byte, 4096)
		if _, err := f.ReadAt(buf, 0); err != nil {
			t.Fatal(err)
		}
		hub.ExpireURLs()
		if _, err := f.ReadAt(buf, 7<<20); err != nil {
			t.Errorf("after the address ended in %d: %v", status, err)
		}
	}
}

// Servers that speak the protocol with an accent: right bytes all the same.
func TestCompatibleServers(t *testing.T) {
	big := strings.Repeat("large content ", 1<<17)
	for name, q := range map[string]hubtest.Quirks{
		"whole body for a range":   {WholeBody: true},
		"redirect without headers": {BareRedirect: true},
		"unquoted etags":           {UnquotedETags: true},
		"tree of files only":       {TreeFilesOnly: true},
		"tree without lfs":         {TreeNoLFS: true},
		"commits of 64 digits":     {LongCommits: true},
		"no error codes":           {NoErrorCodes: true},
		"no rate headers":          {NoRateHeaders: true},
		"all in one":               {BareRedirect: true, UnquotedETags: true, TreeFilesOnly: true, TreeNoLFS: true, NoErrorCodes: true, NoRateHeaders: true, LongCommits: true},
	} {
		t.Run(name, func(t *testing.T) {
			hub := newHub(t)
			hub.SetQuirks(q)
			repo := hub.Repo(user + "/model")
			repo.Commit("main", "Files", map[string]string{"config.json": "{}", "a/b/c.txt": "deep", "model.safetensors": big})
			m := mountHub(t, hub)
			for path, want := range map[string]string{"config.json": "{}", "a/b/c.txt": "deep", "model.safetensors": big} {
				got, err := os.ReadFile(m.path("me/model", path))
				if q.TreeNoLFS && path == "model.safetensors" && errors.Is(err, syscall.EIO) {
					continue // its hash is not known: a clear error is right, too
				}
				if err != nil || string(got) != want {
					t.Errorf("%s: %d bytes, want %d, equal %v, error %v", path, len(got), len(want), string(got) == want, err)
				}
			}
			if _, err := os.Stat(m.path("me/none")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("a missing repo: %v", err)
			}
			if err := os.WriteFile(m.path("me/model/new.txt"), []byte("new"), 0o644); err != nil {
				t.Fatal(err)
			}
			m.must("sync", "-m", "One more", m.path("me/model"))
			if got := string(repo.Read("", "new.txt")); got != "new" {
				t.Errorf("the commit has %q", got)
			}
		})
	}
}

// A full disk stops caching, not reading.
func TestFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		proof.Missing(t, "needs root to mount a small tmpfs")
	}
	small := func(t *testing.T, dir string, size string) {
		t.Helper()
		if err := syscall.Mount("small", dir, "tmpfs", 0, "mode=700,size="+size); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("cache", func(t *testing.T) {
		hub := newHub(t)
		want := bytes.Repeat([]byte("0123456789abcdef"), 1<<20) // 16 MiB
		repo := hub.Repo(user + "/model")
		repo.Put("model.safetensors", string(want))
		repo.Put("small.txt", "small")
		m := newMount(t, hub)
		small(t, m.base+"/cache", "6m")
		t.Cleanup(m.end) // before the tmpfs goes
		m.start()
		for range 2 {
			if got := read(t, m.path("me/model/model.safetensors")); !bytes.Equal(got, want) {
				t.Errorf("%d bytes, not the file's", len(got))
			}
		}
		if got := string(read(t, m.path("me/model/small.txt"))); got != "small" {
			t.Errorf("small.txt has %q", got)
		}
	})
	t.Run("staging", func(t *testing.T) {
		hub := newHub(t)
		repo := hub.Repo(user + "/model")
		repo.Put("a.txt", "a")
		m := newMount(t, hub)
		small(t, m.base+"/state", "6m")
		t.Cleanup(m.end)
		m.start()
		if err := os.WriteFile(m.path("me/model/b.bin"), make([]byte, 16<<20), 0o644); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("writing 16 MiB into 6: %v, want ENOSPC", err)
		}
		if err := os.Remove(m.path("me/model/b.bin")); err != nil {
			t.Errorf("removing the rest: %v", err)
		}
		if err := os.WriteFile(m.path("me/model/c.txt"), []byte("c"), 0o644); err != nil {
			t.Errorf("writing after making room: %v", err)
		}
		m.must("sync", "-m", "c", m.path("me/model"))
		if files := repo.Files(""); len(files) != 3 { // .gitattributes, a.txt, c.txt
			t.Errorf("the commit has %v", files)
		}
	})
}
