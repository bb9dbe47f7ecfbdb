package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// A smallStep does something to each of n small files of a folder, with so many
// threads. The steps run in order, each on what the one before left.
type smallStep struct {
	name    string
	n       int
	threads int
	do      func(path string) error
	untimed bool
}

var block4K = make([]byte, 4<<10)

// put4K makes a file by the bare system calls, as the C programs do.
func put4K(path string, flags int, fsync bool) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CREAT|unix.O_CLOEXEC|flags, 0o644)
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	if _, err = unix.Write(fd, block4K); err == nil && fsync {
		err = unix.Fsync(fd)
	}
	if err := errors.Join(err, unix.Close(fd)); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// vimSave is what vim does by default: the old file becomes the backup, the
// text goes to a new one and is synced, the backup is removed.
func vimSave(path string) error {
	if err := os.Rename(path, path+"~"); err != nil {
		return err
	}
	if err := put4K(path, unix.O_EXCL, true); err != nil {
		return err
	}
	return os.Remove(path + "~")
}

func smallSteps(n, synced int) []smallStep {
	create := func(path string) error { return put4K(path, unix.O_EXCL, false) }
	fsync := func(path string) error { return put4K(path, unix.O_EXCL, true) }
	return []smallStep{
		{"create, 4 KiB, close", n, 1, create, false},
		{"unlink", n, 1, os.Remove, false},
		{"create, 4 KiB, fsync, close", synced, 1, fsync, false},
		{"vim save", synced / 4, 1, vimSave, false},
		{"", synced, 1, os.Remove, true},
		{"create, 4 KiB, fsync, close; 16 threads", n, 16, fsync, false},
		{"", n, 4, os.Remove, true},
	}
}

// run does the step in dir.
func (st smallStep) run(s *setup, dir string) (run, error) {
	// What earlier steps left to be written is nobody's cost here.
	unix.Sync()
	return timed(int64(st.n), func() error {
		var (
			wg   sync.WaitGroup
			errs = make([]error, st.threads)
		)
		for t := range st.threads {
			wg.Go(func() {
				for i := t; i < st.n && errs[t] == nil; i += st.threads {
					if errs[t] = s.ctx.Err(); errs[t] == nil {
						errs[t] = st.do(filepath.Join(dir, fmt.Sprintf("file-%05d.txt", i)))
					}
				}
			})
		}
		wg.Wait()
		return errors.Join(errs...)
	})
}

// small is B12.
func small(s *setup, p profile) (err error) {
	n, synced := int(s.size(5000, 2000)), int(s.size(5000, 1000))
	folder, err := s.thousandFolder()
	if err != nil {
		return err
	}
	h, err := s.startHub(p, map[string]string{thousandRepo: folder})
	if err != nil {
		return err
	}
	defer h.stop()
	m, err := s.mount(h)
	if err != nil {
		return err
	}
	defer m.close()
	peer, err := s.loopback()
	if err != nil {
		return err
	}
	defer peer.close()

	const repo = "me/small"
	places := []struct{ name, dir string }{
		{"ext4", filepath.Join(s.dir, "plain")}, {"loopback", filepath.Join(peer.path, "plain")}, {"hubfs", filepath.Join(m.path, repo)},
	}
	for _, pl := range places {
		if err := os.MkdirAll(pl.dir, 0o755); err != nil {
			return err
		}
	}
	from, err := h.mark()
	if err != nil {
		return err
	}
	steps := smallSteps(n, synced)
	all := make([]results, len(steps))
	for i := range s.pairs {
		for k, st := range steps {
			for _, pl := range places {
				r, err := st.run(s, pl.dir)
				if err != nil {
					return fmt.Errorf("%s on %s: %w", st.name, pl.name, err)
				}
				if st.untimed {
					continue
				}
				if all[k] == nil {
					all[k] = results{}
				}
				all[k][pl.name] = append(all[k][pl.name], r)
				fmt.Fprintf(os.Stderr, "  %d/%d %-40s %-8s %8.3f s\n", i+1, s.pairs, st.name, pl.name, r.seconds)
			}
		}
	}
	asked, err := h.since(from)
	if err != nil {
		return err
	}
	for k, st := range steps {
		if st.untimed {
			continue
		}
		for _, pl := range places {
			s.out.row("B12", p, all[k], pl.name, fmt.Sprintf("%d x %s", st.n, st.name), "k/s", 1e3, "ext4", "loopback")
		}
		s.out.control("B12", p, all[k], "ext4")
	}
	s.out.atLeast("B12", p, "create + 4 KiB + close, of ext4", all[0].faster("hubfs", "ext4"), 0.35, "")
	s.out.atLeast("B12", p, "create + 4 KiB + close, of go-fuse's loopback", all[0].faster("hubfs", "loopback"), 1.1, "")
	s.out.atLeast("B12", p, "with fsync, 1 thread, of ext4", all[2].faster("hubfs", "ext4"), 0.4, "")
	s.out.atLeast("B12", p, "with fsync, 16 threads, of ext4", all[5].faster("hubfs", "ext4"), 0.8, "")
	s.out.atMost("B12", p, "requests of all this before a sync", float64(asked.requests), 0, "")
	return errors.Join(s.renameTree(p, h, m), s.manyStaged(p, h))
}
