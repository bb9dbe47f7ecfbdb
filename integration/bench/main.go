package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

// A setup is what every workload is given.
type setup struct {
	ctx    context.Context
	binary string // hubfs
	python string // with huggingface_hub; "" is none
	dir    string // scratch, on the disk that is measured
	pairs  int
	full   bool // the workloads' own sizes; else about a tenth
	out    *table
}

// size is full bytes, or small for a run of minutes.
func (s *setup) size(full, small int64) int64 {
	if s.full {
		return full
	}
	return small
}

var workloads = []struct {
	id       string
	profiles []string // measured by default
	run      func(*setup, profile) error
}{
	{"B1", []string{"U", "S1"}, coldRead},
	{"B2", []string{"U"}, warmRead},
	{"B8", []string{"L"}, listing},
	{"B11", []string{"S1"}, save},
	{"B12", []string{"U"}, small},
}

func main() {
	if len(os.Args) > 1 {
		if f, ok := children[os.Args[1]]; ok {
			if err := f(os.Args[2:]); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			return
		}
	}
	var (
		ids     = flag.String("id", "", "workloads, as B1,B8 (all)")
		profs   = flag.String("profile", "", "profiles, as U,S1 (each workload's own)")
		s       = setup{out: &table{}}
		keep    = flag.Bool("keep", false, "keep the scratch folder")
		scratch = flag.String("dir", "", "where to put it (the folder of temporary files)")
	)
	flag.IntVar(&s.pairs, "pairs", 5, "alternating runs of each arm")
	flag.BoolVar(&s.full, "full", false, "the workloads' full sizes: 4 GiB, 100,000 files, 3 GiB")
	flag.StringVar(&s.binary, "hubfs", envOr("HUBFS_BIN", "bin/hubfs"), "the command to measure")
	flag.StringVar(&s.python, "python", "", "interpreter with huggingface_hub, to compare uploads with")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	s.ctx = ctx
	err := benchmark(&s, split(*ids), split(*profs), *scratch, *keep)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func benchmark(s *setup, ids, profs []string, scratch string, keep bool) (err error) {
	if s.binary, err = absolute(s.binary); err != nil {
		return err
	}
	if s.dir, err = os.MkdirTemp(scratch, "hubfs-bench-"); err != nil {
		return err
	}
	if !keep {
		defer os.RemoveAll(s.dir)
	}
	fmt.Println(machine(s.dir))
	ran := false
	for _, w := range workloads {
		if len(ids) > 0 && !slices.Contains(ids, w.id) {
			continue
		}
		use := w.profiles
		if len(profs) > 0 {
			use = profs
		}
		for _, name := range use {
			p, ok := profiles[name]
			if !ok {
				return fmt.Errorf("no profile %q", name)
			}
			ran = true
			fmt.Fprintf(os.Stderr, "%s %s: %s\n", w.id, name, p)
			if err := w.run(s, p); err != nil {
				return fmt.Errorf("%s %s: %w", w.id, name, err)
			}
		}
	}
	if !ran {
		return fmt.Errorf("no workload is called %s", strings.Join(ids, ", "))
	}
	s.out.print(os.Stdout)
	return nil
}

func split(s string) []string {
	return strings.FieldsFunc(strings.ToUpper(s), func(r rune) bool { return r == ',' || r == ' ' })
}

func envOr(name, other string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return other
}
