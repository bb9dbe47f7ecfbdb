package remote

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

const lfsType = "application/vnd.git-lfs+json"

// An lfsObject is the Hub's answer for one object of a batch. Without actions
// it is stored already.
type lfsObject struct {
	OID     string `json:"oid"`
	Size    int64  `json:"size"`
	Actions *struct {
		Upload *lfsAction `json:"upload"`
		Verify *lfsAction `json:"verify"`
	} `json:"actions"`
	Error *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// An lfsAction is a URL to send something to. The headers of a basic upload are
// not applied (the URL is signed); for a multipart upload they hold the size of
// a part, and the URL of each part under its number.
type lfsAction struct {
	Href   string         `json:"href"`
	Header map[string]any `json:"header"`
}

// lfsBatch asks which of at most 256 objects are wanted, and where. A batch
// without a ref is for a pull request: reading the repo is enough for it.
func (c *Client) lfsBatch(ctx context.Context, repo Repo, files []LFSFile, pr bool) (map[string]lfsObject, error) {
	type object struct {
		OID  string `json:"oid"`
		Size int64  `json:"size"`
	}
	in := map[string]any{
		"operation": "upload",
		"transfers": []string{"basic", "multipart"},
		"hash_algo": "sha256",
	}
	if !pr {
		in["ref"] = map[string]string{"name": repo.Branch()}
	}
	objects := make([]object, len(files))
	for i, f := range files {
		objects[i] = object{f.OID, f.Size}
	}
	in["objects"] = objects
	body, size, err := jsonBody(in)
	if err != nil {
		return nil, err
	}
	var res *http.Response
	var out struct {
		Objects []lfsObject `json:"objects"`
	}
	err = c.exchange(ctx, call{
		method: http.MethodPost, path: "/" + repo.Type.webPrefix() + repo.ID + ".git/info/lfs/objects/batch",
		body: body, size: size, ctype: lfsType, accept: lfsType,
		policy: policy{repeat: repeatAlways, budget: c.patience(), header: c.timeouts.Commit},
	}, func(r *http.Response) error {
		res = r
		return decode(r, &out, maxPage)
	})
	if err != nil {
		return nil, err
	}
	plan := map[string]lfsObject{}
	for _, o := range out.Objects {
		if o.Error != nil {
			return nil, fmt.Errorf("%s: %w", quote(escape(o.OID, 80)), &Error{
				Status: o.Error.Code, Message: redact(o.Error.Message, c.token),
				Method: http.MethodPost, URL: showURL(res.Request.URL),
			})
		}
		plan[o.OID] = o
	}
	for _, f := range files {
		if o, ok := plan[f.OID]; !ok || o.Size != f.Size {
			return nil, c.netError(res.Request, fmt.Errorf("the answer leaves out %s or gets its size wrong", f.OID))
		}
	}
	return plan, nil
}

// uploadURL checks a URL that content is to be sent to.
func (c *Client) uploadURL(href string) (string, error) {
	u, err := c.hubURL(href)
	switch {
	case err != nil:
		return "", err
	case u.Scheme != "http" && u.Scheme != "https":
		return "", fmt.Errorf("the server wants content sent to a URL of scheme %s", quote(u.Scheme))
	case u.Scheme == "http" && c.endpoint.Scheme == "https":
		return "", fmt.Errorf("the server wants content sent in the clear to %s", quote(u.Host))
	}
	return u.String(), nil
}

// chunkSize tells a multipart upload by its header, and how large its parts are.
func (a *lfsAction) chunkSize() (int64, bool) {
	switch v := a.Header["chunk_size"].(type) {
	case string:
		n, err := strconv.ParseInt(v, 10, 64)
		return n, err == nil
	case float64:
		return int64(v), true
	}
	return 0, false
}

// parts are the URLs of a multipart upload in order.
func (a *lfsAction) parts(c *Client) ([]string, error) {
	byNumber := map[int]string{}
	var numbers []int
	for k, v := range a.Header {
		n, err := strconv.Atoi(k)
		s, ok := v.(string)
		if err != nil || strings.TrimLeft(k, "0123456789") != "" {
			continue
		}
		if !ok {
			return nil, errors.New("the URL of a part is no text")
		}
		u, err := c.uploadURL(s)
		if err != nil {
			return nil, err
		}
		byNumber[n] = u
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	urls := make([]string, len(numbers))
	for i, n := range numbers {
		if n != i+1 {
			return nil, fmt.Errorf("part %d of the upload has no URL", i+1)
		}
		urls[i] = byNumber[n]
	}
	return urls, nil
}
