package remote

import (
	"context"
	"errors"
)

var errLater = errors.New("not built yet")

func (c *Client) Preupload(ctx context.Context, repo Repo, files []PreuploadFile) ([]PreuploadMode, error) {
	return nil, errLater
}
func (c *Client) UploadLFS(ctx context.Context, repo Repo, files []LFSFile, progress func(n int64)) error {
	return errLater
}
func (c *Client) Commit(ctx context.Context, repo Repo, req CommitRequest) (CommitResult, error) {
	return CommitResult{}, errLater
}
