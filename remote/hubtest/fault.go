package hubtest

import (
	"net/http"
	"time"
)

// A Fault is how one request goes wrong. Its zero value changes nothing.
type Fault struct {
	Status int         // answer this instead of acting; 0 with a Body is 200
	Header http.Header // set on the answer, whether it is replaced or not
	Body   string      // of the replaced answer

	// Before anything else, once the body is there; it ends when the client
	// goes away.
	Delay time.Duration

	// Of the true answer's body:
	CutAfter int64 // bytes, then the connection drops; negative is none at all
	Flip     int64 // this byte is corrupted; the first byte is 1
	Stall    bool  // after CutAfter bytes (0: none) silence instead of a drop

	After bool // act, then lose the true answer: send Status, or drop if it is 0
	Drop  bool // drop the connection without acting
}

// Fault sets what is asked for every request of both origins before it is
// served; nil, or a nil answer, is none.
func (h *Hub) Fault(f func(r *http.Request) *Fault) {
	if f == nil {
		h.fault.Store(nil)
		return
	}
	h.fault.Store(&f)
}

func (h *Hub) faultFor(r *http.Request) Fault {
	f := h.fault.Load()
	if f == nil {
		return Fault{}
	}
	if fault := (*f)(r); fault != nil {
		return *fault
	}
	return Fault{}
}

// replaced says that the answer is made up.
func (f *Fault) replaced() bool { return f.Status != 0 || f.Body != "" }

// mangled says that the body cannot go the fast way.
func (f *Fault) mangled() bool { return f.CutAfter != 0 || f.Flip != 0 || f.Stall }
