package remote

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/url"
	"time"
)

// wireInfo is the JSON of a repo. Gated is false, "auto" or "manual".
type wireInfo struct {
	ID           string `json:"id"`
	ModelID      string `json:"modelId"` // what older servers call it
	SHA          string `json:"sha"`
	Private      bool   `json:"private"`
	Gated        any    `json:"gated"`
	Disabled     bool   `json:"disabled"`
	LastModified string `json:"lastModified"`
}

func (w wireInfo) info() (Info, error) {
	i := Info{ID: w.ID, SHA: w.SHA, Private: w.Private, Disabled: w.Disabled}
	if i.ID == "" {
		i.ID = w.ModelID
	}
	switch g := w.Gated.(type) {
	case string:
		i.Gated = escape(g, 20)
	case bool:
		if g {
			i.Gated = "auto"
		}
	}
	i.LastModified, _ = time.Parse(time.RFC3339, w.LastModified)
	if !ValidID(i.ID) {
		return Info{}, fmt.Errorf("the server calls the repo %s", quote(escape(i.ID, 200)))
	}
	if i.SHA != "" && !IsCommit(i.SHA) {
		return Info{}, fmt.Errorf("the server names the commit %s", quote(escape(i.SHA, 200)))
	}
	return i, nil
}

// Info asks for a repo at its revision: one request, and one more for each
// rename it has to follow. The ID of the answer is the canonical one.
func (c *Client) Info(ctx context.Context, repo Repo) (Info, error) {
	if err := repo.check(); err != nil {
		return Info{}, err
	}
	path := repo.api()
	if repo.Rev != "" {
		path = repo.apiRev("revision", repo.Rev)
	}
	var w wireInfo
	res, err := c.getJSON(ctx, path, &w, maxPage)
	if err != nil {
		return Info{}, err
	}
	info, err := w.info()
	if err != nil {
		return Info{}, c.netError(res.Request, err)
	}
	return info, nil
}

// Repos lists the repos of a user or organization that the token may see, page
// by page as the caller goes on. Items that make no sense are left out. After
// an error the sequence ends.
func (c *Client) Repos(ctx context.Context, t RepoType, author string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		if !t.Valid() || !ValidName(author) {
			yield(Info{}, &ParseError{Input: author, Reason: "not a valid namespace"})
			return
		}
		var batch []Info
		err := c.pages(ctx, "/api/"+t.Plural()+"?author="+url.QueryEscape(author), func(item json.RawMessage) error {
			var w wireInfo
			if err := json.Unmarshal(item, &w); err != nil {
				return err
			}
			if info, err := w.info(); err == nil {
				batch = append(batch, info)
			}
			return nil
		}, func(bool) bool { return drainTo(&batch, yield) })
		if err != nil {
			yield(Info{}, err)
		}
	}
}

// drainTo hands a page on, and reports whether the caller wants another.
func drainTo[T any](batch *[]T, yield func(T, error) bool) bool {
	for _, v := range *batch {
		if !yield(v, nil) {
			return false
		}
	}
	*batch = (*batch)[:0]
	return true
}
