package hubtest

import (
	"encoding/base64"
	"strconv"
)

// pageSize is the number of items of this page: what limit asks, at most
// most.
func (c *call) pageSize(usual, most int) int {
	n, err := strconv.Atoi(c.r.URL.Query().Get("limit"))
	if err != nil || n <= 0 {
		n = usual
	}
	return min(n, most)
}

// next sets the Link header to the page that begins after the item at.
func (c *call) next(at string) {
	u := *c.r.URL
	q := u.Query()
	q.Set("cursor", base64.URLEncoding.EncodeToString([]byte(at)))
	u.RawQuery = q.Encode()
	c.w.Header().Set("Link", "<"+endpointFor(c.r)+u.EscapedPath()+"?"+u.RawQuery+`>; rel="next"`)
}

// cursor is the item that the last page ended with; "" for the first page.
func (c *call) cursor() (string, error) {
	v := c.r.URL.Query().Get("cursor")
	b, err := base64.URLEncoding.DecodeString(v)
	if err != nil {
		return "", badRequest("Invalid cursor")
	}
	return string(b), nil
}
