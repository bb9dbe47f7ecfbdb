package hubtest

import (
	"errors"
	"net/http"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
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
	if _, err := orType(in.RepoType); err != nil {
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

// checkCard judges a README's metadata block: it must end, be YAML, be a
// mapping, and hold what the Hub understands in the fields that it reads.
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
	var fields map[string]any
	if err := yaml.Unmarshal([]byte(block), &fields); err != nil {
		var shape *yaml.TypeError
		if errors.As(err, &shape) && !strings.Contains(block, ":") {
			return []string{"Metadata must be an object"}, nil
		}
		return []string{"YAML: " + strings.TrimPrefix(err.Error(), "yaml: ")}, nil
	}
	if len(fields) == 0 {
		return nil, []string{"empty or missing yaml metadata in repo card"}
	}
	return checkFields(fields), nil
}

var (
	cardLicence  = regexp.MustCompile(`^[a-z0-9][a-z0-9.+-]*$`)
	cardPipeline = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
)

// checkFields holds the fields that have a rule to it.
func checkFields(fields map[string]any) (errs []string) {
	for _, v := range many(fields["license"]) {
		if s, ok := v.(string); !ok || !cardLicence.MatchString(s) {
			errs = append(errs, "\"license\" must be one of the known licenses")
		}
	}
	for _, key := range []string{"tags", "datasets", "language"} {
		for _, v := range many(fields[key]) {
			if _, ok := v.(string); !ok {
				errs = append(errs, "\""+key+"\" must be a string or a list of strings")
				break
			}
		}
	}
	if v, ok := fields["pipeline_tag"]; ok {
		if s, is := v.(string); !is || !cardPipeline.MatchString(s) {
			errs = append(errs, "\"pipeline_tag\" must be a string")
		}
	}
	if v, ok := fields["model-index"]; ok {
		if _, is := v.([]any); !is {
			errs = append(errs, "\"model-index\" must be an array")
		}
	}
	return errs
}

// many is a field that may hold one value or a list of them.
func many(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{v}
}
