package hubtest

import (
	"net/http"
	"regexp"
	"strings"
)

// validateYAML is POST /api/validate-yaml, which needs no token.
func (c *call) validateYAML() error {
	var in struct {
		Content  string `json:"content"`
		RepoType string `json:"repoType"`
	}
	if err := c.read(&in); err != nil {
		return err
	}
	errs, warnings := checkCard(in.Content)
	list := func(texts []string) []map[string]string {
		out := []map[string]string{}
		for _, t := range texts {
			out = append(out, map[string]string{"message": t})
		}
		return out
	}
	status := http.StatusOK
	if len(errs) > 0 {
		status = http.StatusBadRequest
	}
	return c.json(status, map[string]any{"errors": list(errs), "warnings": list(warnings)})
}

var (
	cardLine    = regexp.MustCompile(`^(\s*#.*|\s*-(\s.*)?|\s*("[^"]*"|'[^']*'|[^\s#\-:"'][^:]*):(\s.*)?|\s+\S.*|[\]}],?)$`)
	cardLicence = regexp.MustCompile(`^[a-z0-9][a-z0-9.+-]*$`)
)

// checkCard judges a README's metadata block by the shape of its lines: the
// block must end, be indented with spaces, and be keys, items or what
// continues them.
func checkCard(text string) (errs, warnings []string) {
	text = strings.ReplaceAll(strings.TrimPrefix(text, "\ufeff"), "\r\n", "\n")
	rest, ok := strings.CutPrefix(text, "---\n")
	if !ok {
		return nil, []string{"empty or missing yaml metadata in repo card"}
	}
	block, _, ok := strings.Cut("\n"+rest, "\n---")
	if !ok {
		return []string{"Metadata block is not closed by ---"}, nil
	}
	for line := range strings.Lines(strings.TrimPrefix(block, "\n")) {
		line = strings.TrimRight(line, "\n ")
		switch {
		case line == "":
		case strings.HasPrefix(line, "\t"):
			errs = append(errs, "YAML: tab characters must not be used in indentation: "+line)
		case !cardLine.MatchString(line):
			errs = append(errs, "YAML: can not read a block mapping entry: "+line)
		default:
			v, ok := strings.CutPrefix(line, "license:")
			v = strings.Trim(v, ` "'`)
			if ok && v != "" && !strings.HasPrefix(v, "[") && !cardLicence.MatchString(v) {
				errs = append(errs, "\"license\" must be one of the known licenses")
			}
		}
	}
	return errs, nil
}
