package hubtest

import (
	"regexp"
	"strings"
)

var idPart = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,96}$`)

// validID holds ids to the Hub's rule: ns/name, each of ASCII letters,
// digits, "-", "_" and ".".
func validID(id string) error {
	ns, name, ok := strings.Cut(id, "/")
	if !ok || strings.Contains(name, "/") {
		return badRequest("Invalid repo name: " + id + " - it must be of the form namespace/name")
	}
	for _, p := range []string{ns, name} {
		if !idPart.MatchString(p) || strings.ContainsAny(p[:1]+p[len(p)-1:], "-.") ||
			strings.Contains(p, "--") || strings.Contains(p, "..") || strings.HasSuffix(p, ".git") {
			return badRequest("Invalid repo name: " + p + " - repo name must use alphanumeric chars, '-', '_' or '.', and cannot start or end with '-' or '.', nor contain '--' or '..', nor end with '.git'; maximum length is 96")
		}
	}
	return nil
}

// validPath refuses what git and the Hub cannot hold as a file's path.
func validPath(p string) error {
	bad := p == "" || len(p) > 4096 || strings.ContainsAny(p, "\\\x00")
	for part := range strings.SplitSeq(p, "/") {
		bad = bad || part == "" || part == "." || part == ".." || len(part) > 255 || strings.EqualFold(part, ".git")
	}
	if bad {
		return unprocessable("Invalid path: " + p)
	}
	return nil
}

var refPart = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.+@=-]*(/[A-Za-z0-9_.+@=-]+)*$`)

// validRef holds branch and tag names to git's rule, and to what is not
// reserved.
func validRef(name string) error {
	if !refPart.MatchString(name) || len(name) > 200 || strings.Contains(name, "..") ||
		strings.HasSuffix(name, ".lock") || strings.HasSuffix(name, ".") ||
		strings.HasPrefix(name, "refs/") || isHex(name, 40) {
		return badRequest("Invalid reference name: " + name)
	}
	return nil
}
