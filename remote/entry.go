package remote

import (
	"path"
	"strings"
)

// A Blob names immutable bytes: equal IDs have equal content, forever. It is
// comparable.
type Blob struct {
	// ID is "sha256:" and 64 hex digits of the content's own SHA-256 for large
	// files (LFS and Xet), or "git:" and the 40 or 64 hex digits of the Git
	// blob id for regular ones.
	ID string
	// Xet is the file's hash on Xet storage, 64 hex digits; "" if it is not
	// there. It says where bytes may come from, not what they are.
	Xet string
}

// Prefixes of Blob.ID.
const (
	lfsPrefix = "sha256:"
	gitPrefix = "git:"
)

// LFS reports whether the content is a large file, and its SHA-256 in hex.
func (b Blob) LFS() (oid string, ok bool) { return strings.CutPrefix(b.ID, lfsPrefix) }

// Git reports whether the content is a regular file, and its Git blob id.
func (b Blob) Git() (oid string, ok bool) { return strings.CutPrefix(b.ID, gitPrefix) }

// An Entry is one file or directory of a repo at a commit.
type Entry struct {
	Path string // relative to the repo's root, clean, without a leading slash; "" is the root
	Dir  bool
	Size int64 // of the content in bytes; 0 for directories
	Blob Blob  // zero for directories
}

// Name is the last element of the path, "." for the root.
func (e Entry) Name() string { return path.Base(e.Path) }
