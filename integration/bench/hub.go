package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

const (
	user  = "me"
	token = "hf_bench"
)

// A hub is `hubfs hub` in a process of its own.
type hub struct {
	endpoint string
	log      string
	cmd      *exec.Cmd
	dir      string
}

var address = regexp.MustCompile(`https?://[0-9a-zA-Z.:\[\]-]+`)

// startHub serves the folders of imports (repo → folder) with p's shape.
func (s *setup) startHub(p profile, imports map[string]string, flags ...string) (*hub, error) {
	dir, err := os.MkdirTemp(s.dir, "hub-")
	if err != nil {
		return nil, err
	}
	h := &hub{dir: dir, log: filepath.Join(dir, "access.log")}
	args := append([]string{"hub", "--listen", "127.0.0.1:0", "--dir", filepath.Join(dir, "store"),
		"--user", user + "=" + token, "--access-log", h.log}, p.flags()...)
	for repo, folder := range imports {
		args = append(args, "--import", repo+"="+folder)
	}
	h.cmd = exec.Command(s.binary, append(args, flags...)...)
	h.cmd.Stderr = os.Stderr
	h.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stdout, err := h.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := h.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if h.endpoint = address.FindString(line); h.endpoint == "" {
		return nil, errors.Join(fmt.Errorf("hubfs hub said %q", line), err, h.stop())
	}
	return h, nil
}

func (h *hub) stop() error {
	if h == nil || h.cmd.Process == nil {
		return nil
	}
	err := h.cmd.Process.Signal(syscall.SIGTERM)
	if err == nil {
		timer := time.AfterFunc(20*time.Second, func() { h.cmd.Process.Kill() })
		err = h.cmd.Wait()
		timer.Stop()
	}
	return errors.Join(err, os.RemoveAll(h.dir))
}

// traffic is what the Hub was asked, both origins together.
type traffic struct {
	requests int
	bytes    int64 // of bodies: to the client, or from it
	commits  int
	sent     int64   // bytes of content that were put
	sending  float64 // seconds from the begin of the first put to the end of the last
}

// A mark is a place in the access log.
type mark int64

func (h *hub) mark() (mark, error) {
	fi, err := os.Stat(h.log)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return mark(fi.Size()), nil
}

// since counts the requests logged after m.
func (h *hub) since(m mark) (t traffic, err error) {
	f, err := os.Open(h.log)
	if errors.Is(err, os.ErrNotExist) {
		return t, nil
	}
	if err != nil {
		return t, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.NewSectionReader(f, int64(m), 1<<40))
	if err != nil {
		return t, err
	}
	var first, last time.Time
	for line := range bytes.Lines(b) {
		var r struct {
			Time   time.Time
			MS     float64
			Method string `json:"method"`
			Path   string `json:"path"`
			In     int64  `json:"in"`
			Bytes  int64  `json:"bytes"`
		}
		if err := json.Unmarshal(line, &r); err != nil {
			return t, fmt.Errorf("%s: %w", h.log, err)
		}
		t.requests++
		t.bytes += r.In + r.Bytes
		if r.Method == "PUT" {
			t.sent += r.In
			if first.IsZero() || r.Time.Before(first) {
				first = r.Time
			}
			if end := r.Time.Add(time.Duration(r.MS * float64(time.Millisecond))); end.After(last) {
				last = end
			}
			t.sending = last.Sub(first).Seconds()
		}
		if r.Method == "POST" && commitPath.MatchString(r.Path) {
			t.commits++
		}
	}
	return t, nil
}

var commitPath = regexp.MustCompile(`/commit/[^/]+$`)
