package remote

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
)

// CreateRepo makes a repo, and returns the URL of its page. The Hub gives it a
// first commit of its own, which holds .gitattributes. A repo that exists is
// fs.ErrExist, or nothing at all with ExistOK; then the request may also be
// sent again after a lost answer. Where the token may not create, a repo that
// it can read counts as existing, as in huggingface_hub. A repo that was to be
// private and exists as a public one is fs.ErrExist even so: what is meant for
// few must not be put where all can see it.
func (c *Client) CreateRepo(ctx context.Context, repo Repo, o CreateOptions) (url string, err error) {
	if err := repo.check(); err != nil {
		return "", err
	}
	in := map[string]any{"name": repo.ID, "organization": nil, "type": repo.Type}
	if ns, name, ok := strings.Cut(repo.ID, "/"); ok {
		in["organization"], in["name"] = ns, name
	}
	if o.Private != nil {
		in["visibility"] = map[bool]string{true: "private", false: "public"}[*o.Private]
	}
	if repo.Type == Space {
		in["sdk"] = o.SDK
		if o.SDK == "" {
			in["sdk"] = "static"
		}
	}
	p := policy{header: c.timeouts.Commit, repeat: repeatRefused}
	if o.ExistOK {
		p.repeat = repeatAlways
	}
	for try := 1; ; try++ {
		url, err = c.create(ctx, in, p)
		var e *Error
		if !errors.As(err, &e) {
			break
		}
		// The Hub answers 409 too while it is busy with the namespace.
		if e.Status == http.StatusConflict && strings.Contains(e.Message, "another conflicting operation") && try < maxTries {
			if err := sleep(ctx, c.timeouts.Backoff<<try); err != nil {
				return "", err
			}
			continue
		}
		if !o.ExistOK {
			break
		}
		private := o.Private != nil && *o.Private
		switch e.Status {
		case http.StatusConflict, http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden:
			if e.Status == http.StatusConflict && !private {
				return c.pageURL(repo), nil
			}
			info, infoErr := c.Info(ctx, Repo{Type: repo.Type, ID: repo.ID})
			switch {
			case infoErr == nil && private && !info.Private:
				return "", fmt.Errorf("create %s: it exists and is not private: %w", repo.Path(), fs.ErrExist)
			case infoErr == nil:
				return c.pageURL(repo), nil
			case e.Status == http.StatusConflict:
				err = infoErr
			}
		}
		break
	}
	if err != nil {
		return "", fmt.Errorf("create %s: %w", repo.Path(), err)
	}
	if url == "" {
		url = c.pageURL(repo)
	}
	return url, nil
}

func (c *Client) create(ctx context.Context, in map[string]any, p policy) (string, error) {
	var out struct {
		URL     string `json:"url"`
		Private *bool  `json:"private"`
	}
	if err := c.postJSON(ctx, "/api/repos/create", p, in, &out, maxJSON); err != nil {
		return "", err
	}
	if in["visibility"] == "private" && out.Private != nil && !*out.Private {
		return "", errors.New("the server made it public, although it was to be private")
	}
	return redact(out.URL, c.token), nil
}

// pageURL is the page of a repo.
func (c *Client) pageURL(repo Repo) string {
	return c.base + "/" + repo.Type.webPrefix() + repo.ID
}
