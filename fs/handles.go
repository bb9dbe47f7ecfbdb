package fs

import "sync"

// A handles is the set of file handles that are open. The kernel sends RELEASE
// without waiting for it and drops what is still on its way when the mount ends;
// what is left then is closed here, or a commit would find files that seem to be
// open for writing.
type handles struct {
	mu   sync.Mutex
	open map[handle]struct{}
}

type handle interface{ close() error }

func (s *handles) add(h handle) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = map[handle]struct{}{}
	}
	s.open[h] = struct{}{}
}

// release closes h, once.
func (s *handles) release(h handle) error {
	s.mu.Lock()
	_, ok := s.open[h]
	delete(s.open, h)
	s.mu.Unlock()
	if !ok {
		return nil
	}
	return h.close()
}

// closeAll closes what is left when there is no kernel any more that could use it.
func (s *handles) closeAll() {
	s.mu.Lock()
	left := s.open
	s.open = nil
	s.mu.Unlock()
	for h := range left {
		h.close()
	}
}
