package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/hubfs/hubfs/integration/proof"
	"golang.org/x/sys/unix"
)

// terminal opens a pseudo-terminal: what a person has, and what a program gets.
func terminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		proof.Missing(t, err)
	}
	t.Cleanup(func() { person.Close() })
	fd := int(person.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 120})
	}
	if err == nil {
		program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	}
	if err != nil {
		proof.Missing(t, err)
	}
	return person, program
}

// typing runs a command on a terminal where somebody types.
func (w *world) typing(keys string, args ...string) result {
	w.t.Helper()
	person, program := terminal(w.t)
	cmd := w.command(args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = program, program, program
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	program.Close()
	if _, err := person.WriteString(keys); err != nil {
		w.t.Fatal(err)
	}
	var out bytes.Buffer
	// The kernel says EIO when the last program has closed the terminal.
	if _, err := io.Copy(&out, person); err != nil && !errors.Is(err, syscall.EIO) {
		w.t.Fatal(err)
	}
	cmd.Wait()
	return result{out: out.String(), code: cmd.ProcessState.ExitCode()}
}

// On a terminal more than one change is dropped after a yes only.
func TestDiscardAsks(t *testing.T) {
	w := edited(t)
	for _, keys := range []string{"n\n", "\n", "nope\n"} {
		if r := w.typing(keys, "discard", w.path("me/new")); r.code != exitFailed || !contains(r.out, "card.md", "Go on? [y/N]", "nothing was dropped") {
			t.Errorf("%q: exit %d\n%s", keys, r.code, r.out)
		}
	}
	if got := w.read("me/new/card.md"); got != "one\nTWO\nthree\n" {
		t.Errorf("dropped after a no: %q", got)
	}
	if r := w.typing("y\n", "discard", w.path("me/new")); r.code != 0 || !contains(r.out, "dropped me/new: ") {
		t.Errorf("exit %d\n%s", r.code, r.out)
	}
	if got := w.read("me/new/card.md"); got != "one\ntwo\nthree\n" {
		t.Errorf("the file is %q", got)
	}
}

// A terminal gets a bar and colours, and with --quiet or --json neither.
func TestTerminalOutput(t *testing.T) {
	w := edited(t)
	if r := w.typing("", "diff", w.path("me/new")); !contains(r.out, "\x1b[32m+TWO\x1b[0m") {
		t.Errorf("%q", r.out)
	}
	w.write("me/new/large.bin", strings.Repeat("\x00", 3<<20))
	r := w.typing("", "sync", w.path("me/new"))
	if r.code != 0 || !contains(r.out, "committing ", "[", "me/new: 6 files") || strings.Contains(r.out, "me/new: reading") {
		t.Errorf("exit %d\n%q", r.code, r.out)
	}
	w.write("me/new/more", "x")
	if r := w.typing("", "sync", "--quiet", w.path("me/new")); r.code != 0 || r.out != "" {
		t.Errorf("exit %d\n%q", r.code, r.out)
	}
}
