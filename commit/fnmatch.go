package commit

import (
	"fmt"
	"regexp"
	"strings"
)

// A filter chooses paths as huggingface_hub's filter_repo_objects does.
type filter struct {
	allow   []*regexp.Regexp // nil = all
	ignore  []*regexp.Regexp
	allowed bool // there is an allow list, be it empty
	texts   []string
}

func newFilter(allow, ignore []string) (*filter, error) {
	f := &filter{allowed: allow != nil, texts: ignore}
	for _, l := range []struct {
		patterns []string
		to       *[]*regexp.Regexp
	}{{allow, &f.allow}, {ignore, &f.ignore}} {
		for _, p := range l.patterns {
			re, err := regexp.Compile(translate(p))
			if err != nil {
				return nil, fmt.Errorf("pattern %q: %w", p, err)
			}
			*l.to = append(*l.to, re)
		}
	}
	return f, nil
}

// all reports whether everything gets through.
func (f *filter) all() bool { return !f.allowed && len(f.ignore) == 0 }

// reason is why a path is left out, "" if it is not.
func (f *filter) reason(p string) string {
	p = strings.ReplaceAll(p, `\`, "/")
	if f.allowed && !matches(f.allow, p) {
		return "no pattern of what to commit matches it"
	}
	for i, re := range f.ignore {
		if re.MatchString(p) {
			return "the pattern " + f.texts[i] + " leaves it out"
		}
	}
	return ""
}

func matches(res []*regexp.Regexp, p string) bool {
	for _, re := range res {
		if re.MatchString(p) {
			return true
		}
	}
	return false
}

// translate makes a regular expression of a pattern as Python's fnmatch has
// them: "*" is anything, "/" too, "?" one character, "[seq]" and "[!seq]" one
// of, or not of, some. A pattern that ends in "/" means all below.
func translate(pattern string) string {
	pattern = strings.ReplaceAll(pattern, `\`, "/")
	if strings.HasSuffix(pattern, "/") {
		pattern += "*"
	}
	var b strings.Builder
	b.WriteString(`(?s)\A`)
	p := []rune(pattern)
	for i := 0; i < len(p); {
		c := p[i]
		i++
		switch c {
		case '*':
			b.WriteString(".*")
		case '?':
			b.WriteByte('.')
		case '[':
			j := i
			if j < len(p) && p[j] == '!' {
				j++
			}
			if j < len(p) && p[j] == ']' {
				j++
			}
			for j < len(p) && p[j] != ']' {
				j++
			}
			if j >= len(p) {
				b.WriteString(`\[`) // it is closed nowhere: itself
				continue
			}
			b.WriteString(oneOf(p[i:j]))
			i = j + 1
		default:
			b.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	b.WriteString(`\z`)
	return b.String()
}

// oneOf is the class between brackets. A range from a larger to a smaller
// character has nothing in it, in Python as here.
func oneOf(seq []rune) string {
	not := len(seq) > 0 && seq[0] == '!'
	if not {
		seq = seq[1:]
	}
	type span struct{ lo, hi rune }
	var spans []span
	for _, part := range chunks(seq) {
		if len(part) == 1 {
			spans = append(spans, span{part[0], part[0]})
		} else if part[0] <= part[1] {
			spans = append(spans, span{part[0], part[1]})
		}
	}
	switch {
	case len(spans) == 0 && not:
		return "."
	case len(spans) == 0:
		return `[^\x00-\x{10FFFF}]` // never
	}
	var b strings.Builder
	b.WriteByte('[')
	if not {
		b.WriteByte('^')
	}
	for _, s := range spans {
		fmt.Fprintf(&b, `\x{%X}-\x{%X}`, s.lo, s.hi)
	}
	b.WriteByte(']')
	return b.String()
}

// chunks cuts a class into single characters and ranges, as Python does: a
// hyphen is one where no range can be, at the beginning and the end and right
// after a range.
func chunks(seq []rune) (parts [][]rune) {
	for i := 0; i < len(seq); {
		if i+2 < len(seq) && seq[i+1] == '-' {
			parts = append(parts, []rune{seq[i], seq[i+2]})
			i += 3
			continue
		}
		parts = append(parts, seq[i:i+1])
		i++
	}
	return parts
}
