package remote

import (
	"context"
	"errors"
	"io"
	"path"
	"strings"
)

// unmarkedSize is a size that regular files seldom have.
const unmarkedSize = 1 << 20

// largeKinds are endings that every new repo's .gitattributes makes large.
var largeKinds = map[string]bool{
	".bin": true, ".bz2": true, ".ckpt": true, ".ftz": true, ".gguf": true, ".gz": true, ".h5": true, ".joblib": true,
	".model": true, ".msgpack": true, ".npy": true, ".npz": true, ".onnx": true, ".parquet": true, ".pb": true,
	".pickle": true, ".pkl": true, ".pt": true, ".pth": true, ".safetensors": true, ".tar": true, ".tflite": true,
	".tgz": true, ".xz": true, ".zip": true, ".zst": true,
}

// unmarked reports whether a whole tree looks as if the server leaves the
// lfs fields out: it has none, yet files that are usually large ones. Their
// ids are those of pointers then, and their content would be taken for wrong.
func (b *treeBuilder) unmarked() bool {
	found := false
	for _, e := range b.entries {
		if _, ok := e.Blob.LFS(); ok {
			return false
		}
		found = found || !e.Dir && (e.Size >= unmarkedSize || e.Size > 0 && largeKinds[strings.ToLower(path.Ext(e.Path))])
	}
	return found
}

// mark learns from the repo's info which files are large: one request, that is
// never made where the tree tells. A server that refuses it, or knows nothing
// either, leaves the tree as it is: reading a large file fails then.
func (c *Client) mark(ctx context.Context, s *Snapshot, b *treeBuilder) error {
	var w struct {
		SHA   string `json:"sha"`
		Files []struct {
			Path string `json:"rfilename"`
			LFS  *struct {
				SHA256 string `json:"sha256"`
				Size   int64  `json:"size"`
			} `json:"lfs"`
		} `json:"siblings"`
	}
	if _, err := c.getJSON(ctx, s.repo.apiRev("revision", s.commit)+"?blobs=true", &w, maxPage); err != nil {
		// What may be gone at the next try is an error, lest one tree have two
		// versions. Whatever else it is, the tree is no worse than without.
		if ctx.Err() != nil || errors.Is(err, ErrRateLimited) || brokenOff(err) || errors.Is(err, io.EOF) {
			return err
		}
		return nil
	}
	if w.SHA != s.commit {
		return nil
	}
	for _, f := range w.Files {
		e, ok := b.entries[f.Path]
		if !ok || e.Dir || f.LFS == nil {
			continue
		}
		oid := strings.ToLower(strings.TrimPrefix(f.LFS.SHA256, lfsPrefix))
		if sha256Hex.MatchString(oid) && f.LFS.Size >= 0 {
			e.Blob.ID, e.Size = lfsPrefix+oid, f.LFS.Size
			b.entries[f.Path] = e
		}
	}
	return nil
}
