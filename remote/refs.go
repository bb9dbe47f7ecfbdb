package remote

import (
	"context"
	"encoding/json"
	"iter"
	"time"
)

type wireRef struct {
	Name   string `json:"name"`
	Ref    string `json:"ref"`
	Commit string `json:"targetCommit"`
}

// Refs lists branches, tags, conversions and pull requests: one request.
func (c *Client) Refs(ctx context.Context, repo Repo) (Refs, error) {
	if err := repo.check(); err != nil {
		return Refs{}, err
	}
	var w struct {
		Branches     []wireRef `json:"branches"`
		Converts     []wireRef `json:"converts"`
		Tags         []wireRef `json:"tags"`
		PullRequests []wireRef `json:"pullRequests"`
	}
	if _, err := c.getJSON(ctx, repo.api()+"/refs?include_prs=1", &w, maxPage); err != nil {
		return Refs{}, err
	}
	return Refs{
		Branches: goodRefs(w.Branches), Converts: goodRefs(w.Converts),
		Tags: goodRefs(w.Tags), PRs: goodRefs(w.PullRequests),
	}, nil
}

// goodRefs drops what could not be asked for anyway.
func goodRefs(in []wireRef) []Ref {
	var out []Ref
	for _, r := range in {
		if ValidRev(r.Name) && (r.Ref == "" || ValidRev(r.Ref)) && (r.Commit == "" || IsCommit(r.Commit)) {
			out = append(out, Ref(r))
		}
	}
	return out
}

// Commits lists the history of the repo's revision, newest first, page by page
// as the caller goes on. After an error the sequence ends.
func (c *Client) Commits(ctx context.Context, repo Repo) iter.Seq2[CommitInfo, error] {
	return func(yield func(CommitInfo, error) bool) {
		if err := repo.check(); err != nil {
			yield(CommitInfo{}, err)
			return
		}
		var batch []CommitInfo
		err := c.pages(ctx, repo.apiRev("commits", repo.Branch()), func(item json.RawMessage) error {
			var w struct {
				ID      string `json:"id"`
				Title   string `json:"title"`
				Message string `json:"message"`
				Date    string `json:"date"`
				Authors []struct {
					User string `json:"user"`
				} `json:"authors"`
			}
			if err := json.Unmarshal(item, &w); err != nil {
				return err
			}
			i := CommitInfo{ID: w.ID, Title: w.Title, Message: w.Message}
			i.Date, _ = time.Parse(time.RFC3339, w.Date)
			for _, a := range w.Authors {
				i.Authors = append(i.Authors, a.User)
			}
			if IsCommit(i.ID) {
				batch = append(batch, i)
			}
			return nil
		}, func(bool) bool { return drainTo(&batch, yield) })
		if err != nil {
			yield(CommitInfo{}, err)
		}
	}
}
