package remote

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"path"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// A listing of anything: what is shown is valid, sorted, complete and closed
// under parents, and everything else is counted.
func FuzzTree(f *testing.F) {
	const oid = `"oid":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"`
	f.Add(`[{"type":"file","path":"a/b","size":1,` + oid + `},{"type":"directory","path":"a",` + oid + `}]`)
	f.Add(`[{"type":"file","path":"a","size":1,` + oid + `},{"type":"file","path":"a/b/c","size":1,` + oid + `}]`)
	f.Add(`[{"type":"file","path":"a\ud800","size":1,` + oid + `},{"type":"file","path":"\ufffd","size":1,` + oid + `}]`)
	f.Add(`[{"type":"file","path":"../x","size":-1,"lfs":{"oid":"x"}},{"type":"unknown"},5,null,[]]`)
	f.Add("[{\"type\":\"file\",\"path\":\"\xff\",\"size\":1," + oid + "}]")
	f.Add(`[{"type":"file","path":"x","size":130,` + oid + `,"lfs":{"oid":"sha256:` + strings.Repeat("AB", 32) + `","size":9},"xetHash":"` + strings.Repeat("c", 64) + `"}]`)
	f.Fuzz(func(t *testing.T, s string) {
		var items []json.RawMessage
		if json.Unmarshal([]byte(s), &items) != nil {
			return
		}
		for _, deep := range []bool{true, false} {
			b := newTreeBuilder("", deep, maxKeptNodes)
			for _, item := range items {
				if err := b.add(item); err != nil {
					t.Fatal(err)
				}
			}
			l, err := b.build()
			if err != nil {
				t.Fatal(err)
			}
			shown := 0
			for dir, entries := range l.children {
				last := ""
				for i, e := range entries {
					if !ValidPath(e.Path) || parent(e.Path) != dir || e.Size < 0 || i > 0 && path.Base(e.Path) <= last {
						t.Fatalf("%+v in %q after %q", e, dir, last)
					}
					if oid, ok := e.Blob.LFS(); !e.Dir && !(ok && sha256Hex.MatchString(oid)) {
						if oid, ok := e.Blob.Git(); !ok || !gitHex.MatchString(oid) {
							t.Fatalf("%+v", e)
						}
					}
					last = path.Base(e.Path)
					shown++
				}
				if dir != "" {
					if e, ok := find(l.children[parent(dir)], path.Base(dir)); !ok || !e.Dir {
						t.Fatalf("%q is listed and is no directory", dir)
					}
				}
			}
			if shown+l.hidden < len(items) {
				t.Errorf("%d items, %d shown, %d hidden", len(items), shown, l.hidden)
			}
		}
	})
}

// Deep paths without their directories cannot grow a tree past its limit.
func TestTreeLimit(t *testing.T) {
	b := newTreeBuilder("", true, 100)
	deep := strings.Repeat("d/", 200)
	item := `{"type":"file","path":"` + deep + `f","size":1,"oid":"` + strings.Repeat("a", 40) + `"}`
	if err := b.add(json.RawMessage(item)); err != nil {
		t.Fatal(err)
	}
	if l, err := b.build(); !errors.Is(err, errTooMany) {
		t.Errorf("%v, %v", l, err)
	}
}

func FuzzContentRange(f *testing.F) {
	for _, s := range []string{"bytes 0-9/10", "bytes 5-9/*", "bytes */10", "bytes 9-0/10", "Bytes  1-2/3", "bytes 1-2/99999999999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		first, last, total, ok := parseContentRange(s)
		if ok && (first < 0 || last < first || total >= 0 && last >= total || total < -1) {
			t.Errorf("%q: %d-%d/%d", s, first, last, total)
		}
	})
}

func FuzzHeaders(f *testing.F) {
	f.Add(`<https://x/a,b>; rel="next"`, "7", `"api";r=0;t=3`, `W/"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"`, "https://x/?X-Amz-Date=20260101T000000Z&X-Amz-Expires=60")
	f.Add(`<a>;rel=next;x, <b>; rel="prev"`, "Mon, 02 Jan 2006 15:04:05 GMT", `r=;t=`, "", "https://x/?Expires=1700000000")
	f.Add("<<>>;;==", "1e400", ";;;", `""`, "https://x/?se=2026-01-01T00:00:00Z&X-Goog-Expires=-5")
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, link, after, limit, etag, signed string) {
		nextLink([]string{link, etag})
		h := http.Header{"Retry-After": {after}, "Ratelimit": {limit}, "Date": {after}}
		if d := askedWait(h, 429); d < 0 || after == "" && d > 2e6*time.Second {
			t.Errorf("%q %q: wait %s", after, limit, d)
		}
		if e := etagHash(etag); e != "" && !gitHex.MatchString(e) {
			t.Errorf("%q: %q", etag, e)
		}
		if u, err := url.Parse(signed); err == nil {
			if at := expiry(u, http.Header{}, now); at.After(now.Add(8 * 24 * time.Hour)) {
				t.Errorf("%q ends %s", signed, at)
			}
		}
	})
}

func FuzzErrorText(f *testing.F) {
	f.Add(`{"error":"hf_abcdefgh12 at https://x/y?sig=1"}`, "hf_abcdefgh12")
	f.Add("Bearer abc\x1b[0m\u202e", "t")
	f.Fuzz(func(t *testing.T, body, token string) {
		s := redact(errorText(http.Header{"X-Error-Message": {body}}, []byte(body)), newSecret(token))
		if strings.ContainsAny(s, "\x00\x1b\n\r\u202e") || !utf8.ValidString(s) || len(s) > maxMessage+20 {
			t.Errorf("%q", s)
		}
	})
}

func TestRedact(t *testing.T) {
	for in, want := range map[string]string{
		"see https://h/p?X-Amz-Signature=abc&b=c.":  "see https://h/p?***",
		"at http://u:p@h/x and \"https://h/y#z\"":   "at http://***@h/x and \"https://h/y?***\"",
		"Authorization: Bearer xyz":                 "Authorization: Bearer ***",
		"token hf_abcdefghijk, api_org_abcdefghijk": "token ***, ***",
		"mine is s3cret-token":                      "mine is ***",
		"a\nb\x1b[31m\u202ec\xff":                   `a b\u001b[31m\u202ec\ufffd`,
		"https://h/p is fine, so is hf_hub":         "https://h/p is fine, so is hf_hub",
	} {
		if got := redact(in, newSecret("s3cret-token")); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

func TestExpiry(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for raw, want := range map[string]time.Duration{
		"https://x/": defaultLife - time.Minute,
		"https://x/?X-Amz-Date=20251231T235900Z&X-Amz-Expires=3600": 58 * time.Minute,
		"https://x/?X-Amz-Expires=100":                              90 * time.Second,
		"https://x/?Expires=1767227400":                             29 * time.Minute, // 00:30
		"https://x/?Expires=soon&Signature=x":                       defaultLife - time.Minute,
		"https://x/?se=2026-01-01T02:00:00Z":                        119 * time.Minute,
		"https://x/?X-Goog-Date=20260101T000000Z&X-Goog-Expires=20": 18 * time.Second,
		"https://x/?X-Amz-Date=20251231T000000Z&X-Amz-Expires=3600": -1,
	} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		got := expiry(u, http.Header{}, now).Sub(now)
		if want < 0 && got > 0 || want >= 0 && got != want {
			t.Errorf("%s ends in %s, want %s", raw, got, want)
		}
	}
	// A server whose clock is an hour ahead: its own Date counts.
	u, _ := url.Parse("https://x/?X-Amz-Date=20260101T010000Z&X-Amz-Expires=600")
	h := http.Header{"Date": {now.Add(time.Hour).Format(http.TimeFormat)}}
	if got := expiry(u, h, now).Sub(now); got != 9*time.Minute {
		t.Errorf("ends in %s", got)
	}
}
