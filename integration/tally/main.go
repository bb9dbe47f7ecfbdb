package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// result counts finished tests, and names what a reader must look at.
type result struct {
	passed, failed, skipped int

	failures []string // "package test" or "suite: reason"
	skips    []string // "package test: reason"
	proofs   []string // what tests of many cases counted
}

func (r *result) fail(what string) {
	r.failed++
	r.failures = append(r.failures, what)
}

func (r *result) skip(what string) {
	r.skipped++
	r.skips = append(r.skips, what)
}

func (r *result) add(o result) {
	r.passed += o.passed
	r.failed += o.failed
	r.skipped += o.skipped
	r.failures = append(r.failures, o.failures...)
	r.skips = append(r.skips, o.skips...)
	r.proofs = append(r.proofs, o.proofs...)
}

// ok tells whether the run as a whole passed. A run without a test proves nothing.
func (r *result) ok() bool { return r.failed == 0 && r.passed > 0 }

type list []string

func (l *list) String() string     { return fmt.Sprint(*l) }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

func main() {
	var (
		suites list
		python = flag.String("python", "python3", "interpreter that has pytest and the clients")
		marker = flag.String("m", "", "pytest's marker expression")
		limit  = flag.Duration("limit", 20*time.Minute, "longest time for one pytest suite")
	)
	flag.Var(&suites, "pytest", "a folder of pytest tests; may be repeated")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: tally [flags] [-- ARGUMENTS OF go test]")
		flag.PrintDefaults()
	}
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	var total result
	if flag.NArg() > 0 {
		total.add(goTest(ctx, os.Stdout, flag.Args()))
	}
	for _, dir := range suites {
		total.add(pytest(ctx, *python, dir, *marker, *limit))
	}
	report(os.Stdout, total)
	if !total.ok() || ctx.Err() != nil {
		os.Exit(1)
	}
}
