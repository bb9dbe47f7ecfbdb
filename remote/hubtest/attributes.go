package hubtest

import (
	"bytes"
	"errors"
	"io"
	"path"
	"regexp"
	"strings"
)

// attributes are the rules of a .gitattributes file that speak of LFS, in
// order; the last that matches decides.
type attributes []attribute

type attribute struct {
	match func(path string) bool
	lfs   bool
}

func parseAttributes(text string) attributes {
	var as attributes
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 2 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		for _, f := range fields[1:] {
			switch f {
			case "filter=lfs":
				as = append(as, attribute{pattern(spaces(fields[0])), true})
			case "-filter", "!filter":
				as = append(as, attribute{pattern(spaces(fields[0])), false})
			}
		}
	}
	return as
}

// spaces undoes how a pattern with spaces is written in .gitattributes.
func spaces(p string) string { return strings.ReplaceAll(p, "[[:space:]]", " ") }

func (as attributes) lfs(path string) bool {
	for i := len(as) - 1; i >= 0; i-- {
		if as[i].match(path) {
			return as[i].lfs
		}
	}
	return false
}

// pattern compiles one git pattern: without a slash it matches the last name
// of a path, with one the path from the root; ** crosses folders.
func pattern(p string) func(string) bool {
	anchored := strings.Contains(p, "/")
	p = strings.TrimPrefix(p, "/")
	var re strings.Builder
	re.WriteString("^")
	for i := 0; i < len(p); i++ {
		switch c := p[i]; {
		case strings.HasPrefix(p[i:], "**/"):
			re.WriteString("(?:.*/)?")
			i += 2
		case strings.HasPrefix(p[i:], "**"):
			re.WriteString(".*")
			i++
		case c == '*':
			re.WriteString("[^/]*")
		case c == '?':
			re.WriteString("[^/]")
		case c == '[' && strings.Contains(p[i:], "]"):
			end := i + strings.IndexByte(p[i:], ']')
			re.WriteString("[" + strings.Replace(p[i+1:end], "!", "^", 1) + "]")
			i = end
		case c == '\\' && i+1 < len(p):
			i++
			re.WriteString(regexp.QuoteMeta(p[i : i+1]))
		default:
			re.WriteString(regexp.QuoteMeta(p[i : i+1]))
		}
	}
	re.WriteString("$")
	compiled, err := regexp.Compile(re.String())
	if err != nil {
		return func(string) bool { return false }
	}
	return func(name string) bool {
		if !anchored {
			name = path.Base(name)
		}
		return compiled.MatchString(name)
	}
}

// attributes reads .gitattributes at rev; a repo without it has no rules. It
// hardly ever changes, so the repo keeps the last one parsed.
func (r *Repo) attributes(rev string) (attributes, error) {
	f, ok, err := r.regularAt(rev, ".gitattributes")
	if err != nil || !ok {
		return nil, err
	}
	if last := r.rules.Load(); last != nil && last.oid == f.OID {
		return last.as, nil
	}
	b, err := r.hub.store.regular(f)
	if err != nil {
		return nil, err
	}
	as := parseAttributes(string(b))
	r.rules.Store(&parsed{f.OID, as})
	return as, nil
}

// parsed is a .gitattributes file, named by its blob.
type parsed struct {
	oid string
	as  attributes
}

// text is a regular file at rev, "" if it or the revision is missing.
func (r *Repo) text(rev, name string) (string, error) {
	f, ok, err := r.regularAt(rev, name)
	if err != nil || !ok {
		return "", err
	}
	b, err := r.hub.store.regular(f)
	return string(b), err
}

// regularAt finds a regular file; ok is false if it or rev is missing.
func (r *Repo) regularAt(rev, name string) (f file, ok bool, err error) {
	c, err := r.resolve(r.load(), rev)
	var none *apiError
	if errors.As(err, &none) {
		return file{}, false, nil
	}
	if err != nil {
		return file{}, false, err
	}
	e, ok, err := r.hub.store.lookup(c.Tree, name)
	return e.file, ok && !e.Dir && e.LFS == "", err
}

func (s *store) regular(f file) ([]byte, error) {
	o, err := s.open(f)
	if err != nil {
		return nil, err
	}
	defer o.Close()
	return io.ReadAll(o)
}

// track adds to .gitattributes what the large files of a commit need: the
// Hub appends one line for each that no rule covers.
func (r *Repo) track(e *editor, changes []change) error {
	var text []byte
	var rules attributes
	read, added := false, false
	for _, ch := range changes {
		if ch.del || ch.file == nil || ch.file.LFS == "" {
			continue
		}
		if !read {
			if at, err := e.get(".gitattributes"); err != nil {
				return err
			} else if at != nil && !at.Dir && at.LFS == "" {
				if text, err = r.hub.store.regular(at.file); err != nil {
					return err
				}
			}
			rules, read = parseAttributes(string(text)), true
		}
		if rules.lfs(ch.path) {
			continue
		}
		if len(text) > 0 && !bytes.HasSuffix(text, []byte("\n")) {
			text = append(text, '\n')
		}
		line := strings.ReplaceAll(ch.path, " ", "[[:space:]]") + " filter=lfs diff=lfs merge=lfs -text\n"
		text = append(text, line...)
		rules, added = append(rules, parseAttributes(line)...), true
	}
	if !added {
		return nil
	}
	f, err := r.hub.store.putRegular(text)
	if err != nil {
		return err
	}
	return e.put(".gitattributes", f)
}

// initialAttributes is what a new repo's .gitattributes holds.
var initialAttributes = func() string {
	var b strings.Builder
	for _, p := range []string{
		"*.7z", "*.arrow", "*.bin", "*.bz2", "*.ckpt", "*.ftz", "*.gz", "*.h5", "*.joblib", "*.lfs.*",
		"*.mlmodel", "*.model", "*.msgpack", "*.npy", "*.npz", "*.onnx", "*.ot", "*.parquet", "*.pb",
		"*.pickle", "*.pkl", "*.pt", "*.pth", "*.rar", "*.safetensors", "saved_model/**/*", "*.tar.*",
		"*.tar", "*.tflite", "*.tgz", "*.wasm", "*.xz", "*.zip", "*.zst", "*tfevents*",
	} {
		b.WriteString(p + " filter=lfs diff=lfs merge=lfs -text\n")
	}
	return b.String()
}()
