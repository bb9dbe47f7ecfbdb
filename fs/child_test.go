package fs

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// children are what tests have done by another process: page faults of the one
// that serves the mount could block the threads it is served with, and signals
// are for a process that can do without.
var children = map[string]func(args []string) error{}

const childEnv = "HUBFS_FS_TEST_CHILD"

func TestMain(m *testing.M) {
	if name := os.Getenv(childEnv); name != "" {
		if err := children[name](os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child is the command that does one of them.
func child(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	must(t, err)
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), childEnv+"="+name)
	return cmd
}

func runChild(t *testing.T, name string, args ...string) {
	t.Helper()
	cmd := child(t, name, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Errorf("%s %q: %v\n%s", name, args, err, out.Bytes())
	}
}
