package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const thousandRepo = "me/thousand"

// thousandFolder makes a folder with a directory of 1,000 files.
func (s *setup) thousandFolder() (string, error) {
	folder := filepath.Join(s.dir, "thousand")
	if err := os.MkdirAll(filepath.Join(folder, "dir"), 0o755); err != nil {
		return "", err
	}
	for i := range 1000 {
		if err := os.WriteFile(filepath.Join(folder, "dir", fmt.Sprintf("file-%04d.txt", i)), fmt.Appendf(nil, "file %d\n", i), 0o644); err != nil {
			return "", err
		}
	}
	return folder, nil
}

// timed measures f, which does n of something.
func timed(n int64, f func() error) (run, error) {
	start := time.Now()
	err := f()
	return run{seconds: time.Since(start).Seconds(), bytes: n}, err
}

// renameTree renames a committed directory there and back.
func (s *setup) renameTree(p profile, h *hub, m *mount) error {
	dir := filepath.Join(m.path, thousandRepo)
	names := [2]string{filepath.Join(dir, "dir"), filepath.Join(dir, "moved")}
	if ents, err := os.ReadDir(names[0]); err != nil || len(ents) != 1000 {
		return errors.Join(fmt.Errorf("%d names instead of 1000", len(ents)), err)
	}
	res := results{}
	for i := range 2 * s.pairs {
		r, err := measured(h, func() (run, error) {
			return timed(1000, func() error { return os.Rename(names[i%2], names[1-i%2]) })
		})
		if err != nil {
			return err
		}
		res["hubfs"] = append(res["hubfs"], r)
	}
	s.out.row("B12", p, res, "hubfs", "rename of a committed directory of 1,000", "", 1)
	s.out.atMost("B12", p, "rename of a committed directory of 1,000 files", 1e3*res.median("hubfs", seconds), 100, "ms")
	s.out.atMost("B12", p, "its requests", res.median("hubfs", func(r run) float64 { return float64(r.requests) }), 0, "")
	return nil
}

// manyStaged stages 100,000 files in one directory, asks for the status, kills
// the daemon, and mounts again.
func (s *setup) manyStaged(p profile, h *hub) (err error) {
	const n = 100_000
	m, err := s.mount(h)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	dir := filepath.Join(m.path, "me", "many")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	made, err := timed(n, func() error {
		for i := range n {
			fd, err := unix.Open(filepath.Join(dir, fmt.Sprintf("file-%06d.txt", i)), unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL, 0o644)
			if err == nil {
				_, err = unix.Write(fd, []byte("some text\n"))
				err = errors.Join(err, unix.Close(fd))
			}
			if err := errors.Join(err, s.ctx.Err()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	_, made.peak = m.usage()
	res := map[string]results{"create": {"hubfs": {made}}, "status": {}, "list": {}, "mount": {}}
	for range s.pairs {
		for _, step := range []struct {
			name string
			do   func() error
		}{
			{"status", func() error { _, err := m.hubfs("status", m.path); return err }},
			{"list", func() error {
				ents, err := os.ReadDir(dir)
				if len(ents) != n {
					err = errors.Join(err, fmt.Errorf("%d names are left of %d", len(ents), n))
				}
				return err
			}},
			// Killed, not unmounted: nobody tidied the journal.
			{"", func() error {
				return errors.Join(syscall.Kill(m.pid, syscall.SIGKILL), m.gone())
			}},
			{"mount", func() error {
				_, err := m.hubfs("mount", m.path)
				if err == nil {
					_, err = os.Lstat(filepath.Join(dir, "file-000000.txt"))
				}
				return err
			}},
			{"", m.findPID},
		} {
			r, err := timed(n, step.do)
			if err != nil {
				return fmt.Errorf("100,000 staged files: %s: %w", step.name, err)
			}
			if step.name != "" {
				_, r.peak = m.usage()
				res[step.name]["hubfs"] = append(res[step.name]["hubfs"], r)
			}
		}
	}
	for _, step := range []string{"create", "list", "status", "mount"} {
		s.out.row("B12", p, res[step], "hubfs", step+", 100,000 staged", "k/s", 1e3)
	}
	s.out.atMost("B12", p, "status of 100,000 staged files", res["status"].median("hubfs", seconds), 1, "s")
	s.out.atMost("B12", p, "mount that replays 100,000 staged files", res["mount"].median("hubfs", seconds), 2, "s")
	return nil
}
