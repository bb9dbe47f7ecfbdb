package fs

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/hubfs/hubfs/commit"
	"golang.org/x/sys/unix"
)

// storeThroughMap makes a file, maps it shared, closes it, and stores through
// the map once more when it is told to go on.
func storeThroughMap(path string) error {
	w, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	if err := w.Truncate(8192); err != nil {
		return err
	}
	m, err := unix.Mmap(int(w.Fd()), 0, 8192, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	copy(m, "first")
	if err := w.Close(); err != nil {
		return err
	}
	fmt.Println("mapped")
	in := bufio.NewReader(os.Stdin)
	if _, err := in.ReadString('\n'); err != nil {
		return err
	}
	copy(m[4096:], "second")
	fmt.Println("stored")
	_, err = in.ReadString('\n')
	return err
}

// A shared map of a staged file writes the file itself, also after close: until
// it is gone the file is busy.
func TestSharedMap(t *testing.T) {
	f := mine(t, map[string]string{"a": "1"})
	cmd := child(t, "shared map", f.path("mapped"))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	must(t, err)
	outPipe, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	out := bufio.NewScanner(outPipe)
	step := func(want string) {
		t.Helper()
		if !out.Scan() || out.Text() != want {
			t.Fatalf("child says %q, want %q", out.Text(), want)
		}
	}
	step("mapped")
	f.idle("mapped")
	res, err := f.store.Opened()[0].Commit(context.Background(), commit.CommitOptions{})
	must(t, err)
	if len(res.Busy) != 1 || res.Busy[0] != "mapped" {
		t.Errorf("busy: %v, want the mapped file", res.Busy)
	}
	fmt.Fprintln(in)
	step("stored")
	b := read(t, f.path("mapped"))
	if len(b) != 8192 || b[:5] != "first" || b[4096:4102] != "second" {
		t.Errorf("the file has %s", brief(b))
	}
	f.idle("mapped")
	fmt.Fprintln(in)
	must(t, cmd.Wait())
	f.commit()
	if got := f.hub.Repo("me/m").Read("main", "mapped"); len(got) != 8192 || !bytes.HasPrefix(got[4096:], []byte("second")) {
		t.Errorf("the Hub has %d bytes", len(got))
	}
}
