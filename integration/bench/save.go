package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"os"
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
	write  float64 // seconds in write(2) since reset
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
			start := time.Now()
			_, err = f.Write(w.block[:min(int64(len(w.block)), size-n)])
			w.write += time.Since(start).Seconds()
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

// timed is a save with free memory touched before.
func (w *shardWriter) timed(s *setup, dir string, size int64, serial uint64) (run, error) {
	// What is staged, the Hub's copy of it, and what else is allocated meanwhile.
	if err := s.touch(3 * shards * size); err != nil {
		return run{}, err
	}
	w.write, w.closes = 0, w.closes[:0]
	r, err := timed(shards*size, func() error { return w.save(dir, size, serial) })
	if err != nil {
		return r, err
	}
	slices.Sort(w.closes)
	r.write, r.close = w.write, w.closes[len(w.closes)*99/100]
	return r, nil
}
