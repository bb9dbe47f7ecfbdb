package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/hubfs/hubfs/commit"
	hubfs "github.com/hubfs/hubfs/fs"
)

// mostSides is how many paths of a conflict are told; --json has them all.
const mostSides = 10

// A way on after a conflict: a command that can be typed, and what it does.
type way struct{ command, what string }

// conflictText says what both sides did and how to go on, in commands that can
// be typed as they are printed; asked are the options of the command.
func conflictText(mnt string, e hubfs.SyncEvent, asked hubfs.CommitOptions) string {
	root := filepath.Join(mnt, e.Place)
	force, pull := conflictFlags(asked)
	ways := []way{{"hubfs sync " + force + typed(root), "yours, over theirs"}}
	subdir := strings.Trim(e.Subdir, "/")
	shownAs := func(p string) (string, bool) {
		if subdir == "" {
			return filepath.Join(root, p), true
		}
		rel, ok := strings.CutPrefix(p, subdir+"/")
		return filepath.Join(root, rel), ok
	}
	for i, p := range e.Paths {
		at, ok := shownAs(p)
		switch {
		case i == mostSides:
			ways = append(ways, way{"hubfs diff " + typed(root), "and so on for the others"})
		case i < mostSides && ok:
			ways = append(ways, way{"hubfs discard " + typed(at), discards(e.Branch)})
		}
	}
	ways = append(ways, way{"hubfs sync " + pull + typed(root), "both: yours becomes a pull request"})
	text := waysOn(e.Sides, ways)
	if e.Place != "" && e.Head != "" && len(e.Paths) > 0 {
		place, _, _ := strings.Cut(e.Place, "@")
		text += "\nTheirs can be looked at in " + typed(filepath.Join(mnt, place+"@"+e.Head))
	}
	return text
}

// waysOn says what both sides of a conflict did, and the ways to end it.
func waysOn(sides []commit.Side, ways []way) string {
	return sidesText(sides) + "Both versions are kept: yours stays staged, theirs is on the Hub. The ways on:\n" + waysText(ways)
}

// sidesText is a line for each path of a conflict.
func sidesText(sides []commit.Side) string {
	var b strings.Builder
	for i, s := range sides {
		if i == mostSides {
			fmt.Fprintf(&b, "  and %s\n", plural(len(sides)-i, "more path", "more paths"))
			break
		}
		fmt.Fprintf(&b, "  %s: %s here, %s on the Hub%s\n", shown(s.Path), did(s.Ours, s.OurSize), did(s.Theirs, s.TheirSize), whose(s))
	}
	return b.String()
}

func waysText(ways []way) string {
	const most = 60 // a long path must not push all explanations out of sight
	width := 0
	for _, w := range ways {
		width = max(width, min(len(w.command), most))
	}
	var lines []string
	for _, w := range ways {
		lines = append(lines, fmt.Sprintf("  %-*s  # %s", width, w.command, w.what))
	}
	return strings.Join(lines, "\n")
}

func did(what string, size int64) string {
	bytes := sized(size)
	switch what {
	case "add":
		return "added (" + bytes + ")"
	case "change":
		return "changed (" + bytes + ")"
	case "delete":
		return "deleted"
	case "mkdir":
		return "made a directory"
	case "":
		return "something"
	}
	return what
}

// whose is who did the other side, as far as the Hub says.
func whose(s commit.Side) string {
	text := ""
	if s.TheirAuthor != "" {
		text += " by " + shown(s.TheirAuthor)
	}
	if s.TheirTitle != "" {
		text += ": " + shown(s.TheirTitle)
	}
	if text != "" && s.TheirCommit != "" {
		text += " (" + short(s.TheirCommit) + ")"
	}
	return text
}
