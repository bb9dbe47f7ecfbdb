package remote_test

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"strings"

	"github.com/hubfs/hubfs/remote"
	"github.com/hubfs/hubfs/remote/hubtest"
)

// exampleHub is a Hub to show things on; a program would take what the user has
// set for huggingface_hub, by remote.FromEnv.
func exampleHub() (*remote.Client, func()) {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	hub, err := hubtest.New(hubtest.Options{Dir: dir})
	if err != nil {
		log.Fatal(err)
	}
	if err := hub.Start("127.0.0.1:0"); err != nil {
		log.Fatal(err)
	}
	hub.AddUser("me", "hf_mine", hubtest.User{})
	hub.Repo("me/model").Commit("main", "weights", map[string]string{
		"config.json": `{"hidden_size": 4}`, "model.safetensors": "0123456789abcdef", "onnx/model.onnx": "x",
	})
	c, err := remote.New(remote.Options{Endpoint: hub.URL(), Token: "hf_mine", UserAgent: "example/1.0"})
	if err != nil {
		log.Fatal(err)
	}
	return c, func() { c.Close(); hub.Close(); os.RemoveAll(dir) }
}

func Example() {
	c, done := exampleHub()
	defer done()
	ctx := context.Background()

	repo, _, err := remote.ParseRepo("hf://me/model@main")
	if err != nil {
		log.Fatal(err)
	}
	s, err := c.Snapshot(ctx, repo)
	if err != nil {
		log.Fatal(err)
	}
	entries, err := s.List(ctx, "")
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range entries {
		fmt.Println(e.Path, e.Dir)
	}
	e, err := s.Stat(ctx, "model.safetensors")
	if err != nil {
		log.Fatal(err)
	}
	r, err := c.Content(s.Repo(), s.Commit(), e).ReadRange(ctx, 10, 4)
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	fmt.Printf("%s %v\n", b, err)
	// Output:
	// .gitattributes false
	// config.json false
	// model.safetensors false
	// onnx true
	// abcd <nil>
}

// A snapshot is a file system for everything that takes one.
func ExampleSnapshot_FS() {
	c, done := exampleHub()
	defer done()
	ctx := context.Background()
	s, err := c.Snapshot(ctx, remote.Repo{Type: remote.Model, ID: "me/model"})
	if err != nil {
		log.Fatal(err)
	}
	fsys := s.FS(ctx)
	config, err := fs.ReadFile(fsys, "config.json")
	fmt.Printf("%s %v\n", config, err)
	names, err := fs.Glob(fsys, "*/*.onnx")
	fmt.Println(names, err)
	// Output:
	// {"hidden_size": 4} <nil>
	// [onnx/model.onnx] <nil>
}

// Two files in one commit: a small one inline, a large one uploaded before.
func ExampleClient_Commit() {
	c, done := exampleHub()
	defer done()
	ctx := context.Background()
	repo := remote.Repo{Type: remote.Dataset, ID: "me/results"}
	private := true
	if _, err := c.CreateRepo(ctx, repo, remote.CreateOptions{Private: &private, ExistOK: true}); err != nil {
		log.Fatal(err)
	}
	head, err := c.Info(ctx, repo)
	if err != nil {
		log.Fatal(err)
	}
	weights := strings.Repeat("w", 1000)
	modes, err := c.Preupload(ctx, repo, []remote.PreuploadFile{
		{Path: "README.md", Size: 5, Sample: []byte("hello")},
		{Path: "out.parquet", Size: 1000, Sample: []byte(weights)},
	}, remote.PreuploadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("large:", modes[0].LFS, modes[1].LFS)
	large := remote.LFSFile{OID: sha(weights), Size: 1000, Open: func() (io.ReadSeekCloser, error) {
		return nopCloser{strings.NewReader(weights)}, nil // a program opens a file here
	}}
	if err := c.UploadLFS(ctx, repo, []remote.LFSFile{large}, remote.UploadOptions{}); err != nil {
		log.Fatal(err)
	}
	if _, err := c.Commit(ctx, repo, remote.CommitRequest{
		Summary: "Results", Parent: head.SHA,
		Files: []remote.InlineFile{{Path: "README.md", Content: []byte("hello")}},
		LFS:   []remote.LFSRef{{Path: "out.parquet", OID: large.OID, Size: large.Size}},
	}); err != nil {
		log.Fatal(err)
	}
	for commit, err := range c.Commits(ctx, repo) {
		fmt.Println(commit.Title, err)
	}
	// Output:
	// large: false true
	// Results <nil>
	// initial commit <nil>
}
