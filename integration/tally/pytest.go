package main

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// The part of pytest's JUnit report that is counted.
type junit struct {
	Suites []struct {
		Cases []struct {
			Class   string    `xml:"classname,attr"`
			Name    string    `xml:"name,attr"`
			Failure []message `xml:"failure"`
			Error   []message `xml:"error"`
			Skipped []message `xml:"skipped"`
			Says    []struct {
				Name  string `xml:"name,attr"`
				Value string `xml:"value,attr"`
			} `xml:"properties>property"`
		} `xml:"testcase"`
	} `xml:"testsuite"`
}

type message struct {
	Text string `xml:"message,attr"`
}

// pytest runs the suite in dir, its output going straight through, and counts
// from its report.
func pytest(ctx context.Context, python, dir, marker string, limit time.Duration) result {
	var r result
	tmp, err := os.MkdirTemp("", "tally")
	if err != nil {
		r.fail(dir + ": " + err.Error())
		return r
	}
	defer os.RemoveAll(tmp)
	xmlPath := filepath.Join(tmp, "report.xml")

	fmt.Printf("pytest %s\n", dir)
	runCtx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	args := []string{"-m", "pytest", "-q", "-ra", "-p", "no:cacheprovider", "-o", "junit_family=xunit1", "--junitxml", xmlPath}
	if marker != "" {
		args = append(args, "-m", marker)
	}
	cmd := exec.CommandContext(runCtx, python, append(args, dir)...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	// A group of its own, so that an overrun ends the whole suite. The
	// interrupt lets pytest tear its fixtures down (mounts, servers) first.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = 60 * time.Second
	runErr := cmd.Run()

	f, err := os.Open(xmlPath)
	if err == nil {
		r, err = readJUnit(f)
		f.Close()
	}
	switch {
	case runCtx.Err() != nil:
		r.fail(fmt.Sprintf("%s: stopped after %s", dir, limit))
	case err != nil:
		r.fail(fmt.Sprintf("%s: no report: %v", dir, err))
	case exitCode(runErr) == noTestsCollected:
		// A marker that selects nothing here; the total decides.
	case runErr != nil && r.failed == 0:
		r.fail(fmt.Sprintf("%s: %v", dir, runErr))
	}
	return r
}

// noTestsCollected is pytest's exit code when nothing was selected.
const noTestsCollected = 5

func exitCode(err error) int {
	if e, ok := err.(*exec.ExitError); ok {
		return e.ExitCode()
	}
	return 0
}

func readJUnit(rd io.Reader) (result, error) {
	var (
		r result
		j junit
	)
	if err := xml.NewDecoder(rd).Decode(&j); err != nil {
		return r, err
	}
	for _, s := range j.Suites {
		for _, c := range s.Cases {
			name := strings.TrimSpace(c.Class + " " + c.Name)
			switch {
			case len(c.Failure) > 0 || len(c.Error) > 0:
				r.fail(name)
			case len(c.Skipped) > 0:
				r.skip(name + ": " + c.Skipped[0].Text)
			default:
				r.passed++
				for _, p := range c.Says {
					if p.Name == "proof" {
						r.proofs = append(r.proofs, p.Value)
					}
				}
			}
		}
	}
	return r, nil
}
