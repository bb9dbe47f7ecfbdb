package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A mount is a daemon of hubfs with cold cache and state.
type mount struct {
	s    *setup
	base string
	path string
	env  []string
	pid  int
}

func (s *setup) mount(h *hub) (m *mount, err error) {
	m = &mount{s: s}
	if m.base, err = os.MkdirTemp(s.dir, "mount-"); err != nil {
		return nil, err
	}
	m.path = filepath.Join(m.base, "mnt")
	if err := os.Mkdir(m.path, 0o755); err != nil {
		return nil, err
	}
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); !strings.HasPrefix(name, "HF_") && !strings.HasPrefix(name, "HUBFS_") {
			m.env = append(m.env, kv)
		}
	}
	m.env = append(m.env, "HF_ENDPOINT="+h.endpoint, "HF_TOKEN="+token,
		"HUBFS_CACHE_DIR="+filepath.Join(m.base, "cache"), "HUBFS_STATE_DIR="+filepath.Join(m.base, "state"))
	_, err = m.hubfs("mount", m.path)
	if err := errors.Join(err, m.findPID()); err != nil {
		return nil, errors.Join(err, m.close())
	}
	return m, nil
}

// findPID asks the daemon which process it is.
func (m *mount) findPID() error {
	b, err := os.ReadFile(filepath.Join(m.path, ".hubfs", "status"))
	if err != nil {
		return err
	}
	var status struct {
		PID int `json:"pid"`
	}
	err = json.Unmarshal(b, &status)
	m.pid = status.PID
	return err
}

// gone waits for the end of a daemon that was killed.
func (m *mount) gone() error {
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", m.pid))
		if _, rest, _ := strings.Cut(string(b), ") "); err != nil || strings.HasPrefix(rest, "Z") || strings.HasPrefix(rest, "X") {
			return nil
		}
	}
	return fmt.Errorf("the daemon %d was killed and is still there", m.pid)
}

func (m *mount) hubfs(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(m.s.ctx, 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, m.s.binary, args...)
	cmd.Env = m.env
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("hubfs %s: %w\n%s", args[0], err, &out)
	}
	return out.String(), nil
}

// close ends the mount, keeping nothing.
func (m *mount) close() error {
	_, err := m.hubfs("umount", "--force", m.path)
	if err != nil {
		if m.pid > 0 {
			_ = syscall.Kill(m.pid, syscall.SIGKILL)
		}
		err = errors.Join(err, syscall.Unmount(m.path, syscall.MNT_DETACH))
	}
	return errors.Join(err, os.RemoveAll(m.base))
}

// usage is what the daemon has used so far: CPU seconds, and its memory's peak.
func (m *mount) usage() (cpu float64, peak int64) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", m.pid))
	if err != nil {
		return 0, 0
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	if f := strings.Fields(rest); len(f) > 12 {
		var user, system float64
		_, _ = fmt.Sscan(f[11]+" "+f[12], &user, &system)
		cpu = (user + system) / 100
	}
	b, _ = os.ReadFile(fmt.Sprintf("/proc/%d/status", m.pid))
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			_, _ = fmt.Sscan(v, &peak)
			peak <<= 10
		}
	}
	return cpu, peak
}
