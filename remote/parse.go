package remote

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// typeWords are the first segments that stand for a repo type. The singular
// forms and the two kinds hubfs does not mount are known too, so that they get
// an error that says so instead of being taken for a namespace.
var typeWords = map[string]RepoType{
	"models": Model, "datasets": Dataset, "spaces": Space, "kernels": "kernel", "buckets": "bucket",
	"model": "", "dataset": "", "space": "", "kernel": "", "bucket": "",
}

// publicHosts serve the web pages of public Hubs.
var publicHosts = map[string]bool{"huggingface.co": true, "hf.co": true, "hub-ci.huggingface.co": true}

// aliases are the hosts of the public Hub: either stands for the other.
var aliases = map[string]bool{"huggingface.co": true, "hf.co": true}

// webRoutes are the web pages that show a file or folder at a revision.
var webRoutes = map[string]bool{"blob": true, "raw": true, "resolve": true, "tree": true, "blame": true}

// specialRef matches the only revisions with a slash that need no %2F.
var specialRef = regexp.MustCompile(`^refs/(?:convert/[A-Za-z0-9_.-]+|pr/[0-9]+)(?:$|/)`)

// ParseRepo reads the name of a repo, with an optional revision and folder:
//
//	org/name  org/name@v1.0  org/name@refs/pr/3/sub/folder  gpt2
//	models/org/name  datasets/org/name@main/sub  spaces/org/name
//	hf://datasets/org/name@feature%2Fx/sub
//	https://huggingface.co/datasets/org/name/tree/main/sub
//
// The grammar is that of huggingface_hub's hf:// URIs; plain names may also be
// the one-word ids of the oldest repos. An '@' is the revision's mark only
// within the first two segments. Errors are *ParseError.
//
// Web URLs of all public Hubs are taken. Where an endpoint is known, use
// Client.ParseRepo, which refuses those of another server.
func ParseRepo(s string) (repo Repo, subdir string, err error) { return parseRepo(s, nil) }

func parseRepo(s string, endpoint *url.URL) (repo Repo, subdir string, err error) {
	body, oneWord := s, true
	switch {
	case strings.HasPrefix(s, "hf://"):
		body, oneWord = strings.Trim(s[len("hf://"):], "/"), false
	case looksLikeURL(s):
		if body, err = urlBody(s, endpoint); err != nil {
			return Repo{}, "", &ParseError{Input: s, Reason: err.Error()}
		}
		oneWord = false
	default:
		body = strings.TrimRight(s, "/")
	}
	repo, subdir, err = parseBody(body, oneWord)
	if err != nil {
		return Repo{}, "", &ParseError{Input: s, Reason: err.Error()}
	}
	return repo, subdir, nil
}

func looksLikeURL(s string) bool {
	lower := strings.ToLower(s)
	if strings.HasPrefix(lower, "http://") || strings.HasPrefix(lower, "https://") {
		return true
	}
	host, _, _ := strings.Cut(lower, "/")
	return publicHosts[host]
}

// parseBody reads [TYPE/]ID[@REV][/PATH].
func parseBody(body string, oneWord bool) (repo Repo, subdir string, err error) {
	repo.Type = Model
	first, rest, more := strings.Cut(body, "/")
	if t, ok := typeWords[first]; ok {
		switch {
		case t == "":
			return repo, "", fmt.Errorf("a type is written in the plural: %ss/…", first)
		case !t.Valid():
			return repo, "", fmt.Errorf("%s cannot be mounted, only models, datasets and spaces", first)
		case !more || rest == "":
			return repo, "", fmt.Errorf("a repo is missing after %s/", first)
		}
		repo.Type, body = t, rest
	}
	at := strings.IndexByte(body, '@')
	if at >= 0 && strings.Count(body[:at], "/") <= 1 {
		repo.ID = body[:at]
		repo.Rev, subdir = splitRev(body[at+1:])
		if repo.Rev == "" {
			return repo, "", fmt.Errorf("the revision after @ is empty")
		}
		if !ValidRev(repo.Rev) {
			return repo, "", fmt.Errorf("%s is not a valid revision", quote(repo.Rev))
		}
	} else {
		parts := strings.SplitN(body, "/", 3)
		repo.ID = strings.Join(parts[:min(2, len(parts))], "/")
		if len(parts) == 3 {
			if subdir = parts[2]; subdir == "" {
				return repo, "", fmt.Errorf("empty path")
			}
		}
	}
	if !ValidID(repo.ID) {
		return repo, "", fmt.Errorf("a repo is named namespace/name: letters, digits and . _ - only, at most 96 each")
	}
	if !oneWord && repo.Namespace() == "" {
		return repo, "", fmt.Errorf("a repo is named namespace/name")
	}
	if subdir != "" && !ValidPath(subdir) {
		return repo, "", fmt.Errorf("%s is not a valid path", quote(subdir))
	}
	return repo, subdir, nil
}

// splitRev takes the revision off the front of REV[/PATH]. refs/pr/N and
// refs/convert/X are taken whole; any other slash in a revision is %2F.
func splitRev(s string) (rev, path string) {
	if m := specialRef.FindString(s); m != "" {
		return strings.TrimSuffix(m, "/"), s[len(m):]
	}
	rev, path, _ = strings.Cut(s, "/")
	if u, err := url.PathUnescape(rev); err == nil {
		rev = u
	}
	return rev, path
}

// urlBody turns the URL of a web page into what follows hf:// for the same
// place. Query and fragment are dropped. A page of another server than endpoint
// is refused: the repo of that name here is another one.
func urlBody(s string, endpoint *url.URL) (string, error) {
	if !strings.Contains(s, "://") {
		s = "https://" + s
	}
	u, err := url.Parse(s)
	if err != nil {
		return "", fmt.Errorf("not a URL")
	}
	path := u.EscapedPath()
	switch {
	case endpoint == nil && !isPublic(u):
		return "", fmt.Errorf("%s is not the Hub's host", quote(u.Host))
	case endpoint != nil && !sameHub(u, endpoint):
		return "", fmt.Errorf("a page of %s, but the Hub in use is %s", origin(u), origin(endpoint))
	case endpoint != nil:
		prefix := strings.TrimRight(endpoint.EscapedPath(), "/")
		if rest, ok := strings.CutPrefix(path, prefix+"/"); ok {
			path = rest
		}
	}
	var segs []string
	for seg := range strings.SplitSeq(path, "/") {
		if seg != "" {
			segs = append(segs, seg)
		}
	}
	prefix := ""
	if len(segs) > 0 {
		if t, ok := typeWords[segs[0]]; ok && t != "" {
			prefix, segs = segs[0]+"/", segs[1:]
		}
	}
	if len(segs) < 2 {
		return "", fmt.Errorf("not the page of a repo")
	}
	id, rest := segs[0]+"/"+segs[1], segs[2:]
	if strings.Contains(id, "@") {
		return "", fmt.Errorf("not the page of a repo")
	}
	if len(rest) > 0 && !webRoutes[rest[0]] {
		return "", fmt.Errorf("the page /%s/ shows no file or folder", rest[0])
	}
	if len(rest) < 2 {
		return prefix + id, nil
	}
	for i, seg := range rest[1:] {
		// A decoded slash belongs to its segment: it stays %2F for splitRev.
		if d, err := url.PathUnescape(seg); err == nil {
			rest[1+i] = strings.ReplaceAll(d, "/", "%2F")
		}
	}
	return prefix + id + "@" + strings.Join(rest[1:], "/"), nil
}

// isPublic reports whether u is served by a public Hub, on the usual port.
func isPublic(u *url.URL) bool {
	return publicHosts[strings.ToLower(u.Hostname())] && port(u) == port(&url.URL{Scheme: u.Scheme})
}

// sameHub reports whether u is a page of the endpoint's origin, all names of
// the public Hub being one.
func sameHub(u, endpoint *url.URL) bool {
	if sameOrigin(u, endpoint) {
		return true
	}
	if !aliases[strings.ToLower(u.Hostname())] || !aliases[strings.ToLower(endpoint.Hostname())] {
		return false
	}
	return strings.EqualFold(u.Scheme, endpoint.Scheme) && port(u) == port(endpoint)
}

// origin is the scheme, host and port of u, to be shown.
func origin(u *url.URL) string { return quote(strings.ToLower(u.Scheme + "://" + u.Host)) }
