package remote

import (
	"context"
	"errors"
	"net/http"
	"strings"
)

// A CardError is a README.md whose metadata the Hub does not take.
type CardError struct {
	Problems []string // in the Hub's words
}

func (e *CardError) Error() string {
	return "the metadata of README.md is not valid: " + strings.Join(e.Problems, "; ")
}

// ValidateCard asks the Hub whether it takes the text of a README.md at the
// root of a repo: a commit with one that it does not take fails. Warnings are
// to be shown; problems are a *CardError. A server that cannot tell has no
// objection.
func (c *Client) ValidateCard(ctx context.Context, t RepoType, text string) (warnings []string, err error) {
	if !t.Valid() {
		return nil, &ParseError{Input: string(t), Reason: "unknown repo type"}
	}
	type said struct {
		Message string `json:"message"`
	}
	var out struct {
		Errors   []said `json:"errors"`
		Warnings []said `json:"warnings"`
	}
	in := map[string]string{"content": text, "repoType": string(t)}
	err = c.postJSON(ctx, "/api/validate-yaml", policy{repeat: repeatAlways, budget: c.patience()}, in, &out, maxJSON)
	words := func(list []said) (texts []string) {
		for _, s := range list {
			if s.Message != "" {
				texts = append(texts, redact(s.Message, c.token))
			}
		}
		return texts
	}
	var e *Error
	switch {
	case err == nil && len(out.Errors) > 0:
		return words(out.Warnings), &CardError{Problems: words(out.Errors)}
	case err == nil:
		return words(out.Warnings), nil
	case !errors.As(err, &e):
		return nil, err
	}
	switch e.Status {
	case http.StatusBadRequest:
		if len(e.problems) > 0 {
			return e.warnings, &CardError{Problems: e.problems}
		}
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return nil, nil
	}
	return nil, err
}
