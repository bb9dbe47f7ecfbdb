package fs

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// opCounts counts what programs asked of the daemon. What the kernel does by
// itself, from its caches or by passthrough, is not seen here: that is the
// point of these figures.
type opCounts struct{ m sync.Map } // op → *opCount

type opCount struct{ done, failed atomic.Int64 }

func (c *opCounts) of(what string) *opCount {
	v, ok := c.m.Load(what)
	if !ok {
		v, _ = c.m.LoadOrStore(what, &opCount{})
	}
	return v.(*opCount)
}

func (c *opCounts) add(what string, errno syscall.Errno) {
	n := c.of(what)
	n.done.Add(1)
	if errno != 0 {
		n.failed.Add(1)
	}
}

// count is how many operations of a kind have ended, in whatever way.
func (c *opCounts) count(what string) int64 { return c.of(what).done.Load() }

func (c *opCounts) names() (out []string) {
	c.m.Range(func(k, _ any) bool {
		out = append(out, k.(string))
		return true
	})
	slices.Sort(out)
	return out
}

// metrics is the mount in the text format of Prometheus.
func (m *mount) metrics(context.Context) []byte {
	var b bytes.Buffer
	head := func(name, kind, help string) {
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
	}
	one := func(name, kind, help string, v int64) {
		head(name, kind, help)
		fmt.Fprintf(&b, "%s %d\n", name, v)
	}
	head("hubfs_operations_total", "counter", "Operations that the kernel asked of the daemon.")
	for _, what := range m.ops.names() {
		fmt.Fprintf(&b, "hubfs_operations_total{op=%q} %d\n", what, m.ops.of(what).done.Load())
	}
	head("hubfs_operations_failed_total", "counter", "Operations that were answered with an error.")
	for _, what := range m.ops.names() {
		fmt.Fprintf(&b, "hubfs_operations_failed_total{op=%q} %d\n", what, m.ops.of(what).failed.Load())
	}
	one("hubfs_requests_total", "counter", "HTTP requests to the Hub.", m.client.Requests())
	c := m.cache.Stats()
	one("hubfs_cache_bytes", "gauge", "Disk space that the cache takes.", c.Bytes)
	one("hubfs_cache_limit_bytes", "gauge", "Disk space that the cache may take.", c.Limit)
	one("hubfs_cache_blobs", "gauge", "Whole blobs in the cache.", int64(c.Blobs))
	one("hubfs_cache_partials", "gauge", "Blobs of which a part is in the cache.", int64(c.Partials))
	one("hubfs_cache_open_blobs", "gauge", "Blobs in use.", int64(c.Open))
	one("hubfs_cache_hits_total", "counter", "Reads served without waiting.", c.Hits)
	one("hubfs_cache_misses_total", "counter", "Reads that waited for the Hub.", c.Misses)
	one("hubfs_cache_fetches_total", "counter", "Ranges asked for.", c.Requests)
	one("hubfs_cache_fetched_bytes_total", "counter", "Bytes that came from the Hub.", c.Fetched)
	one("hubfs_cache_evictions_total", "counter", "Blobs removed to make room.", c.Evictions)
	one("hubfs_cache_corrupt_total", "counter", "Blobs dropped for a wrong hash.", c.Corrupt)
	one("hubfs_cache_errors_total", "counter", "Ranges and disk operations that failed.", c.SourceErrors+c.DiskErrors)
	var staged, bytes int64
	for _, w := range m.worktrees() {
		for _, s := range w.Status(context.Background()).Staged {
			staged++
			bytes += s.Size
		}
	}
	one("hubfs_staged_paths", "gauge", "Changes waiting for a commit.", staged)
	one("hubfs_staged_bytes", "gauge", "Bytes of the files waiting for a commit.", bytes)
	one("hubfs_goroutines", "gauge", "Goroutines of the daemon; what grows without end here is a leak.", int64(runtime.NumGoroutine()))
	return b.Bytes()
}

// lastErrors are the last errors that programs got, for the status.
type lastErrors struct {
	mu   sync.Mutex
	list []lastError
}

type lastError struct {
	when           time.Time
	op, path, text string
}

const keptErrors = 20

func (l *lastErrors) add(op, path, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.list) == keptErrors {
		l.list = slices.Delete(l.list, 0, 1)
	}
	l.list = append(l.list, lastError{time.Now(), op, path, text})
}

// of is the last one of a path.
func (l *lastErrors) of(path string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range slices.Backward(l.list) {
		if e.path == path {
			return e.text
		}
	}
	return ""
}

func (l *lastErrors) all() (out []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.list {
		out = append(out, e.when.Format(time.RFC3339)+" "+e.op+" "+e.path+": "+e.text)
	}
	return out
}
