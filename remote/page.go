package remote

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

const (
	maxPages = 2000
	maxItems = 200_000 // of one page; the Hub's have 1,000
)

// pages fetches a paginated list. each is called for every item of a page;
// end, after the last item of a page, tells whether to go on. Pages are linked
// by `Link: <URL>; rel="next"`, followed as they are, on the endpoint only.
func (c *Client) pages(ctx context.Context, path string, each func(json.RawMessage) error, end func(last bool) (more bool)) error {
	seen := map[string]bool{}
	for page := 1; ; page++ {
		seen[path] = true
		var res *http.Response
		var items []json.RawMessage
		err := c.exchange(ctx, call{method: http.MethodGet, path: path, accept: "application/json"}, func(r *http.Response) (err error) {
			res = r
			items, err = readItems(r)
			return err
		})
		if err != nil {
			return err
		}
		for _, item := range items {
			if err := each(item); err != nil {
				return c.badAnswer(res, err)
			}
		}
		next := nextLink(res.Header.Values("Link"))
		if !end(next == "") || next == "" {
			return nil
		}
		u, err := c.hubURL(next)
		if err == nil && !sameOrigin(u, c.endpoint) {
			if !strings.EqualFold(u.Hostname(), c.endpoint.Hostname()) {
				return c.netError(res.Request, fmt.Errorf("the list goes on at another host, %s", quote(u.Host)))
			}
			u.Scheme, u.Host = c.endpoint.Scheme, c.endpoint.Host
		}
		if err != nil {
			return c.netError(res.Request, err)
		}
		path = u.String()
		if seen[path] || page >= maxPages {
			return c.netError(res.Request, fmt.Errorf("the list has no end"))
		}
	}
}

// readItems reads a JSON array.
func readItems(res *http.Response) (items []json.RawMessage, err error) {
	d := json.NewDecoder(&bounded{r: res.Body, left: maxPage})
	t, err := d.Token()
	if err == nil && t != json.Delim('[') {
		err = fmt.Errorf("the answer is not the list that was asked for")
	}
	for err == nil && d.More() {
		var item json.RawMessage
		if err = d.Decode(&item); err == nil {
			items = append(items, item)
		}
		if len(items) > maxItems {
			err = errTooLong // items of a byte each would take 20 times their page
		}
	}
	if err == nil {
		_, err = d.Token() // the closing bracket: without it the page was cut
	}
	return items, err
}

// nextLink finds the target of rel="next" in Link headers. A target may hold
// commas and semicolons, so it is read up to its closing bracket.
func nextLink(headers []string) string {
	for _, h := range headers {
		for {
			i := strings.IndexByte(h, '<')
			if i < 0 {
				break
			}
			j := strings.IndexByte(h[i:], '>')
			if j < 0 {
				break
			}
			target := h[i+1 : i+j]
			h = h[i+j+1:]
			params := h
			if k := strings.IndexByte(h, '<'); k >= 0 {
				params = h[:k]
			}
			for p := range strings.SplitSeq(params, ";") {
				k, v, _ := strings.Cut(strings.Trim(p, " \t,"), "=")
				if strings.EqualFold(strings.TrimSpace(k), "rel") && strings.EqualFold(strings.Trim(v, ` "`), "next") {
					return target
				}
			}
		}
	}
	return ""
}

// escapePath escapes an entry's path for a URL; slashes stay.
func escapePath(p string) string {
	parts := strings.Split(p, "/")
	for i := range parts {
		parts[i] = escapeSegment(parts[i])
	}
	return strings.Join(parts, "/")
}

// escapeSegment escapes all but letters, digits and "-_.~", as huggingface_hub
// does: a '+' as it is means a space to some stores and proxies.
func escapeSegment(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
