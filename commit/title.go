package commit

import (
	"fmt"
	"strings"
	"unicode"
)

// message is the title of a commit that was given none.
func (p *plan) message() string {
	var added, changed []*item
	for _, it := range p.items {
		switch {
		case it.same:
		case it.had:
			changed = append(changed, it)
		default:
			added = append(added, it)
		}
	}
	if len(added) > 0 && len(changed) == 0 && p.moves(added) {
		if len(added) == 1 {
			return "Rename " + plain(added[0].from.Path) + " to " + plain(added[0].path)
		}
		return "Rename " + countFiles(len(added))
	}
	if len(added)+len(changed)+len(p.deletes) == 1 {
		switch {
		case len(added) == 1:
			return "Add " + plain(added[0].path)
		case len(changed) == 1:
			return "Update " + plain(changed[0].path)
		}
		return "Delete " + plain(p.deletes[0])
	}
	var parts []string
	for _, part := range []struct {
		n    int
		verb string
	}{{len(added), "add"}, {len(changed), "update"}, {len(p.deletes), "delete"}} {
		if part.n > 0 {
			parts = append(parts, part.verb+" "+countFiles(part.n))
		}
	}
	text := strings.Join(parts, ", ")
	return strings.ToUpper(text[:1]) + text[1:]
}

// moves reports whether the added items are just what is deleted, each at
// another place.
func (p *plan) moves(added []*item) bool {
	gone := make(map[string]bool, len(p.deletes))
	for _, path := range p.deletes {
		gone[path] = true
	}
	for _, it := range added {
		if it.file != nil || !gone[it.from.Path] {
			return false
		}
		delete(gone, it.from.Path)
	}
	return len(gone) == 0
}

func countFiles(n int) string {
	if n == 1 {
		return "1 file"
	}
	return fmt.Sprintf("%d files", n)
}

// plain is a path without what would break a title in lines, or show it in
// another order.
func plain(path string) string {
	return strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Bidi_Control) {
			return '?'
		}
		return r
	}, path)
}
