package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const treeRepo = "me/tree"

// treeFolder makes a folder of n small files, a hundred to a directory, and
// the list of their names.
func (s *setup) treeFolder(n int) (folder, names string, err error) {
	folder, names = filepath.Join(s.dir, "tree"), filepath.Join(s.dir, "names")
	var list strings.Builder
	for i := range n {
		dir := fmt.Sprintf("d%04d", i/100)
		if i%100 == 0 {
			if err := os.MkdirAll(filepath.Join(folder, dir), 0o755); err != nil {
				return "", "", err
			}
		}
		name := fmt.Sprintf("%s/file-%06d.txt", dir, i)
		if err := os.WriteFile(filepath.Join(folder, name), fmt.Appendf(nil, "file %d\n", i), 0o644); err != nil {
			return "", "", err
		}
		list.WriteString(name + "\n")
	}
	return folder, names, os.WriteFile(names, []byte(list.String()), 0o644)
}

// program times a program of the system, whose output is read and dropped.
func (s *setup) program(n int64, name string, args ...string) (run, error) {
	start := time.Now()
	cmd := exec.CommandContext(s.ctx, name, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return run{}, fmt.Errorf("%s: %w", name, err)
	}
	if len(out) == 0 {
		return run{}, fmt.Errorf("%s printed nothing", name)
	}
	return run{seconds: time.Since(start).Seconds(), bytes: n}, nil
}

// listing is B8.
func listing(s *setup, p profile) error {
	n := s.size(100_000, 20_000)
	folder, names, err := s.treeFolder(int(n))
	if err != nil {
		return err
	}
	h, err := s.startHub(p, map[string]string{treeRepo: folder})
	if err != nil {
		return err
	}
	defer h.stop()

	steps := []struct {
		name string
		do   func(dir string) (run, error)
	}{
		{"ls -lUR first", func(dir string) (run, error) { return s.program(n, "ls", "-lUR", dir) }},
		{"ls -lUR again", func(dir string) (run, error) { return s.program(n, "ls", "-lUR", dir) }},
		{"find", func(dir string) (run, error) { return s.program(n, "find", dir, "-type", "f", "-size", "+0") }},
		{"du", func(dir string) (run, error) { return s.program(n, "du", "-s", dir) }},
		{"stat", func(dir string) (run, error) { return s.child("stat", dir, names, "") }},
		{"stat missing", func(dir string) (run, error) { return s.child("stat", dir, names, ".missing") }},
		{"missing again", func(dir string) (run, error) { return s.child("stat", dir, names, ".missing") }},
	}
	all := map[string]results{}
	for _, st := range steps {
		all[st.name] = results{}
	}
	for i := range s.pairs {
		// One fresh mount for all steps of a pair; each step beside ext4's.
		err := func() (err error) {
			m, err := s.mount(h)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, m.close()) }()
			for _, st := range steps {
				plain, err := st.do(folder)
				if err != nil {
					return fmt.Errorf("%s: %w", st.name, err)
				}
				mine, err := measured(h, func() (run, error) { return st.do(filepath.Join(m.path, treeRepo)) })
				if err != nil {
					return fmt.Errorf("%s: %w", st.name, err)
				}
				_, mine.peak = m.usage()
				fmt.Fprintf(os.Stderr, "  %d/%d %-14s ext4 %7.3f s, hubfs %7.3f s\n", i+1, s.pairs, st.name, plain.seconds, mine.seconds)
				res := all[st.name]
				res["ext4"], res["hubfs"] = append(res["ext4"], plain), append(res["hubfs"], mine)
			}
			return nil
		}()
		if err != nil {
			return err
		}
	}
	for _, st := range steps {
		for _, name := range []string{"ext4", "hubfs"} {
			s.out.row("B8", p, all[st.name], name, fmt.Sprintf("%s, %d files", st.name, n), "k/s", 1e3, "ext4")
		}
	}
	s.out.control("B8", p, all["stat"], "ext4")
	return nil
}
