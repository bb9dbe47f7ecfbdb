package hubtest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestPreupload(t *testing.T) {
	h := start(t, Options{})
	repo := h.Repo("acme/m")
	repo.Commit("main", "f", map[string]string{"a.txt": "hi", "m.bin": "\x00", ".gitignore": "*.log\n"})
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	in, _ := json.Marshal(m{"files": []m{
		{"path": "a.txt", "sample": b64("hi"), "size": 2},
		{"path": "m.bin", "sample": b64("\x00"), "size": 1},
		{"path": "small.safetensors", "sample": b64("text"), "size": 4},
		{"path": "bin", "sample": b64("\x00\x01"), "size": 2},
		{"path": "huge.txt", "sample": b64("text"), "size": 11_000_000},
		{"path": "empty.bin", "sample": "", "size": 0},
		{"path": "x.log", "sample": b64("l"), "size": 1},
	}})
	var out struct {
		Files []struct {
			Path, UploadMode string
			ShouldIgnore     *bool
			OID              string
		}
	}
	c := as(t, h, "tok-acme")
	c.want(200, "POST", "/api/models/acme/m/preupload/main", string(in)).decode(t, &out)
	want := []string{"regular", "lfs", "lfs", "lfs", "lfs", "regular", "regular"}
	for i, f := range out.Files {
		if f.UploadMode != want[i] || f.ShouldIgnore == nil || *f.ShouldIgnore != (f.Path == "x.log") {
			t.Errorf("%+v", f)
		}
	}
	if out.Files[0].OID != gitHash("blob", []byte("hi")) || out.Files[1].OID != sum("\x00") || out.Files[2].OID != "" {
		t.Errorf("%+v", out.Files)
	}
	as(t, h, "tok-bob").want(403, "POST", "/api/models/acme/m/preupload/main", string(in))
	c.denied(404, "RevisionNotFound", "POST", "/api/models/acme/m/preupload/none", string(in))
}

func TestLFSBasic(t *testing.T) {
	h := start(t, Options{})
	h.Repo("acme/m")
	h.Repo("acme/other")
	c := as(t, h, "tok-acme")
	const content = "\x00large content"
	o := c.batch("acme/m", content)
	put, verify := o.Actions["upload"].Href, o.Actions["verify"].Href
	if !strings.HasPrefix(put, h.CDNURL()) || !strings.HasPrefix(verify, h.URL()) {
		t.Errorf("%+v", o)
	}
	end := fmt.Sprintf(`{"oid":%q,"size":%d}`, sum(content), len(content))
	c.want(404, "POST", verify, end)
	c.want(400, "PUT", put, content+"x")
	c.want(400, "PUT", put, strings.ToUpper(content))
	c.want(403, "GET", put, "")
	c.want(200, "PUT", put, content)
	c.want(422, "POST", verify, fmt.Sprintf(`{"oid":%q,"size":1}`, sum(content)))
	// Uploaded, but not verified: not the repo's yet.
	c.commit(400, "acme/m", "main", ndjson(m{"summary": "s"}, line("lfsFile", m{"path": "a.bin", "algo": "sha256", "oid": sum(content), "size": len(content)})))
	c.want(200, "POST", verify, end)
	if o := c.batch("acme/m", content); o.Actions != nil || o.Error != nil {
		t.Errorf("%+v", o)
	}
	// What one repo has, another must still show that it has it.
	if o := c.batch("acme/other", content); o.Actions == nil {
		t.Errorf("%+v", o)
	}
	if o := c.batch("acme/m", ""); o.Error == nil {
		t.Error("an empty object was taken")
	}
	in := fmt.Sprintf(`{"operation":"download","objects":[{"oid":%q,"size":1}]}`, sum(content))
	var out struct{ Objects []lfsObject }
	as(t, h, "").want(200, "POST", "/acme/m.git/info/lfs/objects/batch", in, "Accept", lfsMedia).decode(t, &out)
	if r := c.get(out.Objects[0].Actions["download"].Href); string(r.body) != content {
		t.Errorf("%q", r.body)
	}
	up := strings.Replace(in, "download", "upload", 1)
	as(t, h, "").want(401, "POST", "/acme/m.git/info/lfs/objects/batch", up, "Accept", lfsMedia)
	as(t, h, "tok-bob").want(403, "POST", "/acme/m.git/info/lfs/objects/batch", strings.Replace(up, "{", `{"ref":{"name":"main"},`, 1), "Accept", lfsMedia)
	as(t, h, "tok-bob").want(200, "POST", "/acme/m.git/info/lfs/objects/batch", up, "Accept", lfsMedia)

	in = fmt.Sprintf(`{"target":{"type":"model","name":"acme/other"},"files":[{"xetHash":"","sha256":%q,"filename":"a"},{"sha256":%q}]}`, sum(content), sum("?"))
	var dup struct{ Failed []struct{ SHA256 string } }
	c.want(200, "POST", "/api/models/acme/m/lfs-files/duplicate", in).decode(t, &dup)
	if len(dup.Failed) != 1 || dup.Failed[0].SHA256 != sum("?") || c.batch("acme/other", content).Actions != nil {
		t.Errorf("%+v", dup)
	}
}

func TestLFSMultipart(t *testing.T) {
	h := start(t, Options{MultipartOver: 10, PartSize: 4})
	h.Repo("acme/m")
	c := as(t, h, "tok-acme")
	const content = "\x00abcdefghij"
	if o := c.batch("acme/m", content); o.Actions["upload"].Header != nil {
		t.Error("multipart without being asked for")
	}
	o := c.batch("acme/m", content, "basic", "multipart")
	up := o.Actions["upload"]
	if up.Header["chunk_size"] != "4" || len(up.Header) != 4 {
		t.Fatalf("%+v", up)
	}
	var parts []m
	for i := range 3 {
		href := up.Header[fmt.Sprintf("%05d", i+1)]
		r := c.want(200, "PUT", href, content[i*4:min(i*4+4, len(content))])
		parts = append(parts, m{"partNumber": i + 1, "etag": r.Header.Get("ETag")})
	}
	in := func(ps []m) string { b, _ := json.Marshal(m{"oid": sum(content), "parts": ps}); return string(b) }
	anon := as(t, h, "") // completion is signed and needs no token
	anon.want(400, "POST", up.Href, in(parts[:2]))
	anon.want(400, "POST", up.Href, in([]m{parts[0], parts[1], {"partNumber": 3, "etag": "x"}}))
	anon.want(403, "POST", strings.Replace(up.Href, "signature=", "signature=0", 1), in(parts))
	anon.want(200, "POST", up.Href, in(parts))
	c.want(200, "POST", o.Actions["verify"].Href, fmt.Sprintf(`{"oid":%q,"size":%d}`, sum(content), len(content)))
	if c.batch("acme/m", content).Actions != nil {
		t.Error("not stored")
	}
}
