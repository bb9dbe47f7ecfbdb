package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"text/tabwriter"

	"golang.org/x/sys/unix"
)

// maxMoved is how far the control may move before ratios mean nothing.
const maxMoved = 0.15

// A table gathers the rows of all workloads.
type table struct {
	rows  [][]string
	goals [][]string
	notes []string
}

var columns = []string{"id", "profile", "arm", "work", "median s", "rate", "requests", "wire MB", "cpu s/GB", "peak MiB", "times as fast as"}

// row adds one arm's line. per turns the work into the unit of the rate column.
func (t *table) row(id string, p profile, res results, name, work string, unit string, per float64, against ...string) {
	runs := res[name]
	if len(runs) == 0 {
		return
	}
	sec := res.median(name, seconds)
	rate := "-"
	if sec > 0 && unit != "" {
		rate = fmt.Sprintf("%.3g %s", float64(runs[0].bytes)/per/sec, unit)
	}
	var ratios []string
	for _, b := range against {
		if b != name && len(res[b]) > 0 {
			ratios = append(ratios, fmt.Sprintf("%s %.2f", b, res.faster(name, b)))
		}
	}
	gb := float64(runs[0].bytes) / 1e9
	t.rows = append(t.rows, []string{
		id, p.name, name, work, fmt.Sprintf("%.3f", sec), rate,
		number(res.median(name, func(r run) float64 { return float64(r.requests) }), "%.0f"),
		number(res.median(name, func(r run) float64 { return float64(r.traffic.bytes) / 1e6 }), "%.1f"),
		number(res.median(name, func(r run) float64 { return r.cpu })/gb, "%.2f"),
		number(res.median(name, func(r run) float64 { return float64(r.peak) / (1 << 20) }), "%.0f"),
		strings.Join(ratios, ", "),
	})
}

// atLeast adds a goal, the value that was reached, and the verdict.
func (t *table) atLeast(id string, p profile, what string, got, want float64, unit string) {
	t.goal(id, p, what, "≥ ", got, want, unit, got >= want)
}

// atMost is atLeast for what should be small.
func (t *table) atMost(id string, p profile, what string, got, want float64, unit string) {
	t.goal(id, p, what, "≤ ", got, want, unit, got <= want)
}

func (t *table) goal(id string, p profile, what, sign string, got, want float64, unit string, ok bool) {
	verdict := "reached"
	if !ok {
		verdict = "MISSED"
	}
	t.goals = append(t.goals, []string{id, p.name, what, sign + strings.TrimSpace(fmt.Sprintf("%.4g %s", want, unit)),
		strings.TrimSpace(fmt.Sprintf("%.3g %s", got, unit)), verdict})
}

// note adds a remark below the table.
func (t *table) note(id string, p profile, format string, args ...any) {
	t.notes = append(t.notes, id+" "+p.name+": "+fmt.Sprintf(format, args...))
}

// control says that ratios are refused when the control arm moved too far.
func (t *table) control(id string, p profile, res results, name string) {
	if m := res.moved(name); m > maxMoved {
		t.note(id, p, "REFUSED: the control (%s) moved by %.0f %%, more than %.0f %%: run it on a quiet machine", name, m*100, maxMoved*100)
	}
}

// number leaves out what was not measured.
func number(v float64, format string) string {
	if v != v || v == 0 {
		return "-"
	}
	return fmt.Sprintf(format, v)
}

func (t *table) print(w io.Writer) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, strings.Join(columns, "\t"))
	for _, r := range t.rows {
		fmt.Fprintln(tw, strings.Join(r, "\t"))
	}
	_ = tw.Flush()
	if len(t.goals) > 0 {
		fmt.Fprintln(tw, "\nid\tprofile\twhat\tgoal\tgot\t")
		for _, g := range t.goals {
			fmt.Fprintln(tw, strings.Join(g, "\t"))
		}
		_ = tw.Flush()
	}
	for _, n := range t.notes {
		fmt.Fprintln(w, n)
	}
}

// machine describes what the figures were taken on.
func machine(dir string) string {
	model := "unknown processor"
	b, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(b)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			model = strings.TrimSpace(value)
			break
		}
	}
	var (
		si unix.Sysinfo_t
		u  unix.Utsname
		st unix.Statfs_t
	)
	_, _, _ = unix.Sysinfo(&si), unix.Uname(&u), unix.Statfs(dir, &st)
	kernel := unix.ByteSliceToString(u.Release[:])
	fs := map[int64]string{unix.EXT4_SUPER_MAGIC: "ext4", unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs",
		unix.TMPFS_MAGIC: "tmpfs", unix.OVERLAYFS_SUPER_MAGIC: "overlay"}[int64(st.Type)]
	return fmt.Sprintf("%s, %d cores, %d GiB, Linux %s, scratch on %s, %s; times vary, compare ratios only",
		model, runtime.NumCPU(), (uint64(si.Totalram)*uint64(si.Unit)+1<<29)>>30, kernel, fs, runtime.Version())
}

func absolute(path string) (string, error) {
	if _, err := os.Stat(path); err != nil {
		return "", err
	}
	return filepath.Abs(path)
}
