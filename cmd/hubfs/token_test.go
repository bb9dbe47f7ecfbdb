package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The token is in the memory of the daemon and nowhere else.
func TestTokenIsNowhere(t *testing.T) {
	w := mounted(t, "--debug")
	w.read("acme/model/config.json")
	w.write("me/new/a.txt", "a")
	w.must("sync", w.path("me/new"))
	w.checkNoToken(w.status().PID)
	w.must("umount", w.mnt)
}

func (w *world) checkNoToken(pid int) {
	w.t.Helper()
	for _, name := range []string{"cmdline", "environ"} {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
		if err != nil {
			w.t.Error(err)
		}
		if bytes.Contains(b, []byte(canary)) || len(b) == 0 {
			w.t.Errorf("%s of the daemon: %q", name, b)
		}
	}
	if fi, err := os.Stat(fmt.Sprintf("/proc/%d/mem", pid)); err != nil || ownerOf(fi) != 0 {
		w.t.Errorf("the daemon's memory belongs to %d: it can be dumped", ownerOf(fi))
	}
	for _, r := range []result{w.must("status", w.mnt), w.must("status", "--json", w.mnt)} {
		if strings.Contains(r.out+r.err, canary) {
			w.t.Error("in the status")
		}
	}
	for _, dir := range []string{"state", "cache"} {
		filepath.WalkDir(filepath.Join(w.dir, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			if b, err := os.ReadFile(path); err != nil || bytes.Contains(b, []byte(canary)) {
				w.t.Errorf("%s: %v, or the token in it", path, err)
			}
			if fi, err := d.Info(); err == nil && dir == "state" && fi.Mode()&0o077 != 0 {
				w.t.Errorf("%s has mode %s", path, fi.Mode())
			}
			return nil
		})
	}
}

func TestForeground(t *testing.T) {
	needFuse(t)
	w := newWorld(t)
	cmd := w.command("mount", "--foreground", w.mnt)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	buf := make([]byte, 4096)
	for !strings.Contains(log.String(), "the whole Hub") {
		n, err := stderr.Read(buf)
		if err != nil {
			t.Fatalf("%v\n%s", err, log.String())
		}
		log.Write(buf[:n])
	}
	if st := w.status(); st.PID != cmd.Process.Pid || st.LogFile != "" {
		t.Errorf("process %d, daemon %d, log %q", cmd.Process.Pid, st.PID, st.LogFile)
	}
	w.checkNoToken(cmd.Process.Pid)
	w.write("me/new/a.txt", "a")
	if err := unix.Kill(cmd.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	log.ReadFrom(stderr)
	if err := cmd.Wait(); err != nil || w.isMounted() || strings.Contains(log.String(), canary) {
		t.Errorf("%v, mounted: %t\n%s", err, w.isMounted(), log.String())
	}
	if got := w.titles("me/new"); len(got) != 2 {
		t.Errorf("commits: %q", got)
	}
}
