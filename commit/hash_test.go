package commit

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/hubfs/hubfs/remote/hubtest"
)

// The Git id of large content is found only for a Hub that keeps it outside
// of LFS, and then the content is known again by it.
func TestGitIDsOfLargeFiles(t *testing.T) {
	dir := t.TempDir()
	hub, err := hubtest.New(hubtest.Options{Dir: filepath.Join(dir, "hub"), MaxRegular: 2 * gitSize})
	if err != nil {
		t.Fatal(err)
	}
	if err := hub.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	hub.AddUser("alice", token, hubtest.User{})
	w := &world{t: t, hub: hub, dir: dir}
	w.open()
	t.Cleanup(w.end)
	r := hub.Repo("alice/big")
	tr := w.tree("alice/big")

	text := strings.Repeat("a line of text\n", gitSize/15+1)
	file, model := save(t, tr, "big.txt", text), save(t, tr, "m.safetensors", text)
	if res := commitAll(t, tr); res.Files != 2 {
		t.Fatalf("%+v", res)
	}
	files := r.Files("main")
	if big, m := files["big.txt"], files["m.safetensors"]; big.LFS || !m.LFS || big.Size != int64(len(text)) || m.Size != big.Size {
		t.Fatalf("big.txt %+v, m.safetensors %+v", big, m)
	} else {
		for id, f := range map[string]*File{"git:" + big.OID: file, "sha256:" + m.OID: model} {
			kept, ok := w.cache.Whole(id, int64(len(text)))
			if f.blob.ID != id || !ok {
				t.Errorf("%s: committed as %s, and in the cache: %v", id, f.blob.ID, ok)
			} else {
				kept.Close()
			}
		}
	}
	head := r.Head("main")
	save(t, tr, "big.txt", text)
	model = save(t, tr, "m.safetensors", text)
	s, err := model.rehash(false, false)
	if err != nil || s.git != "" || s.sha256 == "" {
		t.Errorf("%+v %v", s, err)
	}
	if _, err := tr.Commit(ctx, CommitOptions{}); err != nil {
		t.Fatal(err)
	}
	if now := r.Head("main"); now != head {
		t.Error("the same content again became a commit")
	}
}
