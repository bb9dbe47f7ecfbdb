package hubtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestWhoami(t *testing.T) {
	h := start(t, Options{})
	var me struct {
		Name, Type string
		Orgs       []struct{ Name, RoleInOrg string }
		Auth       struct{ AccessToken struct{ Role string } }
	}
	as(t, h, "tok-acme").get("/api/whoami-v2").decode(t, &me)
	if me.Name != "acme" || me.Type != "user" || len(me.Orgs) != 2 || me.Auth.AccessToken.Role != "write" {
		t.Errorf("%+v", me)
	}
	as(t, h, "").want(401, "GET", "/api/whoami-v2", "")
	r := as(t, h, "wrong").want(401, "GET", "/api/whoami-v2", "")
	if got := r.Header.Get("X-Error-Message"); got != "Invalid credentials in Authorization header" {
		t.Errorf("message %q", got)
	}
}

func TestInfo(t *testing.T) {
	h := start(t, Options{})
	c := as(t, h, "")
	repo := h.Repo("acme/m")
	first := repo.Head("")
	sha := repo.Commit("main", "two", map[string]string{"a.txt": "hi", "m.bin": "\x00\x01"})
	var info struct {
		ID, SHA, LastModified, CreatedAt string
		Private                          bool
		Gated                            any
		Siblings                         []struct {
			RFilename string
			Size      int64
			LFS       *struct{ SHA256 string }
		}
	}
	r := c.get("/api/models/acme/m?blobs=true")
	r.decode(t, &info)
	if info.ID != "acme/m" || info.SHA != sha || r.Header.Get("X-Repo-Commit") != sha || info.Gated != false {
		t.Errorf("%+v", info)
	}
	if _, err := time.Parse("2006-01-02T15:04:05.000Z", info.LastModified); err != nil {
		t.Error(err)
	}
	if len(info.Siblings) != 3 || info.Siblings[2].LFS == nil || info.Siblings[2].LFS.SHA256 != sum("\x00\x01") {
		t.Errorf("siblings %+v", info.Siblings)
	}
	c.get("/api/models/acme/m/revision/"+first).decode(t, &info)
	if info.SHA != first {
		t.Errorf("sha %s, want %s", info.SHA, first)
	}
	c.denied(404, "RevisionNotFound", "GET", "/api/models/acme/m/revision/nope", "")
	c.denied(401, "RepoNotFound", "GET", "/api/models/acme/none", "")
	as(t, h, "tok-bob").denied(404, "RepoNotFound", "GET", "/api/models/acme/none", "")
	c.want(400, "GET", "/api/models/acme/m?expand=nonsense", "")
	// An unescaped slash does not make a revision of two segments.
	c.want(404, "GET", "/api/models/acme/m/revision/refs/pr/1", "")
	for _, quiet := range []string{"/api/agent-harnesses", "/api/telemetry/x", "/", "/api"} {
		c.want(404, "GET", quiet, "")
	}
}

func TestTree(t *testing.T) {
	h := start(t, Options{})
	c := as(t, h, "")
	repo := h.Repo("datasets/acme/d")
	repo.Commit("main", "files", map[string]string{
		"a/1.txt": "1", "a/b/2.txt": "22", "z.txt": "z", "big.bin": "\x00big", "sp ace/é.txt": "x",
	})
	type entry = TreeEntry
	list := func(url string) (all []entry, pages int) {
		for url != "" {
			var page []entry
			r := c.get(url)
			r.decode(t, &page)
			all, url = append(all, page...), r.next(t)
			pages++
		}
		return all, pages
	}
	paths := func(es []entry) string {
		var ps []string
		for _, e := range es {
			ps = append(ps, e.Path)
		}
		return strings.Join(ps, " ")
	}
	base := "/api/datasets/acme/d/tree/main"
	all, _ := list(base + "?recursive=true")
	if got, want := paths(all), "a a/b sp ace .gitattributes a/1.txt a/b/2.txt big.bin sp ace/é.txt z.txt"; got != want {
		t.Errorf("recursive:\n got %s\nwant %s", got, want)
	}
	paged, pages := list(base + "?recursive=true&limit=2")
	if paths(paged) != paths(all) || pages != 5 {
		t.Errorf("%d pages: %s", pages, paths(paged))
	}
	for _, url := range []string{"/a%2Fb", "/a/b", "/a/b?recursive=true"} {
		if es, _ := list(base + url); paths(es) != "a/b/2.txt" {
			t.Errorf("%s: %s", url, paths(es))
		}
	}
	if es, _ := list(base + "/sp%20ace"); paths(es) != "sp ace/é.txt" {
		t.Errorf("%s", paths(es))
	}
	i := slices.IndexFunc(all, func(e entry) bool { return e.Path == "big.bin" })
	big := all[i]
	if big.LFS == nil || big.LFS.OID != sum("\x00big") || big.Size != 4 || big.OID != gitHash("blob", pointer(big.LFS.OID, 4)) {
		t.Errorf("%+v", big)
	}
	ex, _ := list(base + "?expand=true")
	for _, e := range ex {
		if e.LastCommit == nil || e.LastCommit.Title == "" {
			t.Errorf("no commit: %+v", e)
		}
	}
	c.denied(404, "EntryNotFound", "GET", base+"/none", "")
	c.denied(404, "EntryNotFound", "GET", base+"/z.txt", "")
	h.SetQuirks(Quirks{TreeFilesOnly: true, TreeNoLFS: true})
	es, _ := list(base + "?recursive=true")
	for _, e := range es {
		if e.Type != "file" || e.LFS != nil {
			t.Errorf("%+v", e)
		}
	}
	h.SetQuirks(Quirks{})
	repo.Inject(TreeEntry{Type: "file", Path: "../evil", Size: 1, OID: strings.Repeat("0", 40)})
	if es, _ := list(base + "?recursive=true"); !strings.HasSuffix(paths(es), "../evil") {
		t.Errorf("%s", paths(es))
	}
}

func TestPathsInfo(t *testing.T) {
	h := start(t, Options{})
	c := as(t, h, "")
	h.Repo("acme/m").Put("d/a.txt", "hi")
	url := "/api/models/acme/m/paths-info/main"
	for _, in := range [][2]string{
		{"application/x-www-form-urlencoded", "paths=d&paths=d%2Fa.txt&paths=none&expand=True"},
		{"application/json", `{"paths":["d","d/a.txt","none"],"expand":true}`},
	} {
		var out []TreeEntry
		c.want(200, "POST", url, in[1], "Content-Type", in[0]).decode(t, &out)
		if len(out) != 2 || out[0].Type != "directory" || out[1].Size != 2 || out[1].LastCommit == nil {
			t.Errorf("%s: %+v", in[0], out)
		}
	}
	c.want(413, "POST", url, strings.Repeat("paths=x&", 1001), "Content-Type", "application/x-www-form-urlencoded")
}

func TestRefs(t *testing.T) {
	h := start(t, Options{})
	c := as(t, h, "tok-acme")
	repo := h.Repo("acme/m")
	first := repo.Head("main")
	second := repo.Put("a.txt", "hi")
	c.want(200, "POST", "/api/models/acme/m/branch/dev%2Fone", fmt.Sprintf(`{"startingPoint":%q}`, first))
	c.want(409, "POST", "/api/models/acme/m/branch/dev%2Fone", "")
	c.want(200, "POST", "/api/models/acme/m/tag/main", `{"tag":"v1"}`)
	c.want(409, "POST", "/api/models/acme/m/tag/main", `{"tag":"v1"}`)
	c.denied(404, "RevisionNotFound", "POST", "/api/models/acme/m/tag/none", `{"tag":"v2"}`)
	c.want(400, "POST", "/api/models/acme/m/branch/bad..name", "")
	repo.Convert("parquet", "main")
	type ref struct{ Name, Ref, TargetCommit string }
	var refs struct{ Branches, Tags, Converts, PullRequests []ref }
	c.get("/api/models/acme/m/refs?include_prs=1").decode(t, &refs)
	if !slices.Contains(refs.Branches, ref{"dev/one", "refs/heads/dev/one", first}) ||
		!slices.Contains(refs.Tags, ref{"v1", "refs/tags/v1", second}) ||
		!slices.Contains(refs.Converts, ref{"parquet", "refs/convert/parquet", second}) || refs.PullRequests == nil {
		t.Errorf("%+v", refs)
	}
	for _, rev := range []string{"dev%2Fone", "v1", "refs%2Fconvert%2Fparquet", "refs%2Fheads%2Fmain", first} {
		c.get("/api/models/acme/m/tree/" + rev)
	}
	c.want(200, "DELETE", "/api/models/acme/m/branch/dev%2Fone", "")
	c.want(200, "DELETE", "/api/models/acme/m/tag/v1", "")
	c.denied(404, "RevisionNotFound", "DELETE", "/api/models/acme/m/tag/v1", "")
	c.want(403, "DELETE", "/api/models/acme/m/branch/main", "")
	as(t, h, "tok-bob").want(403, "POST", "/api/models/acme/m/branch/x", "")
}

func TestCommitsAndSquash(t *testing.T) {
	h := start(t, Options{})
	c := as(t, h, "tok-acme")
	repo := h.Repo("acme/m")
	for i := range 5 {
		repo.Put("a.txt", fmt.Sprint(i))
	}
	var ids []string
	for url := "/api/models/acme/m/commits/main?limit=2"; url != ""; {
		r := c.get(url)
		if r.Header.Get("X-Total-Count") != "6" {
			t.Errorf("total %q", r.Header.Get("X-Total-Count"))
		}
		var page []struct {
			ID, Title, Date string
			Authors         []struct{ User string }
		}
		r.decode(t, &page)
		for _, k := range page {
			ids = append(ids, k.ID)
		}
		if url = r.next(t); url == "" && page[len(page)-1].Title != "initial commit" {
			t.Errorf("first commit %+v", page[len(page)-1])
		}
	}
	if len(ids) != 6 || ids[0] != repo.Head("main") {
		t.Errorf("%v", ids)
	}
	c.want(200, "POST", "/api/models/acme/m/super-squash/main", `{"message":"one"}`)
	if log := repo.Log("main"); len(log) != 1 || log[0].Title != "one" || string(repo.Read("main", "a.txt")) != "4" {
		t.Errorf("%+v", log)
	}
}

func TestListRepos(t *testing.T) {
	h := start(t, Options{PageSize: 2})
	for i := range 5 {
		h.Repo(fmt.Sprintf("acme/m%d", i))
	}
	h.Repo("acme/m3").SetPrivate(true)
	h.Repo("bob/other")
	h.Repo("datasets/acme/d")
	ids := func(c client, url string) string {
		var ids []string
		for url != "" {
			var page []struct{ ID string }
			r := c.get(url)
			r.decode(t, &page)
			for _, p := range page {
				ids = append(ids, p.ID)
			}
			url = r.next(t)
		}
		return strings.Join(ids, " ")
	}
	if got := ids(as(t, h, ""), "/api/models?author=acme"); got != "acme/m0 acme/m1 acme/m2 acme/m4" {
		t.Error(got)
	}
	if got := ids(as(t, h, "tok-acme"), "/api/models?author=acme"); got != "acme/m0 acme/m1 acme/m2 acme/m3 acme/m4" {
		t.Error(got)
	}
	if got := ids(as(t, h, ""), "/api/datasets?search=D"); got != "acme/d" {
		t.Error(got)
	}
	as(t, h, "").get("/api/spaces")
}

func TestLifeOfARepo(t *testing.T) {
	h := start(t, Options{})
	c := as(t, h, "tok-acme")
	var made struct{ URL string }
	c.want(200, "POST", "/api/repos/create", `{"name":"new","organization":null,"visibility":"private"}`).decode(t, &made)
	if made.URL != h.URL()+"/acme/new" {
		t.Errorf("url %q", made.URL)
	}
	made.URL = ""
	c.want(409, "POST", "/api/repos/create", `{"name":"new","organization":"acme"}`).decode(t, &made)
	if made.URL != h.URL()+"/acme/new" {
		t.Errorf("url %q", made.URL)
	}
	if log := h.Repo("acme/new").Log(""); len(log) != 1 || log[0].Title != "initial commit" || log[0].Author != "system" {
		t.Errorf("%+v", log)
	}
	as(t, h, "").denied(401, "RepoNotFound", "GET", "/api/models/acme/new", "")
	as(t, h, "tok-bob").denied(404, "RepoNotFound", "GET", "/api/models/acme/new", "")
	c.want(200, "POST", "/api/repos/create", `{"name":"d","organization":"org","type":"dataset"}`)
	c.want(403, "POST", "/api/repos/create", `{"name":"d","organization":"club"}`)
	c.want(403, "POST", "/api/repos/create", `{"name":"d","organization":"bob"}`)
	c.want(400, "POST", "/api/repos/create", `{"name":"bad--name"}`)
	c.want(400, "POST", "/api/repos/create", `{"name":"s","type":"space"}`)
	c.want(200, "POST", "/api/repos/create", `{"name":"s","type":"space","sdk":"gradio"}`)
	as(t, h, "tok-read").want(403, "POST", "/api/repos/create", `{"name":"x"}`)
	as(t, h, "").want(401, "POST", "/api/repos/create", `{"name":"x"}`)

	c.want(200, "PUT", "/api/models/acme/new/settings", `{"visibility":"public","gated":"manual"}`)
	as(t, h, "").get("/api/models/acme/new")

	sha := h.Repo("acme/new").Put("a.txt", "hi")
	c.want(200, "POST", "/api/repos/move", `{"fromRepo":"acme/new","toRepo":"org/moved","type":"model"}`)
	for _, path := range []string{"/api/models/%s/tree/main?recursive=true", "/%s/resolve/main/a.txt", "/api/models/%s"} {
		r := c.want(307, "GET", fmt.Sprintf(path, "acme/new"), "")
		if got, want := r.Header.Get("Location"), fmt.Sprintf(path, "org/moved"); got != want {
			t.Errorf("redirect to %s, want %s", got, want)
		}
	}
	r := c.want(307, "POST", "/acme/new.git/info/lfs/objects/batch", "{}")
	if got := r.Header.Get("Location"); got != "/org/moved.git/info/lfs/objects/batch" {
		t.Errorf("redirect to %s", got)
	}
	if h.Repo("acme/new").Head("") != sha {
		t.Error("history is lost")
	}
	c.want(200, "DELETE", "/api/repos/delete", `{"name":"moved","organization":"org","type":"model"}`)
	c.denied(404, "RepoNotFound", "GET", "/api/models/org/moved", "")
	c.denied(404, "RepoNotFound", "DELETE", "/api/repos/delete", `{"name":"moved","organization":"org"}`)

	h.Repo("openai-community/gpt2")
	h.Alias("gpt2", "openai-community/gpt2")
	r = c.want(307, "GET", "/api/models/gpt2/tree/main", "")
	if got := r.Header.Get("Location"); got != "/api/models/openai-community/gpt2/tree/main" {
		t.Errorf("redirect to %s", got)
	}
	c.want(307, "GET", "/gpt2/resolve/main/config.json", "")
}

func TestRateLimit(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	h := start(t, Options{Now: func() time.Time { return now }, Limits: Limits{API: 2, Window: time.Minute}})
	h.Repo("acme/m").Put("a.txt", "hi")
	c := as(t, h, "")
	r := c.get("/api/models/acme/m")
	if got := r.Header.Get("RateLimit"); got != `"api";r=1;t=60` {
		t.Errorf("RateLimit %s", got)
	}
	if got := r.Header.Get("RateLimit-Policy"); got != `"fixed window";"api";q=2;w=60` {
		t.Errorf("RateLimit-Policy %s", got)
	}
	c.get("/api/models/acme/m")
	c.want(429, "GET", "/api/models/acme/m", "")
	c.want(307, "GET", "/acme/m/resolve/main/a.txt", "") // another bucket
	as(t, h, "tok-bob").get("/api/models/acme/m")        // another caller
	now = now.Add(time.Minute)
	c.get("/api/models/acme/m")
	h.Throttle(1)
	r = as(t, h, "tok-bob").want(429, "GET", "/api/models/acme/m", "")
	if got := r.Header.Get("RateLimit"); got != `"api";r=0;t=1` {
		t.Errorf("RateLimit %s", got)
	}
	h.SetQuirks(Quirks{NoRateHeaders: true})
	h.Throttle(1)
	if r := as(t, h, "tok-bob").want(429, "GET", "/api/models/acme/m", ""); r.Header.Get("RateLimit") != "" {
		t.Error("RateLimit was sent")
	}
}

func TestDenial(t *testing.T) {
	h := start(t, Options{})
	h.Repo("acme/p").Put("a.txt", "hi")
	h.Repo("acme/p").SetPrivate(true)
	h.Repo("acme/g").Put("a.txt", "hi")
	h.Repo("acme/g").SetGated(true)
	h.Repo("acme/x").SetDisabled(true)
	anon, bob, acme := as(t, h, ""), as(t, h, "tok-bob"), as(t, h, "tok-acme")
	anon.denied(401, "RepoNotFound", "GET", "/acme/p/resolve/main/a.txt", "")
	bob.denied(404, "RepoNotFound", "GET", "/acme/p/resolve/main/a.txt", "")
	acme.get("/acme/p/resolve/main/a.txt")
	anon.get("/api/models/acme/g/tree/main")
	anon.denied(401, "GatedRepo", "GET", "/acme/g/resolve/main/a.txt", "")
	bob.denied(403, "GatedRepo", "GET", "/acme/g/resolve/main/a.txt", "")
	h.Repo("acme/g").Grant("bob")
	bob.get("/acme/g/resolve/main/a.txt")
	bob.get("/api/models/acme/g/auth-check")
	bob.want(403, "GET", "/api/models/acme/g/auth-check/write", "")
	r := acme.want(403, "GET", "/api/models/acme/x", "")
	if r.Header.Get("X-Error-Message") != "Access to this resource is disabled." || r.Header.Get("X-Error-Code") != "" {
		t.Errorf("%v", r.Header)
	}
	h.SetQuirks(Quirks{PlainDenial: true, NoErrorCodes: true})
	r = anon.want(401, "GET", "/api/models/acme/none", "")
	if string(r.body) != "Invalid username or password." || r.Header.Get("X-Error-Code") != "" {
		t.Errorf("%v %s", r.Header, r.body)
	}
	if r := bob.want(404, "GET", "/api/models/acme/none", ""); r.Header.Get("X-Error-Code") != "" {
		t.Error("code was sent")
	}
}

func TestErrorsAreObjects(t *testing.T) {
	h := start(t, Options{})
	r := as(t, h, "tok-bob").want(404, "GET", "/api/models/acme/none", "")
	var body struct{ Error string }
	r.decode(t, &body)
	if body.Error == "" || r.Header.Get("X-Error-Message") == "" || r.Header.Get("X-Request-Id") == "" {
		t.Errorf("%v %s", r.Header, r.body)
	}
	as(t, h, "").want(405, "DELETE", "/api/whoami-v2", "")
}

func TestDuplicate(t *testing.T) {
	h := start(t, Options{})
	repo := h.Repo("acme/m")
	head := repo.Put("m.bin", "\x00m")
	repo.Tag("v1", "main")
	bob := as(t, h, "tok-bob")
	bob.want(403, "POST", "/api/models/acme/m/duplicate", `{"repository":"acme/copy"}`)
	bob.want(200, "POST", "/api/models/acme/m/duplicate", `{"repository":"bob/copy","visibility":"private"}`)
	bob.want(409, "POST", "/api/models/acme/m/duplicate", `{"repository":"bob/copy"}`)
	made := h.Repo("bob/copy")
	if made.Head("v1") != head || len(made.Log("")) != 2 || string(made.Read("", "m.bin")) != "\x00m" {
		t.Errorf("%+v", made.Log(""))
	}
	made.Put("a.txt", "a")
	if repo.Head("") != head {
		t.Error("the source changed")
	}
	as(t, h, "").denied(401, "RepoNotFound", "GET", "/api/models/bob/copy", "")
}
