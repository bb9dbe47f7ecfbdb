package commit

import (
	"io"
	"sync"
)

// sending reports how much of a commit's own content is on its way. What is
// sent again counts once.
type sending struct {
	report func(done int64, files int)

	mu    sync.Mutex
	sent  map[string]int64 // by path, the furthest that any attempt has come
	done  int64
	whole int
}

func newSending(report func(done int64, files int)) *sending {
	return &sending{report: report, sent: make(map[string]int64)}
}

// open makes an opener count.
func (s *sending) open(path string, size int64, open func() (io.ReadCloser, error)) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) {
		r, err := open()
		if err != nil {
			return nil, err
		}
		return &counted{ReadCloser: r, s: s, path: path, size: size}, nil
	}
}

type counted struct {
	io.ReadCloser
	s    *sending
	path string
	size int64
	pos  int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	if n > 0 {
		c.pos += int64(n)
		c.s.reach(c.path, c.pos, c.size)
	}
	return n, err
}

func (s *sending) reach(path string, pos, size int64) {
	s.mu.Lock()
	more := pos - s.sent[path]
	if more <= 0 {
		s.mu.Unlock()
		return
	}
	s.sent[path] = pos
	s.done += more
	if pos == size {
		s.whole++
	}
	done, files := s.done, s.whole
	s.mu.Unlock()
	s.report(done, files)
}
