package integration

import (
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hubfs/hubfs/integration/proof"
	"github.com/hubfs/hubfs/remote/hubtest"
)

// requests counts the requests that do makes.
func requests(t *testing.T, hub *hubtest.Hub, do func()) hubtest.Counts {
	t.Helper()
	hub.ResetCounts()
	do()
	return hub.Counts()
}

// fetched is the number of content bytes served. The Hub counts them when a
// request has ended, which can be just after its client has gone on.
func fetched(t *testing.T, hub *hubtest.Hub, atLeast int64) int64 {
	t.Helper()
	waitUntil(t, "the content requests have ended", func() bool { return hub.Counts()[hubtest.KindContent].Out >= atLeast })
	return hub.Counts()[hubtest.KindContent].Out
}

func atMost(t *testing.T, c hubtest.Counts, limit int, what string) {
	t.Helper()
	if n := c.Total().N; n > limit {
		t.Errorf("%s made %d requests, at most %d are right: %v", what, n, limit, c)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRequestsOfMount(t *testing.T) {
	hub := newHub(t)
	hub.Repo(user+"/model").Put("config.json", "{}")
	for _, tt := range []struct {
		name, token string
		args        []string
	}{
		{"whole Hub", hfToken, nil},
		{"one repo", hfToken, []string{user + "/model"}},
		{"anonymous", "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newMount(t, hub, tt.args...)
			m.setenv("HF_TOKEN", tt.token)
			atMost(t, requests(t, hub, m.start), 2, "mount")
		})
	}
}

// A repo of 1,000 files in 10 folders.
func thousand(hub *hubtest.Hub) {
	files := map[string]string{}
	for i := range 1000 {
		files[fmt.Sprintf("dir%d/file-%03d.txt", i%10, i)] = fmt.Sprintf("content of file %d\n", i)
	}
	hub.Repo(user+"/thousand").Commit("main", "1,000 files", files)
}

func TestRequestsOfListing(t *testing.T) {
	hub := newHub(t)
	thousand(hub)
	m := mountHub(t, hub)

	c := requests(t, hub, func() {
		out := m.sh("ls -lR me/thousand")
		if n := strings.Count(out, "file-"); n != 1000 {
			t.Errorf("ls shows %d files, want 1000", n)
		}
	})
	atMost(t, c, 3, "the first ls -lR of 1,000 files")

	c = requests(t, hub, func() {
		m.sh("find me/thousand -type f -size +0 -printf '%s %p\n' | wc -l")
		m.sh("ls -lR me/thousand")
		m.sh("stat -c '%s %Y' me/thousand/dir*/* | wc -l")
		m.sh("! ls me/thousand/nothing.txt me/thousand/dir1/__init__.py 2>/dev/null")
	})
	atMost(t, c, 0, "listing everything again")
}

func TestRequestsOfSmallFiles(t *testing.T) {
	hub := newHub(t)
	thousand(hub)
	m := mountHub(t, hub)
	m.sh("ls -lR me/thousand")

	c := requests(t, hub, func() { read(t, m.path("me/thousand/dir3/file-003.txt")) })
	if c[hubtest.KindResolve].N != 1 || c[hubtest.KindContent].N > 1 {
		t.Errorf("the first read of a small file made %v, want one resolve and its redirect", c)
	}
	atMost(t, c, 2, "the first read of a small file")

	c = requests(t, hub, func() { read(t, m.path("me/thousand/dir3/file-003.txt")) })
	atMost(t, c, 0, "the second read")

	m.sh("grep -rc 'content of' me/thousand >/dev/null")
	c = requests(t, hub, func() {
		if n := strings.TrimSpace(m.sh("grep -rl 'content of' me/thousand | wc -l")); n != "1000" {
			t.Errorf("grep found %s files, want 1000", n)
		}
		m.sh("cat me/thousand/dir*/* | wc -c")
	})
	atMost(t, c, 0, "grep over cached content")

	// The cache outlives the mount: only the repo itself is asked for again.
	m.must("umount", m.mnt)
	m.start()
	c = requests(t, hub, func() { m.sh("cat me/thousand/dir*/* | wc -c") })
	if c[hubtest.KindResolve].N+c[hubtest.KindContent].N != 0 {
		t.Errorf("reading cached files in the next mount made %v", c)
	}
}

func TestRequestsOfTruncatingOpen(t *testing.T) {
	hub := newHub(t)
	hub.Repo(user+"/big").PutSparse("big.bin", 1<<30)
	m := mountHub(t, hub)
	m.sh("ls -l me/big")

	c := requests(t, hub, func() {
		f, err := os.Create(m.path("me/big/big.bin"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString("short now"); err != nil {
			t.Error(err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	if n := c[hubtest.KindResolve].N + c[hubtest.KindContent].N; n != 0 {
		t.Errorf("open for truncation of a cold 1 GB file fetched content: %v", c)
	}
	if got := string(read(t, m.path("me/big/big.bin"))); got != "short now" {
		t.Errorf("file has %q", got)
	}
	// The right to write was asked once; the next open for truncation asks nothing.
	c = requests(t, hub, func() {
		if err := os.Truncate(m.path("me/big/big.bin"), 0); err != nil {
			t.Error(err)
		}
		if err := os.WriteFile(m.path("me/big/other.bin"), []byte("x"), 0o644); err != nil {
			t.Error(err)
		}
	})
	atMost(t, c, 0, "writing on")
}

func TestRequestsOfSequentialRead(t *testing.T) {
	const size = 90 << 20
	hub := newHub(t)
	hub.Repo(user+"/seq").PutSparse("model.safetensors", size)
	m := mountHub(t, hub)
	m.sh("ls -l me/seq")

	c := requests(t, hub, func() {
		f, err := os.Open(m.path("me/seq/model.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{f}, make([]byte, 1<<20))
		if n != size || err != nil {
			t.Errorf("read %d bytes, %v", n, err)
		}
	})
	if n, limit := c[hubtest.KindContent].N, size/(8<<20)+6; n > limit {
		t.Errorf("a cold sequential read made %d content requests, at most %d are right", n, limit)
	}
	if out := fetched(t, hub, size); out != size {
		t.Errorf("%d bytes were fetched for %d", out, size)
	}
	if n := c[hubtest.KindResolve].N; n != 1 {
		t.Errorf("%d resolves, want 1: the signed URL is kept", n)
	}
	c = requests(t, hub, func() { read(t, m.path("me/seq/model.safetensors")) })
	atMost(t, c, 0, "reading it again")
}

// Many readers of one cold file share its flights.
func TestParallelReadersFetchOnce(t *testing.T) {
	const size = 24 << 20
	hub := newHub(t)
	hub.Repo(user+"/par").PutSparse("data.bin", size)
	m := mountHub(t, hub)
	m.sh("ls -l me/par")
	c := requests(t, hub, func() {
		m.sh("for i in 1 2 3 4 5 6 7 8; do cat me/par/data.bin >/dev/null & done; wait")
	})
	if out := fetched(t, hub, size); out != size {
		t.Errorf("8 readers fetched %d bytes of %d", out, size)
	}
	if n := c[hubtest.KindResolve].N; n != 1 {
		t.Errorf("8 readers resolved %d times, want once", n)
	}
}

// A file that is whole in the cache is opened by passthrough: the kernel reads
// the cache file itself. So a stopped daemon makes no difference to an open file.
func TestWarmReadsPassTheDaemonBy(t *testing.T) {
	const size = 32 << 20
	hub := newHub(t)
	hub.Repo(user+"/warm").PutSparse("data.bin", size)
	m := mountHub(t, hub)
	if s := fmt.Sprint(m.status()["passthrough"]); os.Geteuid() != 0 || strings.HasPrefix(s, "no") {
		proof.Missing(t, "no passthrough here:", s)
	}
	m.sh("cat me/warm/data.bin >/dev/null")
	waitUntil(t, "the file's hash is checked", func() bool {
		return m.status()["cache"].(map[string]any)["blobs"].(float64) == 1
	})
	// A new mount has none of the file's pages, only the cache folder.
	m.must("umount", m.mnt)
	m.start()
	f, err := os.Open(m.path("me/warm/data.bin"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	pid := m.pid()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Kill(pid, syscall.SIGCONT) }()
	err = bounded(t, 30*time.Second, "reading a whole cached file while the daemon is stopped", func() error {
		n, err := io.Copy(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{f})
		if n != size {
			return fmt.Errorf("%d bytes, %w", n, err)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestMemoryOfColdRead(t *testing.T) {
	const size = 4 << 30
	hub := newHub(t)
	hub.Repo(user+"/huge").PutSparse("model.safetensors", size)
	m := mountHub(t, hub)
	var fs syscall.Statfs_t
	if err := syscall.Statfs(m.base, &fs); err != nil {
		t.Fatal(err)
	}
	if free := int64(fs.Bavail) * fs.Bsize; free < 3*size {
		proof.Missing(t, free, "bytes free is not enough")
	}
	pid := m.pid()
	f, err := os.Open(m.path("me/huge/model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{f}, make([]byte, 1<<20))
	if n != size || err != nil {
		t.Fatalf("read %d bytes, %v", n, err)
	}
	const limit = 256 << 10
	var kib int
	for line := range strings.Lines(string(read(t, fmt.Sprintf("/proc/%d/status", pid)))) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			if _, err := fmt.Sscan(rest, &kib); err != nil {
				t.Fatal(err)
			}
		}
	}
	if kib == 0 || kib >= limit {
		t.Errorf("the daemon's memory peaked at %d KiB, the limit is %d", kib, limit)
	}
	t.Logf("peak memory of the daemon: %d MiB", kib>>10)
}
