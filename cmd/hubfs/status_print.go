package main

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/dustin/go-humanize"
	"github.com/hubfs/hubfs/commit"
)

// printStatus prints the status of one mount for people.
func printStatus(out io.Writer, m mountStatus) {
	if m.Failed != "" {
		fmt.Fprintln(out, shownText(m.Failed))
		return
	}
	what := "the whole Hub"
	if m.Repo != "" {
		what = m.Repo
	}
	who := "anonymous"
	if m.User != "" {
		who = "as " + m.User
	}
	fmt.Fprintf(out, "%s: %s of %s, %s\n", m.Mountpoint, what, m.Endpoint, who)
	fmt.Fprintf(out, "  daemon   pid %d, hubfs %s\n", m.PID, m.Version)
	if m.LogFile != "" {
		fmt.Fprintf(out, "  log      %s\n", m.LogFile)
	}
	switch {
	case m.NoCommit:
		fmt.Fprintf(out, "  commits  by hubfs sync only\n")
	case m.CommitEvery != "":
		fmt.Fprintf(out, "  commits  what is left alone for %s\n", m.CommitEvery)
	}
	cache := sized(m.Cache.Bytes)
	if m.Cache.Limit > 0 {
		cache += " of " + humanize.Bytes(uint64(m.Cache.Limit))
	}
	if m.Cache.Uncached {
		cache += ", takes nothing now: " + m.Cache.DiskError
	}
	fmt.Fprintf(out, "  cache    %s\n", cache)
	for _, w := range m.Worktrees {
		printWorktree(out, w)
	}
}

// How many paths are named at most: of what will be committed, and of what is
// left out for one reason. --json has them all.
const (
	mostStaged = 20
	mostLeft   = 5
)

func printWorktree(out io.Writer, w commit.Status) {
	head := "at " + short(w.Base)
	switch {
	case w.New:
		head = "new, created by its first commit"
	case w.Base == "":
		head = "empty"
	}
	if w.ReadOnly {
		head += ", read-only"
		if w.Reason != "" {
			head += " (" + w.Reason + ")"
		}
	}
	var staged []commit.StagedPath
	left := map[string][]string{} // by reason
	var bytes int64
	for _, s := range w.Staged {
		if s.Reason != "" {
			left[s.Reason] = append(left[s.Reason], s.Path)
			continue
		}
		staged = append(staged, s)
		bytes += s.Size
	}
	if len(staged) == 0 {
		head += ", nothing staged"
	} else {
		head += fmt.Sprintf(", %s staged, %s", plural(len(staged), "change", "changes"), sized(bytes))
	}
	if n := len(w.Staged) - len(staged); n > 0 {
		head += fmt.Sprintf(", %d left out", n)
	}
	fmt.Fprintf(out, "  %s: %s\n", repoBranch(w), head)
	for i, s := range staged {
		if i == mostStaged {
			fmt.Fprintf(out, "    and %s\n", plural(len(staged)-i, "more", "more"))
			break
		}
		fmt.Fprintf(out, "    %s\n", stagedLine(s))
	}
	for _, reason := range slices.Sorted(maps.Keys(left)) {
		paths, more := left[reason], ""
		if n := len(paths) - mostLeft; n > 0 {
			paths, more = paths[:mostLeft], fmt.Sprintf(" and %d more", n)
		}
		fmt.Fprintf(out, "    left out, %s: %s%s\n", shown(reason), allShown(paths), more)
	}
	list := func(what string, paths []string) {
		if len(paths) > 0 {
			fmt.Fprintf(out, "    %s: %s\n", what, allShown(paths))
		}
	}
	list("open for writing", w.Busy)
	list("in conflict with a newer commit", w.Conflicts)
	if w.Hidden > 0 {
		fmt.Fprintf(out, "    %s hidden because of their names\n", plural(w.Hidden, "entry is", "entries are"))
	}
	if w.Gone && len(w.Staged) > 0 {
		fmt.Fprintln(out, "    its state directory was removed: what is staged is lost when the mount ends")
	}
	if w.LastError != "" {
		fmt.Fprintf(out, "    last error: %s\n", shownText(w.LastError))
	}
}

func stagedLine(s commit.StagedPath) string {
	line := fmt.Sprintf("%-7s %s", s.Op, shown(s.Path))
	switch {
	case s.From != "":
		line += " from " + shown(s.From)
	case s.Op == "add" || s.Op == "change":
		line += " (" + sized(s.Size) + ")"
	}
	return line
}

func short(commit string) string { return commit[:min(12, len(commit))] }
