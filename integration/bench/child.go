package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// children are the parts that run in processes of their own.
var children = map[string]func(args []string) error{
	"read":   readChild,
	"touch":  touchChild,
	"stat":   statChild,
	"ranges": rangesChild,
	"puts":   putsChild,
}

// child runs one of them and reads what it measured.
func (s *setup) child(args ...string) (run, error) {
	exe, err := os.Executable()
	if err != nil {
		return run{}, err
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(s.ctx, exe, args...)
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := cmd.Run(); err != nil {
		return run{}, fmt.Errorf("%s: %w", args[0], err)
	}
	var r run
	_, err = fmt.Sscan(out.String(), &r.seconds, &r.bytes)
	return r, err
}

// say hands a measurement to the parent.
func say(took time.Duration, n int64) error {
	_, err := fmt.Println(took.Seconds(), n)
	return err
}

// readChild reads FILE from start to end by 1 MiB.
func readChild(args []string) error {
	start := time.Now()
	f, err := os.Open(args[0])
	if err != nil {
		return err
	}
	defer f.Close()
	n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{f}, make([]byte, 1<<20))
	if err != nil {
		return err
	}
	return say(time.Since(start), n)
}

// touchChild maps BYTES of memory populated and exits: pages that the host gave
// to nobody yet are slow at their first touch.
func touchChild(args []string) error {
	n, err := strconv.ParseInt(args[0], 10, 64)
	if err != nil {
		return err
	}
	start := time.Now()
	b, err := unix.Mmap(-1, 0, int(n), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_POPULATE)
	if err != nil {
		return err
	}
	if err := unix.Munmap(b); err != nil {
		return err
	}
	return say(time.Since(start), n)
}

// touch makes n bytes of free memory fast, or most of what is free.
func (s *setup) touch(n int64) error {
	var si unix.Sysinfo_t
	if err := unix.Sysinfo(&si); err != nil {
		return err
	}
	free := int64(si.Freeram) * int64(si.Unit)
	_, err := s.child("touch", strconv.FormatInt(min(n, free*8/10), 10))
	return err
}

// statChild stats each path listed in FILE, below DIR, in random order; SUFFIX
// is put behind each name to ask for what is not there.
//
//	bench stat DIR FILE SUFFIX
func statChild(args []string) error {
	f, err := os.Open(args[1])
	if err != nil {
		return err
	}
	defer f.Close()
	var paths []string
	in := bufio.NewScanner(f)
	for in.Scan() {
		paths = append(paths, args[0]+"/"+in.Text()+args[2])
	}
	if err := in.Err(); err != nil {
		return err
	}
	rand.Shuffle(len(paths), func(i, j int) { paths[i], paths[j] = paths[j], paths[i] })
	missing := args[2] != ""
	start := time.Now()
	for _, p := range paths {
		var st unix.Stat_t
		switch err := unix.Lstat(p, &st); {
		case missing && !errors.Is(err, unix.ENOENT):
			return fmt.Errorf("%s: %v, want ENOENT", p, err)
		case !missing && err != nil:
			return fmt.Errorf("%s: %w", p, err)
		}
	}
	return say(time.Since(start), int64(len(paths)))
}
