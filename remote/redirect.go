package remote

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

const maxHops = 5

// follow sends a request and follows its redirects, by rules of its own:
//
//   - at most five, to http and https URLs without a user, never from https to http;
//   - only GET and HEAD survive a 301, 302 or 303; a body is sent again only
//     after 307 and 308, and to another origin only if it is an upload (PUT);
//   - another origin gets no header that says who asks, and no token, nor does
//     whatever it redirects to (stray).
//
// hop, if not nil, sees each redirect before it is followed; its error ends the
// request. The response is the first that is no redirect, whatever its status.
func (c *Client) follow(req *http.Request, hop func(res *http.Response, to *url.URL) error) (*http.Response, error) {
	for hops := 0; ; hops++ {
		res, err := c.tr.RoundTrip(req)
		if err != nil {
			return nil, c.netError(req, err)
		}
		res.Request = req
		c.warn(res)
		if !isRedirect(res) {
			return res, nil
		}
		next, err := c.redirected(req, res)
		if err == nil && hops >= maxHops {
			err = fmt.Errorf("more than %d redirects", maxHops)
		}
		if err == nil && hop != nil {
			err = hop(res, next.URL)
		}
		drain(res.Body)
		if err != nil {
			if next != nil {
				closeBody(next)
			}
			return nil, c.netError(req, err)
		}
		req = next
	}
}

func isRedirect(res *http.Response) bool {
	switch res.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return res.Header.Get("Location") != ""
	}
	return false
}

// redirected is the request that a redirect asks for, or why it is not made.
// Its errors name hosts only: a Location may be signed.
func (c *Client) redirected(req *http.Request, res *http.Response) (*http.Request, error) {
	to, err := req.URL.Parse(res.Header.Get("Location"))
	if err != nil {
		return nil, fmt.Errorf("redirect to something that is no URL")
	}
	scheme := strings.ToLower(to.Scheme)
	switch {
	case scheme != "http" && scheme != "https" || to.Host == "":
		return nil, fmt.Errorf("redirect to %s, which is not HTTP", quote(to.Scheme))
	case scheme == "http" && strings.EqualFold(req.URL.Scheme, "https"):
		return nil, fmt.Errorf("redirect from https to http at %s", quote(to.Host))
	case to.User != nil:
		return nil, fmt.Errorf("redirect to a URL with a user at %s", quote(to.Host))
	}
	to.Fragment, to.RawFragment = "", ""
	away := !sameOrigin(to, req.URL)
	read := req.Method == http.MethodGet || req.Method == http.MethodHead
	if !read {
		kept := res.StatusCode == http.StatusTemporaryRedirect || res.StatusCode == http.StatusPermanentRedirect
		if !kept {
			return nil, fmt.Errorf("%d redirect of a %s", res.StatusCode, req.Method)
		}
		if away && req.Method != http.MethodPut {
			return nil, fmt.Errorf("redirect of a %s to another host, %s", req.Method, quote(to.Host))
		}
	}
	next, ok := rewind(req)
	if !ok {
		return nil, fmt.Errorf("redirect of a request whose body cannot be sent again")
	}
	if away || !sameOrigin(to, c.endpoint) {
		next = next.WithContext(stray(next.Context()))
	}
	next.URL, next.Host = to, ""
	return next, nil
}
