package hubtest

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

func TestCommit(t *testing.T) {
	h := start(t, Options{})
	c := as(t, h, "tok-acme")
	repo := h.Repo("acme/m")
	base := repo.Commit("main", "files", map[string]string{"old.txt": "o", "dir/x": "x", "dir/y": "y", "m.bin": "\x00m"})
	c.uploadLarge("acme/m", "\x00large")
	var out struct {
		Success              bool
		CommitOid, CommitUrl string
	}
	c.commit(200, "acme/m", "main", ndjson(m{"summary": "do", "description": "it", "parentCommit": base},
		line("deletedFile", m{"path": "old.txt"}),
		line("deletedFolder", m{"path": "dir/"}),
		addLine("new/a.txt", "hello"),
		line("file", m{"path": "u.txt", "encoding": "utf-8", "content": "é"}),
		line("lfsFile", m{"path": "new/big.bin", "algo": "sha256", "oid": sum("\x00large"), "size": 6}),
		line("lfsFile", m{"path": "copy.bin", "algo": "sha256", "oid": sum("\x00m")}), // a copy has no size
	)).decode(t, &out)
	if !out.Success || out.CommitOid != repo.Head("main") || out.CommitUrl != h.URL()+"/acme/m/commit/"+out.CommitOid {
		t.Errorf("%+v", out)
	}
	files := repo.Files("main")
	for path, want := range map[string]File{
		"new/a.txt":   {5, gitHash("blob", []byte("hello")), false},
		"u.txt":       {2, gitHash("blob", []byte("é")), false},
		"new/big.bin": {6, sum("\x00large"), true},
		"copy.bin":    {2, sum("\x00m"), true},
		"m.bin":       {2, sum("\x00m"), true},
	} {
		if files[path] != want {
			t.Errorf("%s: %+v, want %+v", path, files[path], want)
		}
	}
	if len(files) != 6 {
		t.Errorf("files %v", files)
	}
	k := repo.Log("main")[0]
	if k.Title != "do" || k.Description != "it" || k.Parent != base || k.Author != "acme" {
		t.Errorf("%+v", k)
	}
	// Renames of the JavaScript client.
	c.commit(200, "acme/m", "main", ndjson(m{"summary": "mv"}, line("file", m{"oldPath": "u.txt", "path": "v.txt"})))
	if got := repo.Read("main", "v.txt"); string(got) != "é" || repo.Read("main", "u.txt") != nil {
		t.Errorf("%q", got)
	}
}

func TestCommitIsRefused(t *testing.T) {
	h := start(t, Options{MaxRegular: 1000})
	c := as(t, h, "tok-acme")
	repo := h.Repo("acme/m")
	base := repo.Commit("main", "files", map[string]string{"f": "f", "dir/x": "x"})
	head := repo.Put("g", "g")
	sumry := m{"summary": "s"}
	for name, try := range map[string]struct {
		status int
		rev    string
		body   string
	}{
		"stale":          {412, "main", ndjson(m{"summary": "s", "parentCommit": base}, addLine("a", "a"))},
		"no header":      {400, "main", `{"key":"file","value":{"path":"a","content":""}}`},
		"empty":          {400, "main", ""},
		"no summary":     {400, "main", ndjson(m{"summary": ""}, addLine("a", "a"))},
		"missing delete": {404, "main", ndjson(sumry, addLine("a", "a"), line("deletedFile", m{"path": "none"}))},
		"folder as file": {404, "main", ndjson(sumry, line("deletedFile", m{"path": "dir"}))},
		"file as folder": {404, "main", ndjson(sumry, line("deletedFolder", m{"path": "f"}))},
		"bad path":       {422, "main", ndjson(sumry, addLine(`..\ddd`, "a"))},
		"dot dot":        {422, "main", ndjson(sumry, addLine("a/../b", "a"))},
		"git":            {422, "main", ndjson(sumry, addLine("a/.git/b", "a"))},
		"absolute":       {422, "main", ndjson(sumry, addLine("/a", "a"))},
		"file is parent": {400, "main", ndjson(sumry, addLine("f/a", "a"))},
		"over a folder":  {400, "main", ndjson(sumry, addLine("dir", "a"))},
		"missing lfs":    {400, "main", ndjson(sumry, line("lfsFile", m{"path": "a.bin", "algo": "sha256", "oid": sum("?"), "size": 1}))},
		"bad oid":        {400, "main", ndjson(sumry, line("lfsFile", m{"path": "a.bin", "algo": "sha256", "oid": "12", "size": 1}))},
		"unknown line":   {400, "main", ndjson(sumry, line("magic", m{}))},
		"bad base64":     {400, "main", ndjson(sumry, line("file", m{"path": "a", "encoding": "base64", "content": "?"}))},
		"too large":      {400, "main", ndjson(sumry, addLine("a", strings.Repeat("x", 1001)))},
		"huge line":      {413, "main", ndjson(sumry, addLine("a", strings.Repeat("x", 100_000)))},
		"no branch":      {404, "none", ndjson(sumry, addLine("a", "a"))},
		"a commit":       {400, head, ndjson(sumry, addLine("a", "a"))},
		"bad card":       {400, "main", ndjson(sumry, addLine("README.md", "---\nlicense: mit\n"))},
		"cut off":        {400, "main", ndjson(sumry, addLine("a", "a"))[:60]},
	} {
		c.t.Run(name, func(t *testing.T) {
			as(t, h, "tok-acme").commit(try.status, "acme/m", try.rev, try.body)
		})
	}
	r := c.commit(412, "acme/m", "main", ndjson(m{"summary": "s", "parentCommit": base}, addLine("a", "a")))
	if got := r.Header.Get("X-Error-Message"); got != "The branch was updated since you opened this page. Please refresh and try again." {
		t.Errorf("message %q", got)
	}
	good := ndjson(sumry, addLine("a", "a"))
	as(t, h, "tok-bob").commit(403, "acme/m", "main", good)
	as(t, h, "tok-read").commit(403, "acme/m", "main", good)
	as(t, h, "").commit(401, "acme/m", "main", good)
	c.want(400, "POST", "/api/models/acme/m/commit/main", good, "Content-Type", "application/json")
	if repo.Head("main") != head {
		t.Error("a refused commit moved the branch")
	}
}

func TestLargeFilesAreTracked(t *testing.T) {
	h := start(t, Options{})
	c := as(t, h, "tok-acme")
	repo := h.Repo("acme/m")
	c.uploadLarge("acme/m", "big text")
	lfs := func(path string) m {
		return line("lfsFile", m{"path": path, "algo": "sha256", "oid": sum("big text"), "size": 8})
	}
	c.commit(200, "acme/m", "main", ndjson(m{"summary": "s"}, lfs("a.bin")))
	if got := string(repo.Read("main", ".gitattributes")); got != initialAttributes {
		t.Errorf("changed without need:\n%s", got)
	}
	c.commit(200, "acme/m", "main", ndjson(m{"summary": "s"}, lfs("big one.txt"), lfs("x/tokenizer.json")))
	want := initialAttributes + "big[[:space:]]one.txt filter=lfs diff=lfs merge=lfs -text\nx/tokenizer.json filter=lfs diff=lfs merge=lfs -text\n"
	if got := string(repo.Read("main", ".gitattributes")); got != want {
		t.Errorf("got:\n%s", got)
	}
}

func TestPullRequests(t *testing.T) {
	h := start(t, Options{})
	repo := h.Repo("acme/m")
	base := repo.Put("a.txt", "1")
	bob := as(t, h, "tok-bob")
	var out struct{ CommitOid, PullRequestURL string }
	bob.want(200, "POST", "/api/models/acme/m/preupload/main?create_pr=1", `{"files":[]}`)
	bob.commit(200, "acme/m", "main?create_pr=1", ndjson(m{"summary": "my change"}, addLine("b.txt", "b"))).decode(t, &out)
	if out.PullRequestURL != h.URL()+"/acme/m/discussions/1" {
		t.Errorf("%+v", out)
	}
	if repo.Head("main") != base || repo.Head("refs/pr/1") != out.CommitOid {
		t.Error("wrong heads")
	}
	bob.want(307, "GET", "/acme/m/resolve/refs%2Fpr%2F1/b.txt", "")
	bob.get("/api/models/acme/m/tree/refs%2Fpr%2F1")
	bob.commit(200, "acme/m", "refs%2Fpr%2F1", ndjson(m{"summary": "more"}, addLine("c.txt", "c")))
	bob.want(200, "POST", "/api/models/acme/m/discussions", `{"title":"draft","description":"d","pullRequest":true}`)
	var d struct {
		Num                int
		Title, Status      string
		IsPullRequest      bool
		Author             struct{ Name string }
		Repo               struct{ Name, Type string }
		Events             []struct{ Type string }
		FilesWithConflicts []string
		Changes            struct{ Base string }
		Diff, CreatedAt    string
	}
	bob.get("/api/models/acme/m/discussions/2?diff=1").decode(t, &d)
	if d.Num != 2 || d.Status != "draft" || !d.IsPullRequest || d.Author.Name != "bob" || d.Repo.Name != "acme/m" || d.FilesWithConflicts == nil {
		t.Errorf("%+v", d)
	}
	bob.commit(200, "acme/m", "refs%2Fpr%2F2", ndjson(m{"summary": "draft"}, addLine("a.txt", "2")))
	bob.want(403, "POST", "/api/models/acme/m/discussions/1/merge", "{}")
	acme := as(t, h, "tok-acme")
	acme.want(200, "POST", "/api/models/acme/m/discussions/1/merge", "{}")
	if string(repo.Read("main", "b.txt")) != "b" || string(repo.Read("main", "c.txt")) != "c" || repo.Log("main")[0].Parent != base {
		t.Error("not merged")
	}
	repo.Put("a.txt", "3")
	acme.want(200, "POST", "/api/models/acme/m/discussions/2/status", `{"status":"open"}`)
	acme.want(409, "POST", "/api/models/acme/m/discussions/2/merge", "{}")
	acme.want(200, "POST", "/api/models/acme/m/discussions/2/comment", `{"comment":"hm"}`)
	var list struct {
		Count       int
		Discussions []struct{ Status string }
	}
	acme.get("/api/models/acme/m/discussions?p=0").decode(t, &list)
	if list.Count != 2 || list.Discussions[1].Status != "merged" {
		t.Errorf("%+v", list)
	}
	as(t, h, "").want(401, "POST", "/api/models/acme/m/commit/main?create_pr=1", "")
}

func TestConcurrentCommits(t *testing.T) {
	h := start(t, Options{})
	repo := h.Repo("acme/m")
	base := repo.Head("main")
	const n = 16
	var wg sync.WaitGroup
	var won [n]int
	for i := range n {
		wg.Go(func() {
			body := ndjson(m{"summary": "s", "parentCommit": base}, addLine(fmt.Sprint("f", i), "x"))
			r, err := as(t, h, "tok-acme").do("POST", "/api/models/acme/m/commit/main", body, "Content-Type", "application/x-ndjson")
			if err == nil {
				won[i] = r.StatusCode
			}
			as(t, h, "tok-acme").do("POST", "/api/models/acme/m/commit/main", ndjson(m{"summary": "s"}, addLine(fmt.Sprint("g", i), "x")), "Content-Type", "application/x-ndjson")
		})
	}
	wg.Wait()
	ok := 0
	for _, s := range won {
		if s == 200 {
			ok++
		} else if s != 412 {
			t.Errorf("status %d", s)
		}
	}
	if files := repo.Files("main"); ok > 1 || len(files) != 1+n+ok {
		t.Errorf("%d won, %d files", ok, len(files))
	}
	if log := repo.Log("main"); len(log) != 1+n+ok || log[0].Depth != len(log) {
		t.Errorf("%d commits", len(log))
	}
}

func TestTooManyFilesInAFolder(t *testing.T) {
	h := start(t, Options{})
	repo := h.Repo("acme/m")
	files := map[string]string{}
	for i := range maxPerDir {
		files[fmt.Sprint("d/", i)] = "same"
	}
	head := repo.Commit("main", "full", files)
	r := as(t, h, "tok-acme").commit(400, "acme/m", "main", ndjson(m{"summary": "s"}, addLine("d/more", "x")))
	if !strings.Contains(string(r.body), "too many files per directory") || repo.Head("main") != head {
		t.Errorf("%s", r.body)
	}
	as(t, h, "tok-acme").commit(200, "acme/m", "main", ndjson(m{"summary": "s"}, addLine("e/more", "x")))
}
