package main

import (
	"crypto/rand"
	"errors"
	"io"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
)

const bigRepo, bigFile = "me/big", "model.safetensors"

// bigFolder makes a folder with one file of random bytes, which is also what
// the plain file system's arm reads.
func (s *setup) bigFolder(size int64) (folder string, err error) {
	folder = filepath.Join(s.dir, "big")
	path := filepath.Join(folder, bigFile)
	if fi, err := os.Stat(path); err == nil && fi.Size() == size {
		return folder, nil
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	f, err := os.Create(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	var seed [32]byte
	if _, err := rand.Read(seed[:]); err != nil {
		return "", err
	}
	_, err = io.Copy(f, io.LimitReader(mathrand.NewChaCha8(seed), size))
	return folder, err
}

// measured runs f with the traffic it caused at h.
func measured(h *hub, f func() (run, error)) (run, error) {
	m, err := h.mark()
	if err != nil {
		return run{}, err
	}
	r, err := f()
	if err != nil {
		return r, err
	}
	r.traffic, err = h.since(m)
	return r, err
}

// coldRead is B1.
func coldRead(s *setup, p profile) error {
	size := s.size(4<<30, 1<<30)
	if p.delay > 0 {
		size = s.size(1<<30, 512<<20)
	}
	if p.name == "S3" {
		size = s.size(1<<30, 64<<20)
	}
	folder, err := s.bigFolder(size)
	if err != nil {
		return err
	}
	h, err := s.startHub(p, map[string]string{bigRepo: folder})
	if err != nil {
		return err
	}
	defer h.stop()
	url := h.endpoint + "/" + bigRepo + "/resolve/main/" + bigFile

	// Untimed: the Hub's own page cache, and the connection set-up of nobody.
	if _, err := s.child("ranges", url, token, strconv.FormatInt(size, 10)); err != nil {
		return err
	}
	res, err := s.alternate([]arm{
		{"R", func() (run, error) {
			if err := s.touch(size); err != nil {
				return run{}, err
			}
			return measured(h, func() (run, error) { return s.child("ranges", url, token, strconv.FormatInt(size, 10)) })
		}},
		{"hubfs", func() (r run, err error) {
			// The file, its copy in the cache, its pages in the mount.
			if err := s.touch(3 * size); err != nil {
				return r, err
			}
			m, err := s.mount(h)
			if err != nil {
				return r, err
			}
			defer func() { err = errors.Join(err, m.close()) }()
			r, err = measured(h, func() (run, error) { return s.child("read", filepath.Join(m.path, bigRepo, bigFile)) })
			r.cpu, r.peak = m.usage()
			return r, err
		}},
		{"curl", func() (run, error) {
			return measured(h, func() (run, error) { return s.curl(url, size) })
		}},
		{"ext4", func() (run, error) { return s.child("read", filepath.Join(folder, bigFile)) }},
	})
	if err != nil {
		return err
	}
	work := mib(size) + " cold"
	for _, name := range []string{"R", "curl", "hubfs"} {
		s.out.row("B1", p, res, name, work, "GB/s", 1e9, "R", "curl")
	}
	s.out.row("B1", p, res, "ext4", mib(size)+" cached", "GB/s", 1e9)
	s.out.control("B1", p, res, "ext4")
	return nil
}

// warmRead is B2: each read by a new process, of one mount.
func warmRead(s *setup, p profile) error {
	size := s.size(4<<30, 1<<30)
	folder, err := s.bigFolder(size)
	if err != nil {
		return err
	}
	h, err := s.startHub(p, map[string]string{bigRepo: folder})
	if err != nil {
		return err
	}
	defer h.stop()
	m, err := s.mount(h)
	if err != nil {
		return err
	}
	defer m.close()
	file := filepath.Join(m.path, bigRepo, bigFile)
	// Twice: the first read fills the cache, the second is the first that opens
	// the whole file, so what follows is steady.
	for range 2 {
		if _, err := s.child("read", file); err != nil {
			return err
		}
	}
	read := func(path string) func() (run, error) {
		return func() (run, error) {
			return measured(h, func() (run, error) { return s.child("read", path) })
		}
	}
	// Two files of one size can differ by a factor in where their pages lie, so
	// the fair comparison is with the very file that the mount reads.
	cached, err := largest(filepath.Join(m.base, "cache"))
	if err != nil {
		return err
	}
	res, err := s.alternate([]arm{
		{"ext4", read(filepath.Join(folder, bigFile))},
		{"cache file", read(cached)},
		{"hubfs", read(file)},
	})
	if err != nil {
		return err
	}
	for _, name := range []string{"ext4", "cache file", "hubfs"} {
		s.out.row("B2", p, res, name, mib(size)+" again", "GB/s", 1e9, "cache file", "ext4")
	}
	s.out.control("B2", p, res, "ext4")
	return nil
}

// largest is the largest file below dir.
func largest(dir string) (path string, err error) {
	most := int64(-1)
	err = filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		fi, err := d.Info()
		if err == nil && fi.Size() > most {
			path, most = p, fi.Size()
		}
		return err
	})
	return path, err
}

func mib(n int64) string { return strconv.FormatInt(n>>20, 10) + " MiB" }
