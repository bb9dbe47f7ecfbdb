package commit

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// An editing is one run of Dir.edit that editors who come at the same time
// share. Bringing a large file's bytes may take long: it ends when the last of
// them has given up.
type editing struct {
	callers int // under Store.mu
	cancel  context.CancelFunc
	done    chan struct{}
	file    *File
	err     error
}

type editKey struct {
	d        *Dir
	name     string
	truncate bool
}

// shareEdit runs d.edit once for all who want the same.
func (s *Store) shareEdit(ctx context.Context, d *Dir, name string, truncate bool) (*File, error) {
	key := editKey{d, name, truncate}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, fs.ErrClosed
	}
	e := s.edits[key]
	if e == nil {
		run, cancel := context.WithCancel(s.ctx)
		e = &editing{cancel: cancel, done: make(chan struct{})}
		s.edits[key] = e
		s.work.Go(func() {
			e.file, e.err = d.edit(run, name, truncate)
			s.mu.Lock()
			if s.edits[key] == e {
				delete(s.edits, key)
			}
			s.mu.Unlock()
			cancel()
			close(e.done)
		})
	}
	e.callers++
	s.mu.Unlock()
	select {
	case <-e.done:
		return e.file, e.err
	case <-ctx.Done():
	}
	s.mu.Lock()
	if e.callers--; e.callers == 0 {
		e.cancel()
		if s.edits[key] == e {
			delete(s.edits, key) // who comes now begins anew
		}
	}
	s.mu.Unlock()
	return nil, ctx.Err()
}

// copyStep is how much is copied between two looks whether it is still wanted.
const copyStep = 16 << 20

// cloneFile copies in to out, both at their beginning: by reference where the
// file system can, else with the kernel's help and as long as ctx lasts.
func cloneFile(ctx context.Context, out, in *os.File) error {
	if reflink(out, in) == nil {
		return nil
	}
	for {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("copying: %w", err)
		}
		switch _, err := io.CopyN(out, in, copyStep); err {
		case nil:
		case io.EOF:
			return nil
		default:
			return err
		}
	}
}
