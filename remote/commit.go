package remote

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
)

// Commit makes one commit on the repo's branch, or opens a pull request with
// it. Content of LFS files has to be uploaded before. The lines are written
// while they are sent, so inline files are never all in memory.
//
// A branch that is not at Parent any more is ErrConflict; a pull request begins
// at Parent, wherever the branch is. More than MaxCommitLFS files or
// MaxCommitPayload bytes in memory are refused before anything is sent. The request is sent
// again only where the server surely has not acted (no connection, 429). When
// an answer is lost after all of the request may have arrived, or is one that
// tells nothing (5xx), the error is ErrUnknownOutcome: look at the branch.
func (c *Client) Commit(ctx context.Context, repo Repo, req CommitRequest) (CommitResult, error) {
	r, err := c.commit(ctx, repo, req)
	if err != nil {
		return CommitResult{}, fmt.Errorf("commit to %s: %w", repo, err)
	}
	return r, nil
}

func (c *Client) commit(ctx context.Context, repo Repo, req CommitRequest) (CommitResult, error) {
	if err := repo.check(); err != nil {
		return CommitResult{}, err
	}
	if err := req.check(); err != nil {
		return CommitResult{}, err
	}
	path := repo.apiRev("commit", repo.Branch())
	if req.CreatePR {
		path += "?create_pr=1"
	}
	// A kept-alive connection that the server has just dropped would make a
	// request that never arrived look like one whose answer was lost.
	c.CloseIdle()
	var sent atomic.Bool // all of the latest attempt's body was taken
	body, size, err := req.body(&sent)
	if err != nil {
		return CommitResult{}, err
	}
	res, err := c.send(ctx, call{
		method: http.MethodPost, path: path, size: size, body: body,
		ctype: "application/x-ndjson", accept: "application/json",
		policy: policy{repeat: repeatRefused, budget: c.patience(), header: c.timeouts.Commit},
	})
	if err != nil {
		var e *Error
		told := errors.As(err, &e) && e.Status < 500 && e.Status != http.StatusRequestTimeout
		if sent.Load() && !told {
			err = fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
		}
		return CommitResult{}, err
	}
	var out struct {
		OID string `json:"commitOid"`
		URL string `json:"commitUrl"`
		PR  string `json:"pullRequestUrl"`
	}
	within(res.Body, c.patience())
	err = decode(res, &out, maxJSON)
	drain(res.Body)
	if err != nil {
		err = c.badAnswer(res, err)
		return CommitResult{}, fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
	}
	if !IsCommit(out.OID) {
		err = c.netError(res.Request, fmt.Errorf("the server names the commit %s", quote(escape(out.OID, 80))))
		return CommitResult{}, fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
	}
	r := CommitResult{Commit: out.OID}
	if req.CreatePR {
		var ok bool
		if r.Number, ok = pullNumber(out.PR); !ok {
			err = c.netError(res.Request, fmt.Errorf("the server opened a pull request and calls it %s", quote(escape(redact(out.PR, c.token), 200))))
			return CommitResult{}, fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
		}
		r.PullRequest = redact(out.PR, c.token)
	}
	if out.URL == "" {
		out.URL = c.pageURL(repo) + "/commit/" + out.OID
	}
	r.URL = redact(out.URL, c.token)
	return r, nil
}

// check refuses what the Hub would refuse only after all was sent.
func (r CommitRequest) check() error {
	if r.Summary == "" {
		return errors.New("a commit needs a summary")
	}
	if len(r.LFS) > MaxCommitLFS {
		return fmt.Errorf("one commit can have %d LFS files, not %d", MaxCommitLFS, len(r.LFS))
	}
	payload := int64(0)
	for _, f := range r.Files {
		if err := checkPath(f.Path); err != nil {
			return err
		}
		payload += int64(len(f.Content))
	}
	if payload > MaxCommitPayload {
		return fmt.Errorf("one commit can have %d bytes of regular files, not %d", int64(MaxCommitPayload), payload)
	}
	for _, f := range r.LFS {
		if err := checkPath(f.Path); err != nil {
			return err
		}
		if !sha256Hex.MatchString(f.OID) || f.Size <= 0 {
			return fmt.Errorf("%s: not the content of a large file", quote(f.Path))
		}
	}
	for _, list := range [][]string{r.Deletes, r.DeleteDirs} {
		for _, p := range list {
			if err := checkPath(p); err != nil {
				return err
			}
		}
	}
	return nil
}
