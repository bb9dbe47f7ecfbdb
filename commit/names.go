package commit

import (
	"io/fs"
	"strings"
	"syscall"
	"unicode/utf8"
)

const (
	maxName = 255  // bytes, NAME_MAX of Linux
	maxPath = 4096 // bytes, PATH_MAX; also what the Hub's trees may have
)

// checkName refuses names that could never be committed, nor kept in the
// journal.
func checkName(dir, name string) error {
	var errno syscall.Errno
	switch {
	case name == "", name == ".", name == "..", strings.ContainsAny(name, "/\x00"):
		errno = syscall.EINVAL
	case len(name) > maxName, len(dir)+1+len(name) > maxPath:
		errno = syscall.ENAMETOOLONG
	case !utf8.ValidString(name):
		errno = syscall.EILSEQ
	default:
		return nil
	}
	return &fs.PathError{Op: "create", Path: join(dir, name), Err: errno}
}

// leftOut says why a path is staged but no part of a commit; "" if it is.
// huggingface_hub never uploads these, and the Hub refuses ".git".
func leftOut(p string) string {
	if len(p) > maxPath {
		return "the path is too long"
	}
	if strings.Contains(p, `\`) {
		return "the Hub takes no backslash in a path"
	}
	last := ""
	for part := range strings.SplitSeq(p, "/") {
		switch {
		case strings.EqualFold(part, ".git"): // Git refuses all spellings
			return ".git is never committed"
		case part == "huggingface" && last == ".cache":
			return ".cache/huggingface is never committed"
		}
		last = part
	}
	return ""
}
