package hubtest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// amzDate is how S3 writes times in signed URLs.
const amzDate = "20060102T150405Z"

// sign makes the content origin's URL for one method and path, with extra
// query parameters that the signature covers.
func (h *Hub) sign(r *http.Request, method, path string, extra url.Values) string {
	now := h.opt.Now().UTC()
	q := url.Values{}
	for k, v := range extra {
		q[k] = v
	}
	seconds := max(1, int64(h.opt.URLTTL/time.Second))
	if h.quirks.Load().CloudFront {
		q.Set("Expires", itoa(now.Unix()+seconds))
		q.Set("Key-Pair-Id", "KHUBTEST")
		q.Set("Policy", "hubtest")
		q.Set("Signature", h.signature(method, path, q))
	} else {
		q.Set("X-Amz-Algorithm", "AWS4-HMAC-SHA256")
		q.Set("X-Amz-Date", now.Format(amzDate))
		q.Set("X-Amz-Expires", itoa(seconds))
		q.Set("X-Amz-SignedHeaders", "host")
		q.Set("X-Amz-Signature", h.signature(method, path, q))
	}
	return h.cdnFor(r) + path + "?" + q.Encode()
}

// signature covers everything in q but itself.
func (h *Hub) signature(method, path string, q url.Values) string {
	c := url.Values{}
	for k, v := range q {
		if k != "Signature" && k != "X-Amz-Signature" {
			c[k] = v
		}
	}
	m := hmac.New(sha256.New, h.secret)
	fmt.Fprintf(m, "%s\n%s\n%s\n%d", method, path, c.Encode(), h.expired.Load())
	return hex.EncodeToString(m.Sum(nil))
}

// signed checks that r carries a signature that still holds.
func (h *Hub) signed(r *http.Request) error {
	q := r.URL.Query()
	sig := q.Get("X-Amz-Signature") + q.Get("Signature")
	want := h.signature(r.Method, r.URL.EscapedPath(), q)
	if !hmac.Equal([]byte(sig), []byte(want)) {
		return h.gone("SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided.")
	}
	end, err := expiry(q)
	if err != nil || !h.opt.Now().Before(end) {
		return h.gone("AccessDenied", "Request has expired")
	}
	return nil
}

func expiry(q url.Values) (time.Time, error) {
	if e := q.Get("Expires"); e != "" {
		n, err := strconv.ParseInt(e, 10, 64)
		return time.Unix(n, 0), err
	}
	from, err := time.Parse(amzDate, q.Get("X-Amz-Date"))
	if err != nil {
		return time.Time{}, err
	}
	n, err := strconv.Atoi(q.Get("X-Amz-Expires"))
	return from.Add(time.Duration(n) * time.Second), err
}

// gone is an URL that is no longer good.
func (h *Hub) gone(code, message string) error {
	status := http.StatusForbidden
	if s := h.quirks.Load().GoneStatus; s != 0 {
		status = s
	}
	return s3Error(status, code, message)
}

// s3Error is an error as object stores answer it.
func s3Error(status int, code, message string) error {
	return &apiError{
		Status: status, Text: true, Header: map[string]string{"Content-Type": "application/xml"},
		Message: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>" + code + "</Code><Message>" + message + "</Message></Error>",
	}
}

// ExpireURLs ends the life of every content URL that was given out so far.
func (h *Hub) ExpireURLs() { h.expired.Add(1) }
