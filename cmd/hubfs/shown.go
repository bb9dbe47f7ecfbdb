package main

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// shown is s as it may go to a terminal: names come from other people, and
// control characters in them would be obeyed.
func shown(s string) string {
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}

func allShown(names []string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = shown(n)
	}
	return strings.Join(out, ", ")
}

// typed is s as it can be typed into a shell: in quotes if need be, and what
// cannot be typed as escapes that bash, zsh and ksh read.
func typed(s string) string {
	if shown(s) == s {
		return quote(s)
	}
	q := strconv.QuoteToASCII(s)
	return "$'" + strings.ReplaceAll(q[1:len(q)-1], "'", `\'`) + "'"
}

// shownLine is a line of somebody's text for a terminal, with escapes for what would
// be obeyed.
func shownLine(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r == '\t' || unicode.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		q := strconv.QuoteRune(r)
		b.WriteString(q[1 : len(q)-1])
	}
	return b.String()
}

// shownText is shownLine for a text of lines.
func shownText(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = shownLine(l)
	}
	return strings.Join(lines, "\n")
}
