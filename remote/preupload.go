package remote

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
)

const (
	batchSize  = 256 // files asked about in one request, as the Hub allows
	sampleSize = 512
)

// Preupload asks the Hub how each file is to be committed, in requests for 256
// files each. The answers are in the order of files. Empty files are always
// regular, whatever the server says: object stores refuse empty objects.
func (c *Client) Preupload(ctx context.Context, repo Repo, files []PreuploadFile, o PreuploadOptions) ([]PreuploadMode, error) {
	if err := repo.check(); err != nil {
		return nil, err
	}
	modes := make([]PreuploadMode, 0, len(files))
	for batch := range slices.Chunk(files, batchSize) {
		m, err := c.preupload(ctx, repo, batch, o)
		if err != nil {
			return nil, fmt.Errorf("preupload to %s: %w", repo, err)
		}
		modes = append(modes, m...)
	}
	return modes, nil
}

func (c *Client) preupload(ctx context.Context, repo Repo, files []PreuploadFile, o PreuploadOptions) ([]PreuploadMode, error) {
	type wireFile struct {
		Path   string `json:"path"`
		Sample string `json:"sample"`
		Size   int64  `json:"size"`
	}
	var in struct {
		Files     []wireFile `json:"files"`
		GitIgnore *string    `json:"gitIgnore,omitempty"`
	}
	if o.GitIgnore != nil {
		text := string(o.GitIgnore)
		in.GitIgnore = &text
	}
	for _, f := range files {
		if err := checkPath(f.Path); err != nil {
			return nil, err
		}
		sample := base64.StdEncoding.EncodeToString(f.Sample[:min(len(f.Sample), sampleSize)])
		in.Files = append(in.Files, wireFile{Path: f.Path, Sample: sample, Size: f.Size})
	}
	var out struct {
		Files []struct {
			Path   string `json:"path"`
			Mode   string `json:"uploadMode"`
			Ignore bool   `json:"shouldIgnore"`
			OID    string `json:"oid"`
		} `json:"files"`
	}
	path := repo.apiRev("preupload", repo.Branch())
	if o.CreatePR {
		path += "?create_pr=1"
	}
	// Asking changes nothing, so it may be asked again.
	p := policy{repeat: repeatAlways, budget: c.patience(), header: c.timeouts.Commit}
	if err := c.postJSON(ctx, path, p, in, &out, maxPage); err != nil {
		return nil, err
	}
	answers := map[string]PreuploadMode{}
	for _, f := range out.Files {
		if f.Mode != "lfs" && f.Mode != "regular" {
			return nil, fmt.Errorf("the server wants %s uploaded in a way it calls %s", quote(f.Path), quote(escape(f.Mode, 40)))
		}
		answers[f.Path] = PreuploadMode{LFS: f.Mode == "lfs", Ignore: f.Ignore, OID: f.OID}
	}
	modes := make([]PreuploadMode, len(files))
	for i, f := range files {
		m, ok := answers[f.Path]
		if !ok {
			return nil, fmt.Errorf("the server does not say how to upload %s", quote(f.Path))
		}
		m.LFS = m.LFS && f.Size > 0
		modes[i] = m
	}
	return modes, nil
}

func checkPath(p string) error {
	if !ValidPath(p) {
		return &ParseError{Input: p, Reason: "not a path that a repo can hold"}
	}
	return nil
}
