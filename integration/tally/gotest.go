package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// An event is one line of `go test -json` (go doc test2json).
type event struct {
	Action      string
	Package     string
	ImportPath  string // of build output, in place of Package
	Test        string
	Output      string
	Elapsed     float64
	FailedBuild string
}

// goTest runs `go test -json args…`, prints one line per package and the
// output of what failed, and counts.
func goTest(ctx context.Context, w io.Writer, args []string) result {
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 30 * time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return result{failed: 1, failures: []string{"go test: " + err.Error()}}
	}
	if err := cmd.Start(); err != nil {
		return result{failed: 1, failures: []string{"go test: " + err.Error()}}
	}
	r := readGoTest(w, out)
	// The exit status is the last word: it may be non-zero for a reason that
	// no event tells, such as a pattern that matches nothing.
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && (r.failed == 0 || !errors.As(err, &exit)) {
		r.fail("go test: " + err.Error())
	}
	return r
}

// A packageRun gathers the events of one package until its last one.
type packageRun struct {
	result
	output map[string]*strings.Builder // by test; "" is the package's own
	order  []string
}

func (p *packageRun) write(test, s string) {
	b := p.output[test]
	if b == nil {
		b = new(strings.Builder)
		p.output[test] = b
		p.order = append(p.order, test)
	}
	b.WriteString(s)
}

func readGoTest(w io.Writer, r io.Reader) result {
	var (
		total    result
		packages = map[string]*packageRun{}
		builds   = map[string]*bytes.Buffer{}
	)
	in := bufio.NewReaderSize(r, 1<<20)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil || e.Action == "" {
				_, _ = w.Write(line) // not an event: the go command's own words
			} else {
				step(w, &total, packages, builds, e)
			}
		}
		if err != nil {
			break
		}
	}
	// A package without a last event was cut short.
	for name, p := range packages {
		total.add(p.result)
		total.fail(name + ": ended without a result")
		p.print(w)
	}
	return total
}

func step(w io.Writer, total *result, packages map[string]*packageRun, builds map[string]*bytes.Buffer, e event) {
	switch e.Action {
	case "build-output":
		if builds[e.ImportPath] == nil {
			builds[e.ImportPath] = new(bytes.Buffer)
		}
		builds[e.ImportPath].WriteString(e.Output)
		return
	case "build-fail":
		return
	}
	p := packages[e.Package]
	if p == nil {
		p = &packageRun{output: map[string]*strings.Builder{}}
		packages[e.Package] = p
	}
	name := e.Package + " " + e.Test
	switch {
	case e.Action == "output":
		p.write(e.Test, e.Output)
	case e.Test != "" && e.Action == "pass":
		p.passed++
		p.keepProofs(e.Test)
		delete(p.output, e.Test)
	case e.Test != "" && e.Action == "skip":
		p.skip(name + ": " + p.reason(e.Test))
		delete(p.output, e.Test)
	case e.Test != "" && e.Action == "fail":
		p.fail(name)
	case e.Test == "" && (e.Action == "pass" || e.Action == "skip" || e.Action == "fail"):
		if e.Action == "fail" && p.failed == 0 {
			why := "failed outside its tests"
			if b := builds[e.FailedBuild]; b != nil {
				why = "does not build"
				_, _ = w.Write(b.Bytes())
			}
			p.fail(e.Package + ": " + why)
		}
		if p.failed > 0 {
			p.print(w)
		}
		if p.passed+p.failed+p.skipped > 0 {
			fmt.Fprintf(w, "%-4s %-40s %6.1fs  %d passed, %d failed, %d skipped\n",
				strings.Replace(e.Action, "pass", "ok", 1), e.Package, e.Elapsed, p.passed, p.failed, p.skipped)
		}
		total.add(p.result)
		delete(packages, e.Package)
	}
}

// keepProofs keeps what a test that passed says it counted.
func (p *packageRun) keepProofs(test string) {
	b := p.output[test]
	if b == nil {
		return
	}
	for line := range strings.Lines(b.String()) {
		if _, said, ok := strings.Cut(line, ": proof: "); ok {
			p.proofs = append(p.proofs, strings.TrimSpace(said))
		}
	}
}

// print writes the output that is left: of tests that failed or never
// finished, and the package's own.
func (p *packageRun) print(w io.Writer) {
	for _, test := range p.order {
		if b := p.output[test]; b != nil {
			_, _ = io.WriteString(w, b.String())
		}
	}
}

// reason is what a skipped test said, in one line.
func (p *packageRun) reason(test string) string {
	b := p.output[test]
	if b == nil {
		return ""
	}
	var words []string
	for line := range strings.Lines(b.String()) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "===") && !strings.HasPrefix(line, "---") {
			words = append(words, line)
		}
	}
	return strings.Join(words, " ")
}
