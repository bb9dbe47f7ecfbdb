package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// A report is a line that the daemon writes to the one who waits for it.
type report struct {
	Note  string `json:"note,omitempty"`
	Ready string `json:"ready,omitempty"` // the mount is usable
	Error string `json:"error,omitempty"`
	Code  int    `json:"code,omitempty"` // exit code of Error
}

// startDaemon starts this program again in the background and returns when the
// mount is usable, with the line to say so, or with the error that the daemon
// ended with. Cancelling ctx ends the daemon.
func startDaemon(ctx context.Context, l launch, note func(string)) (ready string, err error) {
	log, err := openLog(l.Log)
	if err != nil {
		return "", err
	}
	defer log.Close()
	logStart, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return "", err
	}
	options, err := l.encode()
	if err != nil {
		return "", err
	}
	optionsR, optionsW, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer optionsR.Close()
	defer optionsW.Close()
	reportR, reportW, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer reportR.Close()
	defer reportW.Close()

	keepNothingOpen()
	cmd := exec.Command(executable(), serveArgs(l, 3, 4)...)
	cmd.Dir = "/" // not to keep the user's directory busy
	cmd.Env = l.environ()
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{optionsR, reportW}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if l.dieWithStarter {
		cmd.SysProcAttr.Pdeathsig = syscall.SIGTERM
	}
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("start the daemon: %w", err)
	}
	optionsR.Close()
	reportW.Close()
	if _, err := optionsW.Write(options); err != nil && !errors.Is(err, syscall.EPIPE) {
		return "", err
	}
	optionsW.Close()

	stop := context.AfterFunc(ctx, func() { cmd.Process.Signal(syscall.SIGTERM) })
	defer stop()
	ready, err = readReports(reportR, note)
	if err == nil {
		return ready, cmd.Process.Release()
	}
	ended := cmd.Wait()
	if ctx.Err() != nil {
		after := context.WithoutCancel(ctx)
		if isMounted(l.Mount) && isDead(health(after, l.Mount)) {
			cleanUp(after, l.Mount) // it had come too far
		}
		return "", ctx.Err()
	}
	if errors.Is(err, io.EOF) {
		return "", fmt.Errorf("the daemon ended before the mount was there (%v); see %s%s", ended, l.Log, logEnd(l.Log, logStart, func(string) bool { return true }))
	}
	if strings.Contains(err.Error(), "fusermount") {
		// Its own words are in the log only.
		return "", fmt.Errorf("%w%s", err, logEnd(l.Log, logStart, func(line string) bool { return strings.Contains(line, "fusermount3: ") }))
	}
	return "", err
}

// keepNothingOpen closes what this process was started with for the programs
// that it starts: a pipe or a lock of a script would never end in a daemon.
// Go's own descriptors are like that anyway.
func keepNothingOpen() {
	unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC)
}

// serveArgs are the arguments of the daemon. The mount point is there for
// people who look at the process list; the daemon takes it from the options.
func serveArgs(l launch, options, reports int) []string {
	args := []string{"serve", "--options-fd", strconv.Itoa(options)}
	if reports >= 0 {
		args = append(args, "--report-fd", strconv.Itoa(reports))
	}
	return append(args, "--", l.Mount)
}

// becomeDaemon replaces this process by the daemon, which stays in the
// foreground and keeps the process id. It returns only if that fails.
func becomeDaemon(l launch) error {
	options, err := l.encode()
	if err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	defer w.Close()
	if _, err := w.Write(options); err != nil {
		return err
	}
	w.Close()
	keepNothingOpen()
	fd, err := unix.FcntlInt(r.Fd(), unix.F_DUPFD, 3) // without close-on-exec
	if err != nil {
		return err
	}
	if l.Log != "" {
		log, err := openLog(l.Log)
		if err != nil {
			return err
		}
		if err := unix.Dup2(int(log.Fd()), 2); err != nil {
			return err
		}
	}
	exe := executable()
	argv := append([]string{exe}, serveArgs(l, fd, -1)...)
	return fmt.Errorf("start %s: %w", exe, syscall.Exec(exe, argv, l.environ()))
}

// executable is this program, even if its file has been replaced meanwhile.
func executable() string {
	exe, err := os.Executable()
	if err == nil {
		_, err = os.Stat(exe)
	}
	if err != nil {
		return "/proc/self/exe"
	}
	return exe
}

// readReports passes notes on until the mount is ready or has failed. io.EOF
// means that the daemon ended without a word.
func readReports(r io.Reader, note func(string)) (ready string, err error) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		var rep report
		if err := json.Unmarshal(lines.Bytes(), &rep); err != nil {
			return "", fmt.Errorf("report of the daemon: %w", err)
		}
		switch {
		case rep.Error != "":
			return "", coded(kindOf(rep.Code), rep.Error)
		case rep.Ready != "":
			return rep.Ready, nil
		case rep.Note != "":
			note(rep.Note)
		}
	}
	if err := lines.Err(); err != nil {
		return "", err
	}
	return "", io.EOF
}

// A reporter is the daemon's end: over the pipe to the process that waits, or
// to standard error in the foreground.
type reporter struct{ pipe *os.File }

func (r *reporter) send(rep report) {
	if r.pipe == nil {
		if s := rep.Note + rep.Ready; s != "" {
			fmt.Fprintln(os.Stderr, "hubfs: "+s)
		}
		return
	}
	b, _ := json.Marshal(rep) // strings and an int
	r.pipe.Write(append(b, '\n'))
}

func (r *reporter) note(s string) { r.send(report{Note: s}) }

// ready is the last report; whoever waits goes on.
func (r *reporter) ready(s string) {
	r.send(report{Ready: s})
	r.close()
}

func (r *reporter) failed(err error) {
	r.send(report{Error: message(err), Code: exitCode(err)})
	r.close()
}

func (r *reporter) close() {
	if r.pipe != nil {
		r.pipe.Close()
	}
}

// logEnd is the last line that the log got since start and that keep wants, as
// the end of a sentence.
func logEnd(path string, start int64, keep func(string) bool) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	const most = 8 << 10
	if fi, err := f.Stat(); err == nil {
		start = max(start, fi.Size()-most)
	}
	b, err := io.ReadAll(io.NewSectionReader(f, start, most))
	if err != nil {
		return ""
	}
	for _, line := range slices.Backward(strings.Split(strings.TrimSpace(string(b)), "\n")) {
		if line != "" && keep(line) {
			return ": " + line
		}
	}
	return ""
}
