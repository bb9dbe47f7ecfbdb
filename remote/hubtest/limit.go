package hubtest

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Limits are the Hub's request quotas: per caller (user, else address), in
// fixed windows. A zero quota is one that nobody meets.
type Limits struct {
	API       int           // API calls
	Resolvers int           // resolve and what its 307 leads to
	Pages     int           // anything else
	Window    time.Duration // 0 is 5 minutes
}

// unlimited is the quota that stands for none.
const unlimited = 1_000_000

type limiter struct {
	mu     sync.Mutex
	limits Limits
	used   map[string]*window
	forced int
}

type window struct {
	start time.Time
	n     int
}

// SetLimits replaces the quotas and forgets what was used.
func (h *Hub) SetLimits(l Limits) {
	h.limiter.mu.Lock()
	defer h.limiter.mu.Unlock()
	h.limiter.limits, h.limiter.used = l, nil
}

// Throttle answers the next n requests of the Hub origin 429, with a window
// that ends in a second.
func (h *Hub) Throttle(n int) {
	h.limiter.mu.Lock()
	defer h.limiter.mu.Unlock()
	h.limiter.forced = n
}

// take counts one request and sets the RateLimit headers; false is 429.
func (l *limiter) take(hd http.Header, who, path string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	name, quota := "pages", l.limits.Pages
	switch {
	case strings.Contains(path, "/resolve/") || strings.HasPrefix(path, "/api/resolve-cache/"):
		name, quota = "resolvers", l.limits.Resolvers
	case strings.HasPrefix(path, "/api/") || strings.Contains(path, ".git/"):
		name, quota = "api", l.limits.API
	}
	if quota == 0 {
		quota = unlimited
	}
	length := l.limits.Window
	if length == 0 {
		length = 5 * time.Minute
	}
	k := name + " " + who
	w := l.used[k]
	if w == nil || now.Sub(w.start) >= length {
		if l.used == nil {
			l.used = map[string]*window{}
		}
		w = &window{start: now}
		l.used[k] = w
	}
	w.n++
	left := max(0, quota-w.n)
	reset := max(1, int(w.start.Add(length).Sub(now)/time.Second))
	ok := w.n <= quota
	if l.forced > 0 {
		l.forced--
		left, reset, ok = 0, 1, false
	}
	hd.Set("RateLimit", fmt.Sprintf("%q;r=%d;t=%d", name, left, reset))
	hd.Set("RateLimit-Policy", fmt.Sprintf("\"fixed window\";%q;q=%d;w=%d", name, quota, int(length/time.Second)))
	return ok
}
