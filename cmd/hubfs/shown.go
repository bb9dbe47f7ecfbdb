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
