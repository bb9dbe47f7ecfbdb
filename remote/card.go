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
	var out remarks
	in := map[string]string{"content": text, "repoType": string(t)}
	err = c.postJSON(ctx, "/api/validate-yaml", policy{repeat: repeatAlways, budget: c.patience()}, in, &out, maxJSON)
	var e *Error
	switch {
	case err == nil:
		return out.judge(c)
	case !errors.As(err, &e):
		return nil, err
	}
	switch e.Status {
	case http.StatusBadRequest:
		if len(e.remarks.Errors) > 0 {
			return e.remarks.judge(c)
		}
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return nil, nil
	}
	return nil, err
}

// remarks are what the Hub has to say about a text.
type remarks struct {
	Errors   []remark `json:"errors"`
	Warnings []remark `json:"warnings"`
}

type remark struct {
	Message string `json:"message"`
}

func (r remarks) judge(c *Client) (warnings []string, err error) {
	words := func(list []remark) (texts []string) {
		for _, s := range list {
			if text := redact(s.Message, c.token); text != "" {
				texts = append(texts, text)
			}
		}
		return texts
	}
	if len(r.Errors) == 0 {
		return words(r.Warnings), nil
	}
	problems := words(r.Errors)
	if len(problems) == 0 {
		problems = []string{"no reason is given"}
	}
	return words(r.Warnings), &CardError{Problems: problems}
}
