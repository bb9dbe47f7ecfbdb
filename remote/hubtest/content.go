package hubtest

import (
	"errors"
	"net/http"
	"os"
)

// contentRoute finds what serves r on the content origin. No token may come
// here: object stores refuse a request that is signed and authorised at once.
func (h *Hub) contentRoute(r *http.Request) (string, handler) {
	if r.Header.Get("Authorization") != "" {
		h.leaks.Add(1)
		return KindOther, func(*call) error {
			return s3Error(http.StatusBadRequest, "InvalidArgument", "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified")
		}
	}
	_, seg, ok := segments(r)
	if !ok {
		return KindOther, noRoute
	}
	kind, f := KindOther, handler(noRoute)
	switch {
	case len(seg) == 2 && seg[0] == "lfs" && isHex(seg[1], 64):
		kind, f = KindContent, method(func(c *call) error { return c.object(file{LFS: seg[1]}) }, "GET")
	case len(seg) == 2 && seg[0] == "git" && isHex(seg[1], 40):
		kind, f = KindContent, method(func(c *call) error { return c.object(file{OID: seg[1]}) }, "GET")
	case len(seg) == 2 && seg[0] == "upload" && isHex(seg[1], 64):
		kind, f = KindLFSPut, method(func(c *call) error { return c.upload(seg[1]) }, "PUT")
	case len(seg) == 3 && seg[0] == "part":
		kind, f = KindLFSPut, method(func(c *call) error { return c.uploadPart(seg[1], seg[2]) }, "PUT")
	}
	return kind, func(c *call) error {
		if err := h.signed(r); err != nil {
			return err
		}
		return f(c)
	}
}

// object serves content by its signed URL.
func (c *call) object(f file) error {
	if d := c.r.URL.Query().Get("response-content-disposition"); d != "" {
		c.w.Header().Set("Content-Disposition", d)
	}
	err := c.content(f, "")
	if errors.Is(err, os.ErrNotExist) {
		return s3Error(http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
	}
	return err
}
