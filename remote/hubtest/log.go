package hubtest

import (
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"time"
)

// accessLog writes one JSON line per request. Queries are left out: they
// hold signatures.
type accessLog struct {
	mu sync.Mutex
	w  io.Writer
}

type accessLine struct {
	Time   time.Time `json:"time"`
	Origin string    `json:"origin"` // hub or cdn
	Method string    `json:"method"`
	Path   string    `json:"path"`
	Kind   string    `json:"kind"`
	Range  string    `json:"range,omitempty"`
	Status int       `json:"status"` // 0: the connection was dropped before one
	In     int64     `json:"in,omitempty"`
	Bytes  int64     `json:"bytes"`
	MS     float64   `json:"ms"`
}

func (l *accessLog) line(r *http.Request, origin, kind string, a *answer, in int64, began time.Time) {
	if l.w == nil {
		return
	}
	b, err := json.Marshal(accessLine{
		Time: began.UTC(), Origin: origin, Method: r.Method, Path: r.URL.EscapedPath(), Kind: kind,
		Range: r.Header.Get("Range"), Status: a.status, In: in, Bytes: a.sent,
		MS: float64(time.Since(began).Microseconds()) / 1000,
	})
	if err != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.w.Write(append(b, '\n'))
}
