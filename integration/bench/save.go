package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

const (
	shards     = 3
	smallFiles = 10
)

// A writer of shards: the way safetensors and save_pretrained write.
type shardWriter struct {
	block  []byte // 1 MiB of random bytes
	serial uint64 // makes every block of every run new to the Hub
	closes []float64
}

func newShardWriter() *shardWriter {
	w := &shardWriter{block: make([]byte, 1<<20), serial: uint64(time.Now().UnixNano())}
	_, _ = io.ReadFull(mathrand.NewChaCha8([32]byte{1}), w.block)
	return w
}

// save writes the shards and small files into dir, each under a temporary name
// that is renamed while the file is open. The serial tells contents apart;
// with the same one, a save has the same bytes again.
func (w *shardWriter) save(dir string, size int64, serial uint64) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for i := range shards {
		if err := w.file(filepath.Join(dir, fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, shards)), size, serial+uint64(i)<<32); err != nil {
			return err
		}
	}
	for i := range smallFiles {
		if err := w.file(filepath.Join(dir, fmt.Sprintf("part-%d.json", i)), 0, serial); err != nil {
			return err
		}
	}
	return nil
}

func (w *shardWriter) file(path string, size int64, serial uint64) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp")
	if err != nil {
		return err
	}
	defer func() {
		start := time.Now()
		err = errors.Join(err, f.Close())
		w.closes = append(w.closes, time.Since(start).Seconds())
	}()
	if size == 0 {
		_, err = fmt.Fprintf(f, "{\"serial\": %d, \"file\": %q}\n", serial, filepath.Base(path))
	} else if err = f.Truncate(size); err == nil {
		for n := int64(0); n < size && err == nil; n += int64(len(w.block)) {
			serial++
			binary.LittleEndian.PutUint64(w.block, serial)
			_, err = f.Write(w.block[:min(int64(len(w.block)), size-n)])
		}
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	return err
}

// p99 of the closes since the last call.
func (w *shardWriter) p99() float64 {
	defer func() { w.closes = w.closes[:0] }()
	slices.Sort(w.closes)
	return w.closes[len(w.closes)*99/100]
}

// save is B11.
func save(s *setup, p profile) error {
	size := s.size(1<<30, 128<<20)
	total := int64(shards) * size
	h, err := s.startHub(p, nil)
	if err != nil {
		return err
	}
	defer h.stop()
	m, err := s.mount(h)
	if err != nil {
		return err
	}
	defer m.close()
	var (
		w       = newShardWriter()
		n       int
		writes  = results{}
		again   = results{}
		whole   []arm
		commits = 0
	)
	timed := func(dir string, serial uint64) (run, error) {
		if err := s.touch(total); err != nil {
			return run{}, err
		}
		start := time.Now()
		err := w.save(dir, size, serial)
		return run{seconds: time.Since(start).Seconds(), bytes: total, close: w.p99()}, err
	}
	whole = append(whole, arm{"hubfs", func() (run, error) {
		n++
		w.serial += 1 << 40
		repo := fmt.Sprintf("me/save-%d", n)
		dir := filepath.Join(m.path, repo)
		cpu, _ := m.usage()
		r, err := measured(h, func() (run, error) {
			r, err := timed(dir, w.serial)
			if err != nil {
				return r, err
			}
			writes["hubfs"] = append(writes["hubfs"], r)
			start := time.Now()
			_, err = m.hubfs("sync", "-m", "Save", dir)
			r.seconds += time.Since(start).Seconds()
			return r, err
		})
		if err != nil {
			return r, err
		}
		now, peak := m.usage()
		r.cpu, r.peak = now-cpu, peak
		commits = max(commits, r.commits)
		// The same once more.
		a, err := measured(h, func() (run, error) {
			if err := w.save(dir, size, w.serial); err != nil {
				return run{}, err
			}
			start := time.Now()
			_, err := m.hubfs("sync", "-m", "Again", dir)
			return run{seconds: time.Since(start).Seconds(), bytes: total}, err
		})
		again["hubfs"] = append(again["hubfs"], a)
		return r, err
	}})
	plain := func() (string, run, error) {
		n++
		w.serial += 1 << 40
		dir := filepath.Join(s.dir, fmt.Sprintf("save-%d", n))
		r, err := timed(dir, w.serial)
		writes["ext4"] = append(writes["ext4"], r)
		return dir, r, err
	}
	if s.python != "" {
		whole = append(whole, arm{"upload_folder", func() (run, error) {
			dir, r, err := plain()
			if err != nil {
				return r, err
			}
			defer os.RemoveAll(dir)
			return measured(h, func() (run, error) {
				start := time.Now()
				err := s.uploadFolder(h, dir, fmt.Sprintf("me/upload-%d", n))
				r.seconds += time.Since(start).Seconds()
				return r, err
			})
		}})
	} else {
		whole = append(whole, arm{"ext4", func() (run, error) {
			dir, r, err := plain()
			return r, errors.Join(err, os.RemoveAll(dir))
		}})
	}
	res, err := s.alternate(whole)
	if err != nil {
		return err
	}
	work := fmt.Sprintf("%d x %s", shards, mib(size))
	for _, name := range []string{"ext4", "hubfs"} {
		s.out.row("B11", p, writes, name, work+" written, fsync", "GB/s", 1e9, "ext4")
	}
	for _, name := range []string{"upload_folder", "hubfs"} {
		s.out.row("B11", p, res, name, work+" written and committed", "GB/s", 1e9, "upload_folder")
	}
	s.out.row("B11", p, again, "hubfs", "sync of the same again", "", 1)
	s.out.note("B11", p, "commits per save: %d; close p99: hubfs %.2f ms, ext4 %.2f ms", commits,
		1e3*writes.median("hubfs", func(r run) float64 { return r.close }), 1e3*writes.median("ext4", func(r run) float64 { return r.close }))
	s.out.control("B11", p, writes, "ext4")
	return nil
}

const upload = `
import sys
from huggingface_hub import HfApi
api = HfApi(endpoint=sys.argv[1], token=sys.argv[2])
api.create_repo(sys.argv[4])
api.upload_folder(folder_path=sys.argv[3], repo_id=sys.argv[4])
`

// uploadFolder is the official way; the interpreter's start counts, as it does
// for who runs it.
func (s *setup) uploadFolder(h *hub, dir, repo string) error {
	cmd := exec.CommandContext(s.ctx, s.python, "-c", upload, h.endpoint, token, dir, repo)
	cmd.Env = append(os.Environ(), "HF_HUB_DISABLE_XET=1", "HF_HUB_DISABLE_PROGRESS_BARS=1", "HF_HUB_DISABLE_TELEMETRY=1", "HF_HOME="+filepath.Join(s.dir, "hf"))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("upload_folder: %w\n%s", err, out)
	}
	return nil
}
