package remote

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// defaultLife is how long a URL is kept that does not say when it ends. The
// Hub's live about an hour.
const defaultLife = 50 * time.Minute

// expiry finds in a signed URL when it ends: X-Amz-Date and X-Amz-Expires (S3),
// the same with X-Goog, Expires in Unix seconds (CloudFront and old S3), se
// (Azure). The server's clock is the Date of its answer if there is one. A
// tenth of the life, at most a minute, is left for requests on their way.
func expiry(u *url.URL, h http.Header, now time.Time) time.Time {
	server := now
	if d, err := http.ParseTime(h.Get("Date")); err == nil {
		server = d
	}
	life := defaultLife
	q := u.Query()
	get := func(name string) string {
		for k, v := range q {
			if strings.EqualFold(k, name) && len(v) > 0 {
				return v[0]
			}
		}
		return ""
	}
	for _, vendor := range []string{"X-Amz-", "X-Goog-"} {
		n, err := strconv.ParseInt(get(vendor+"Expires"), 10, 32)
		if err != nil {
			continue
		}
		life = time.Duration(n) * time.Second
		if signed, err := time.Parse("20060102T150405Z", get(vendor+"Date")); err == nil {
			life = signed.Add(life).Sub(server)
		}
	}
	if n, err := strconv.ParseInt(get("Expires"), 10, 64); err == nil && n > 1e9 && n < 1e11 {
		life = time.Unix(n, 0).Sub(server)
	}
	if t, err := time.Parse(time.RFC3339, get("se")); err == nil {
		life = t.Sub(server)
	}
	life = min(life, 7*24*time.Hour)
	return now.Add(life - min(life/10, time.Minute))
}

// agrees compares what an answer says about the file with the tree's entry:
// X-Linked-Size, X-Linked-Etag, or the plain ETag if there is none of it. Only
// the Hub's own words count; object stores have etags of other kinds. An etag
// that is not a hash (40 or 64 hex digits) says nothing.
func (k *Content) agrees(res *http.Response, away bool) error {
	if away || !sameOrigin(res.Request.URL, k.c.endpoint) {
		return nil
	}
	h := res.Header
	if v := h.Get("X-Linked-Size"); v != "" {
		if n, err := strconv.ParseInt(v, 10, 64); err != nil || n != k.e.Size {
			return fmt.Errorf("%w: %s has %d bytes in the tree, %s here", ErrMismatch, quote(k.e.Path), k.e.Size, quote(escape(v, 40)))
		}
	}
	_, want, _ := strings.Cut(k.e.Blob.ID, ":")
	linked := h.Get("X-Linked-Etag")
	got := etagHash(linked)
	if linked == "" {
		// A server may stream the content store's answer through itself, with
		// an etag of the store's own kind: a plain one counts only where the Hub
		// gives the blob's. And some servers tag a large file with the id of its
		// pointer: hashes of different kinds are no contradiction.
		p := res.Request.URL.Path
		if !strings.Contains(p, "/resolve/") && !strings.Contains(p, "/api/resolve-cache/") {
			return nil
		}
		if got = etagHash(h.Get("ETag")); len(got) != len(want) {
			return nil
		}
	}
	if got != "" && got != want {
		return fmt.Errorf("%w: %s is %s in the tree, %s here", ErrMismatch, quote(k.e.Path), k.e.Blob.ID, got)
	}
	return nil
}

// etagHash is the hash in an etag: strong or weak, quoted or not; "" if it is
// something else.
func etagHash(s string) string {
	s = strings.TrimPrefix(strings.TrimSpace(s), "W/")
	s = strings.ToLower(strings.Trim(s, `"`))
	if !gitHex.MatchString(s) {
		return ""
	}
	return s
}
