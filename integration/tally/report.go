package main

import (
	"fmt"
	"io"
)

// report lists what was proved, skipped and what failed, then the closing line.
func report(w io.Writer, r result) {
	fmt.Fprintln(w)
	for _, s := range r.proofs {
		fmt.Fprintln(w, "proof:", s)
	}
	for _, s := range r.skips {
		fmt.Fprintln(w, "skipped:", s)
	}
	for _, s := range r.failures {
		fmt.Fprintln(w, "failed:", s)
	}
	if r.passed+r.failed+r.skipped == 0 {
		fmt.Fprintln(w, "failed: no test ran")
	}
	fmt.Fprintf(w, "%d passed, %d failed, %d skipped\n", r.passed, r.failed, r.skipped)
}
