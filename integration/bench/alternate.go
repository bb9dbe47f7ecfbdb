package main

import (
	"fmt"
	"os"
	"slices"
)

// A run is one measurement.
type run struct {
	seconds float64
	bytes   int64 // or names, or whatever the workload counts
	traffic
	cpu   float64 // seconds of the daemon
	write float64 // seconds in write(2)
	peak  int64   // bytes of memory of the daemon
	close float64 // seconds, the 99th percentile of close(2)
}

// An arm is one way to do the same work.
type arm struct {
	name string
	run  func() (run, error)
}

type results map[string][]run

// alternate runs the arms A B C, A B C, …, so that what slows the machine for a
// while slows a whole pair.
func (s *setup) alternate(arms []arm) (results, error) {
	res := results{}
	for i := range s.pairs {
		for _, a := range arms {
			if err := s.ctx.Err(); err != nil {
				return nil, err
			}
			r, err := a.run()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", a.name, err)
			}
			fmt.Fprintf(os.Stderr, "  %d/%d %-12s %8.3f s\n", i+1, s.pairs, a.name, r.seconds)
			res[a.name] = append(res[a.name], r)
		}
	}
	return res, nil
}

// median of one value of an arm's runs.
func (r results) median(name string, value func(run) float64) float64 {
	var v []float64
	for _, x := range r[name] {
		v = append(v, value(x))
	}
	return median(v)
}

func seconds(r run) float64 { return r.seconds }

// faster is the median over the pairs of how many times faster a is than b.
func (r results) faster(a, b string) float64 { return r.ratio(a, b, seconds) }

// ratio is the median over the pairs of b's value to a's.
func (r results) ratio(a, b string, value func(run) float64) float64 {
	var v []float64
	for i := range min(len(r[a]), len(r[b])) {
		v = append(v, value(r[b][i])/value(r[a][i]))
	}
	return median(v)
}

// moved is how far the runs of an arm lie apart, as a share of their median.
func (r results) moved(name string) float64 {
	var v []float64
	for _, x := range r[name] {
		v = append(v, x.seconds)
	}
	if len(v) < 2 {
		return 0
	}
	return (slices.Max(v) - slices.Min(v)) / median(v)
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	n := len(v)
	return (v[(n-1)/2] + v[n/2]) / 2
}
