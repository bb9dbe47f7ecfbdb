package hubtest

import (
	"io"
	"net/http"
	"sync/atomic"
)

// pieceSize is the most that is written at once when a body is shaped.
const pieceSize = 64 << 10

// answer is the way to the client: it counts, shapes and spoils what passes.
type answer struct {
	http.ResponseWriter
	req    *http.Request
	hub    *Hub
	fault  Fault
	shape  *Shape // nil: as fast as it goes
	status int
	sent   int64 // bytes of the body
	lost   bool  // act, but let nothing reach the client
}

var _ io.ReaderFrom = (*answer)(nil)

func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answer) WriteHeader(status int) {
	if a.status != 0 {
		return
	}
	a.status = status
	if a.lost {
		return
	}
	for k, vs := range a.fault.Header {
		a.Header()[http.CanonicalHeaderKey(k)] = vs
	}
	if a.hub.quirks.Load().NoErrorCodes {
		a.Header().Del("X-Error-Code")
	}
	a.ResponseWriter.WriteHeader(status)
	if a.fault.CutAfter < 0 || a.fault.Stall && a.fault.CutAfter == 0 {
		a.cut()
	}
}

func (a *answer) Write(p []byte) (n int, err error) {
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	if a.lost {
		a.sent += int64(len(p))
		return len(p), nil
	}
	for len(p) > 0 && err == nil {
		piece := p[:min(len(p), pieceSize)]
		if c := a.fault.CutAfter; c > 0 {
			if a.sent >= c {
				a.cut()
			}
			piece = piece[:min(int64(len(piece)), c-a.sent)]
		}
		p = p[len(piece):]
		var m int
		m, err = a.piece(piece)
		n += m
	}
	if c := a.fault.CutAfter; c > 0 && a.sent >= c {
		a.cut()
	}
	return n, err
}

func (a *answer) piece(p []byte) (int, error) {
	if at := a.fault.Flip - 1 - a.sent; a.fault.Flip > 0 && at >= 0 && at < int64(len(p)) {
		p = append([]byte(nil), p...)
		p[at] ^= 0x55
	}
	if a.shape != nil {
		if err := a.hub.shaper.pace(a.req.Context(), a.shape, len(p)); err != nil {
			return 0, err
		}
	}
	n, err := a.ResponseWriter.Write(p)
	a.sent += int64(n)
	return n, err
}

// cut ends the answer where it is: silence, or a dropped connection.
func (a *answer) cut() {
	http.NewResponseController(a.ResponseWriter).Flush()
	if a.fault.Stall {
		<-a.req.Context().Done()
	}
	panic(http.ErrAbortHandler)
}

// ReadFrom lets net/http send a file without reading it (sendfile), unless
// the bytes must be looked at.
func (a *answer) ReadFrom(src io.Reader) (int64, error) {
	rf, ok := a.ResponseWriter.(io.ReaderFrom)
	if !ok || a.lost || a.fault.mangled() {
		return io.CopyBuffer(onlyWriter{a}, src, make([]byte, pieceSize))
	}
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	if a.shape != nil {
		return a.paced(rf, src)
	}
	n, err := rf.ReadFrom(src)
	a.sent += n
	return n, err
}

// paced is ReadFrom in pieces, each when the shape lets it pass.
func (a *answer) paced(rf io.ReaderFrom, src io.Reader) (n int64, err error) {
	// sendfile wants the file itself, or one limit around it: a piece must
	// not be a limit around the limit that ServeContent sets.
	whole, ok := src.(*io.LimitedReader)
	if !ok {
		whole = &io.LimitedReader{R: src, N: 1 << 62}
	}
	for whole.N > 0 {
		piece := &io.LimitedReader{R: whole.R, N: min(pieceSize, whole.N)}
		want := piece.N
		if err := a.hub.shaper.pace(a.req.Context(), a.shape, int(want)); err != nil {
			return n, err
		}
		m, err := rf.ReadFrom(piece)
		n, a.sent, whole.N = n+m, a.sent+m, whole.N-m
		if err != nil || m < want {
			return n, err
		}
	}
	return n, nil
}

// countedBody counts, and shapes, what a client sends.
type countedBody struct {
	io.ReadCloser
	a *answer
	n atomic.Int64
}

func (b *countedBody) Read(p []byte) (int, error) {
	if b.a.shape != nil && len(p) > pieceSize {
		p = p[:pieceSize]
	}
	n, err := b.ReadCloser.Read(p)
	b.n.Add(int64(n))
	if b.a.shape != nil && n > 0 {
		if perr := b.a.hub.shaper.pace(b.a.req.Context(), b.a.shape, n); perr != nil {
			return n, perr
		}
	}
	return n, err
}
