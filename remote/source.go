package remote

import (
	"fmt"
	"io"
	"sync"
)

// A sourceError is a failure to read what is to be sent: trying again, or
// asking the server, is of no use.
type sourceError struct{ err error }

func (e *sourceError) Error() string { return e.err.Error() }
func (e *sourceError) Unwrap() error { return e.err }

// A source is exactly left bytes of a file.
type source struct {
	file io.ReadCloser
	left int64
	sent int64
	m    *partMeter
}

// open is the n bytes of a file from off, to be sent; it can be called again
// for another attempt.
func (f LFSFile) open(off, n int64, m *partMeter) (io.ReadCloser, error) {
	file, err := f.Open()
	if err != nil {
		return nil, &sourceError{err}
	}
	if _, err := file.Seek(off, io.SeekStart); err != nil {
		file.Close()
		return nil, &sourceError{err}
	}
	return &source{file: file, left: n, m: m}, nil
}

func (s *source) Close() error { return s.file.Close() }

func (s *source) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	if int64(len(p)) > s.left {
		p = p[:s.left]
	}
	n, err := s.file.Read(p)
	s.left -= int64(n)
	s.sent += int64(n)
	s.m.reach(s.sent)
	switch {
	case err == io.EOF && s.left > 0:
		err = &sourceError{fmt.Errorf("the file is %d bytes shorter than it was", s.left)}
	case err != nil && err != io.EOF:
		err = &sourceError{err}
	case s.left == 0:
		err = io.EOF
	}
	return n, err
}

// reportStep is how many bytes are reported at once, or more: somebody is told
// of each report, over all connections.
const reportStep = 1 << 20

// A meter reports how far the upload of one object has come, each byte once:
// what is sent again does not count.
type meter struct {
	report func(int64)

	mu   sync.Mutex
	sent int64 // of the parts as they are cut now
	told int64
}

func (m *meter) add(n int64) {
	m.mu.Lock()
	m.sent += n
	n = m.sent - m.told
	due := n >= reportStep
	if due {
		m.told = m.sent
	}
	m.mu.Unlock()
	if due {
		m.report(n)
	}
}

// restart says that everything is sent again.
func (m *meter) restart() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sent = 0
}

// done reports what is left of size.
func (m *meter) done(size int64) {
	m.mu.Lock()
	n := size - m.told
	m.told = size
	m.mu.Unlock()
	if n > 0 {
		m.report(n)
	}
}

// A partMeter is the share of one part in it, over all its attempts.
type partMeter struct {
	m *meter

	mu   sync.Mutex
	high int64
}

func (p *partMeter) reach(pos int64) {
	p.mu.Lock()
	n := pos - p.high
	if n > 0 {
		p.high = pos
	}
	p.mu.Unlock()
	if n > 0 {
		p.m.add(n)
	}
}
