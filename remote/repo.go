package remote

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// A RepoType is one of the three kinds of repo the Hub keeps in Git.
type RepoType string

// The repo types, as the Hub spells them in API bodies.
const (
	Model   RepoType = "model"
	Dataset RepoType = "dataset"
	Space   RepoType = "space"
)

// Valid reports whether t is one of the three known types.
func (t RepoType) Valid() bool { return t == Model || t == Dataset || t == Space }

// Plural is the type's segment in API paths and in Repo.String: "models",
// "datasets" or "spaces".
func (t RepoType) Plural() string { return string(t) + "s" }

// webPrefix goes before the id in web and resolve URLs: nothing for models.
func (t RepoType) webPrefix() string {
	if t == Model {
		return ""
	}
	return t.Plural() + "/"
}

// DefaultBranch is the branch meant by an empty Repo.Rev.
const DefaultBranch = "main"

// A Repo names a repo at a revision. It is a comparable value; the zero Rev
// means the default branch.
type Repo struct {
	Type RepoType
	ID   string // "org/name", or one word for the oldest repos
	Rev  string // branch, tag, commit or "refs/pr/3"; not percent-encoded
}

// Path is the repo without its revision: "org/name", "datasets/org/name".
// A model whose namespace could be taken for a type or a host is written
// "models/…".
func (r Repo) Path() string {
	if r.Type != Model && r.Type != "" {
		return r.Type.Plural() + "/" + r.ID
	}
	first, _, _ := strings.Cut(r.ID, "/")
	if _, taken := typeWords[first]; taken || publicHosts[strings.ToLower(first)] {
		return "models/" + r.ID
	}
	return r.ID
}

// String is Path with "@rev" when Rev is set. ParseRepo reads it back.
func (r Repo) String() string {
	if r.Rev == "" {
		return r.Path()
	}
	rev := r.Rev
	if specialRef.FindString(rev) != rev {
		rev = revEscaper.Replace(rev)
	}
	return r.Path() + "@" + rev
}

var revEscaper = strings.NewReplacer("%", "%25", "/", "%2F")

// Branch is the revision to send: Rev, or the default branch.
func (r Repo) Branch() string {
	if r.Rev == "" {
		return DefaultBranch
	}
	return r.Rev
}

// Namespace is the user or organization of the id, "" for a one-word id.
func (r Repo) Namespace() string {
	ns, _, ok := strings.Cut(r.ID, "/")
	if !ok {
		return ""
	}
	return ns
}

// api is the path of the repo's API below the endpoint, without a slash at
// the end. The id was validated, so it needs no escaping.
func (r Repo) api() string { return "/api/" + r.Type.Plural() + "/" + r.ID }

// apiRev is api()+"/verb/rev": a revision is always one escaped segment.
func (r Repo) apiRev(verb, rev string) string {
	return r.api() + "/" + verb + "/" + escapeSegment(rev)
}

// check refuses a Repo that was not made by ParseRepo and would end up in a
// URL as something else.
func (r Repo) check() error {
	switch {
	case !r.Type.Valid():
		return &ParseError{Input: r.ID, Reason: "unknown repo type " + quote(string(r.Type))}
	case !ValidID(r.ID):
		return &ParseError{Input: r.ID, Reason: "not a valid repo id"}
	case r.Rev != "" && !ValidRev(r.Rev):
		return &ParseError{Input: r.Rev, Reason: "not a valid revision"}
	}
	return nil
}

const maxNameLen = 96 // per part of an id, as huggingface_hub validates it

// ValidName reports whether part can be a namespace or a repo name: 1 to 96 of
// [A-Za-z0-9_.-], not beginning or ending with '-' or '.', without "--" and
// ".." and not ending in ".git".
func ValidName(part string) bool {
	if part == "" || len(part) > maxNameLen {
		return false
	}
	for i := range len(part) {
		c := part[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_':
		case c == '-' || c == '.':
			if i == 0 || i == len(part)-1 || part[i-1] == c {
				return false
			}
		default:
			return false
		}
	}
	return !strings.HasSuffix(part, ".git")
}

// ValidID reports whether id is "namespace/name" or a one-word id.
func ValidID(id string) bool {
	ns, name, ok := strings.Cut(id, "/")
	if !ok {
		return ValidName(id)
	}
	return ValidName(ns) && ValidName(name)
}

const maxRevLen = 255

// ValidRev reports whether rev can be the name of a branch, tag, other ref or
// commit: what git check-ref-format allows, so that no revision can smuggle a
// path or a header into a request.
func ValidRev(rev string) bool {
	if rev == "" || len(rev) > maxRevLen || rev == "@" || rev[0] == '-' || !utf8.ValidString(rev) {
		return false
	}
	for _, bad := range []string{"..", "@{", "//"} {
		if strings.Contains(rev, bad) {
			return false
		}
	}
	for i := range len(rev) {
		if rev[i] <= ' ' || rev[i] == 0x7f || strings.IndexByte(`~^:?*[\`, rev[i]) >= 0 {
			return false
		}
	}
	for part := range strings.SplitSeq(rev, "/") {
		if part == "" || part[0] == '.' || strings.HasSuffix(part, ".") || strings.HasSuffix(part, ".lock") {
			return false
		}
	}
	return true
}

var commitPattern = regexp.MustCompile(`^(?:[0-9a-f]{40}|[0-9a-f]{64})$`)

// IsCommit reports whether rev is a full commit id: 40 lower-case hex digits,
// or 64 where a server keeps SHA-256 repos.
func IsCommit(rev string) bool { return commitPattern.MatchString(rev) }

const (
	maxPathLen = 4096 // PATH_MAX of Linux
	maxPartLen = 255  // NAME_MAX of Linux
)

// ValidPath reports whether p can be the path of an entry: parts joined by
// single slashes, none of them "." or "..", each at most 255 bytes, 4096 in
// all, valid UTF-8 without NUL. The root "" is not an entry.
func ValidPath(p string) bool {
	if p == "" || len(p) > maxPathLen || !utf8.ValidString(p) || strings.IndexByte(p, 0) >= 0 {
		return false
	}
	for part := range strings.SplitSeq(p, "/") {
		if part == "" || part == "." || part == ".." || len(part) > maxPartLen {
			return false
		}
	}
	return true
}
