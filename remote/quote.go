package remote

import "strconv"

// quote shows a string that somebody else chose: control characters escaped.
func quote(s string) string { return strconv.Quote(s) }
