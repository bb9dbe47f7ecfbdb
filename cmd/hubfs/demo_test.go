package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// demoWorld gives the demo a temporary directory of its own to leave empty,
// and nothing of a Hub in the environment that is not to be used.
func demoWorld(t *testing.T) (w *world, tmp string) {
	needFuse(t)
	w = newWorld(t)
	tmp = filepath.Join(w.dir, "tmp")
	if err := os.Mkdir(tmp, 0o700); err != nil {
		t.Fatal(err)
	}
	w.set("TMPDIR="+tmp, "HF_HUB_OFFLINE=1")
	return w, tmp
}

func nothingLeft(t *testing.T, w *world, tmp string) {
	t.Helper()
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("left in %s: %v %v", tmp, left, err)
	}
	for _, m := range w.mounts() {
		if within(m, tmp) {
			t.Errorf("left mounted: %s", m)
		}
	}
}

func TestDemo(t *testing.T) {
	w, tmp := demoWorld(t)
	r := w.must("demo")
	if !contains(r.out, "Everything is as it should be", "52 tensors", "one commit") {
		t.Errorf("the tour:\n%s%s", r.out, r.err)
	}
	if w.hub.Requests() != 0 {
		t.Error("the demo asked another Hub")
	}
	nothingLeft(t, w, tmp)
}

func TestDemoInterrupted(t *testing.T) {
	w, tmp := demoWorld(t)
	cmd := w.command("demo")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out.Read(make([]byte, 1)) // it is mounted
	cmd.Process.Signal(syscall.SIGINT)
	cmd.Process.Signal(syscall.SIGINT)
	out.Close() // and nobody reads on
	cmd.Wait()
	nothingLeft(t, w, tmp)
}
