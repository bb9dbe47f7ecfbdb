package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// A saver is what the arms of B11 share.
type saver struct {
	s    *setup
	h    *hub
	m    *mount
	w    *shardWriter
	size int64 // of a shard
	n    int   // saves so far

	writes, again results
}

// next gives each save contents that nothing had before.
func (b *saver) next() { b.n, b.w.serial = b.n+1, b.w.serial+1<<40 }

// hubfs saves into the mount and syncs, then does the same once more.
func (b *saver) hubfs() (run, error) {
	b.next()
	dir := filepath.Join(b.m.path, fmt.Sprintf("me/save-%d", b.n))
	sync := func() (float64, error) {
		start := time.Now()
		_, err := b.m.hubfs("sync", "-m", "Save", dir)
		return time.Since(start).Seconds(), err
	}
	cpu, _ := b.m.usage()
	r, err := measured(b.h, func() (run, error) {
		r, err := b.w.timed(b.s, dir, b.size, b.w.serial)
		if err != nil {
			return r, err
		}
		b.writes["hubfs"] = append(b.writes["hubfs"], r)
		took, err := sync()
		r.seconds += took
		return r, err
	})
	if err != nil {
		return r, err
	}
	now, peak := b.m.usage()
	r.cpu, r.peak = now-cpu, peak
	a, err := measured(b.h, func() (run, error) {
		if err := b.w.save(dir, b.size, b.w.serial); err != nil {
			return run{}, err
		}
		took, err := sync()
		return run{seconds: took, bytes: r.bytes}, err
	})
	b.again["hubfs"] = append(b.again["hubfs"], a)
	return r, err
}

// plain saves on the plain file system and hands the folder to then.
func (b *saver) plain(then func(dir string) error) (r run, err error) {
	b.next()
	dir := filepath.Join(b.s.dir, fmt.Sprintf("save-%d", b.n))
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	r, err = b.w.timed(b.s, dir, b.size, b.w.serial)
	if err != nil {
		return r, err
	}
	b.writes["ext4"] = append(b.writes["ext4"], r)
	return measured(b.h, func() (run, error) {
		start := time.Now()
		err := then(dir)
		r.seconds += time.Since(start).Seconds()
		return r, err
	})
}

func (b *saver) upload() (run, error) {
	return b.plain(func(dir string) error { return b.s.uploadFolder(b.h, dir, fmt.Sprintf("me/upload-%d", b.n)) })
}

// save is B11.
func save(s *setup, p profile) error {
	b := &saver{s: s, w: newShardWriter(), size: s.size(1<<30, 128<<20), writes: results{}, again: results{}}
	var err error
	if b.h, err = s.startHub(p, nil); err != nil {
		return err
	}
	defer b.h.stop()
	if b.m, err = s.mount(b.h); err != nil {
		return err
	}
	defer b.m.close()
	arms := []arm{{"hubfs", b.hubfs}}
	if s.python != "" {
		arms = append(arms, arm{"upload_folder", b.upload})
	} else {
		arms = append(arms, arm{"ext4", func() (run, error) { return b.plain(func(string) error { return nil }) }})
	}
	res, err := s.alternate(arms)
	if err != nil {
		return err
	}
	b.report(p, res)
	if err := s.uploads(p); err != nil || p.name != "S1" {
		return err
	}
	return s.uploads(profiles["S2"])
}

func (b *saver) report(p profile, res results) {
	t, work := b.s.out, fmt.Sprintf("%d x %s", shards, mib(b.size))
	for _, name := range []string{"ext4", "hubfs"} {
		t.row("B11", p, b.writes, name, work+" written, fsync", "GB/s", 1e9, "ext4")
	}
	for _, name := range []string{"upload_folder", "hubfs"} {
		t.row("B11", p, res, name, work+" written and committed", "GB/s", 1e9, "upload_folder")
	}
	t.row("B11", p, b.again, "hubfs", "sync of the same again", "", 1)
	inWrite := func(r run) float64 { return r.write }
	total := float64(shards * b.size)
	t.atLeast("B11", p, "write(), of ext4's", b.writes.ratio("hubfs", "ext4", inWrite), 0.90, "")
	t.atMost("B11", p, "close, 99th percentile", 1e3*b.writes.median("hubfs", func(r run) float64 { return r.close }), 5, "ms")
	most := 0
	for _, r := range res["hubfs"] {
		most = max(most, r.commits)
	}
	t.atMost("B11", p, "commits of a save", float64(most), 1, "")
	if b.s.python != "" {
		t.atMost("B11", p, "written and committed, of upload_folder's time", res.ratio("upload_folder", "hubfs", seconds), 1.05, "")
	}
	sent := func(r run) float64 { return float64(r.sent) }
	t.atMost("B11", p, "bytes sent, of new content", res.median("hubfs", sent)/total, 1, "")
	t.atMost("B11", p, "bytes sent for the same again", b.again.median("hubfs", sent), 0, "")
	t.control("B11", p, b.writes, "ext4")
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
