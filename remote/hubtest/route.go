package hubtest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// segments are the path's parts, each decoded for itself: routing on the
// decoded path would lose a %2F in a revision.
func segments(r *http.Request) (raw, dec []string, ok bool) {
	raw = strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	dec = make([]string, len(raw))
	for i, s := range raw {
		d, err := url.PathUnescape(s)
		if err != nil {
			return nil, nil, false
		}
		dec[i] = d
	}
	return raw, dec, true
}

func noRoute(*call) error { return errNoRoute }

// method guards f.
func method(f handler, methods ...string) handler {
	return func(c *call) error {
		m := c.r.Method
		if m == http.MethodHead && slices.Contains(methods, http.MethodGet) {
			m = http.MethodGet
		}
		if !slices.Contains(methods, m) {
			return &apiError{Status: http.StatusMethodNotAllowed, Message: "Method not allowed"}
		}
		return f(c)
	}
}

// route finds what serves r on the Hub origin.
func (h *Hub) route(r *http.Request) (kind string, f handler) {
	raw, seg, ok := segments(r)
	if !ok {
		return KindOther, func(*call) error { return badRequest("Malformed URL") }
	}
	if seg[0] != "api" {
		return h.webRoute(raw, seg)
	}
	if len(seg) < 2 {
		return KindOther, noRoute
	}
	if t := repoType(seg[1]); t != "" {
		if len(seg) == 2 || len(seg) == 3 && seg[2] == "" {
			return KindList, method(func(c *call) error { return c.list(t) }, "GET")
		}
		return h.repoRoute(t, raw, seg, 2, h.apiAction)
	}
	switch strings.Join(seg[1:], "/") {
	case "whoami-v2":
		return KindWhoami, method((*call).whoami, "GET")
	case "validate-yaml":
		return KindValidate, method((*call).validateYAML, "POST")
	case "complete_multipart":
		return KindLFSEnd, method((*call).completeMultipart, "POST")
	case "repos/create":
		return KindCreate, method((*call).createRepo, "POST")
	case "repos/delete":
		return KindAdmin, method((*call).deleteRepo, "DELETE")
	case "repos/move":
		return KindAdmin, method((*call).moveRepo, "POST")
	}
	if seg[1] == "resolve-cache" && len(seg) > 3 {
		if t := repoType(seg[2]); t != "" {
			return h.repoRoute(t, raw, seg, 3, cacheAction)
		}
	}
	return KindOther, noRoute
}

// An action is what a path asks of a repo; tail is what follows the id.
type action func(tail []string) (kind string, f repoHandler, methods []string)

type repoHandler func(c *call, r *Repo, s *state) error

// repoRoute splits the id, at seg[at], from the action that follows it.
func (h *Hub) repoRoute(t string, raw, seg []string, at int, act action) (string, handler) {
	n := 2
	if len(seg) == at+1 || len(seg) > at+1 && h.oneWord(t, seg[at]) {
		n = 1 // a legacy id
	}
	id := strings.Join(seg[at:at+n], "/")
	git := strings.HasSuffix(id, ".git")
	id = strings.TrimSuffix(id, ".git")
	kind, f, methods := act(seg[at+n:])
	if f == nil {
		return KindOther, noRoute
	}
	serve := func(c *call) error {
		r, s, err := c.open(t, id)
		if err != nil {
			return err
		}
		if s.ID != id {
			to := s.ID
			if git {
				to += ".git"
			}
			return c.moved(slices.Concat(raw[:at], strings.Split(to, "/"), raw[at+n:]))
		}
		return f(c, r, s)
	}
	if h.isMoved(t, id) {
		kind = KindRedirect
	}
	return kind, method(serve, methods...)
}

func (h *Hub) oneWord(t, word string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.moved[key(t, word)] != ""
}

func (h *Hub) isMoved(t, id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.repos[key(t, id)] == nil && h.moved[key(t, id)] != ""
}

// open finds a repo that the caller may see. A missing repo and a hidden one
// answer alike.
func (c *call) open(t, id string) (*Repo, *state, error) {
	r := c.hub.find(t, id)
	if r != nil {
		if s := r.load(); c.who.mayRead(s) {
			if s.Disabled {
				return nil, nil, errDisabled
			}
			return r, s, nil
		}
	}
	if c.who == nil {
		return nil, nil, errAnonymous
	}
	return nil, nil, errRepoNotFound
}

// moved redirects to the same thing under the repo's present id.
func (c *call) moved(path []string) error {
	to := "/" + strings.Join(path, "/")
	if q := c.r.URL.RawQuery; q != "" {
		to += "?" + q
	}
	c.w.Header().Set("Location", to)
	c.w.WriteHeader(http.StatusTemporaryRedirect)
	return nil
}

// webRoute is everything outside /api.
func (h *Hub) webRoute(raw, seg []string) (string, handler) {
	t, at := "model", 0
	if k := repoType(seg[0]); k != "" && k != "model" {
		t, at = k, 1
	}
	if len(seg) < at+2 {
		return KindOther, noRoute
	}
	return h.repoRoute(t, raw, seg, at, webAction)
}

func webAction(tail []string) (string, repoHandler, []string) {
	if len(tail) == 0 {
		return KindOther, nil, nil
	}
	switch {
	case len(tail) > 2 && (tail[0] == "resolve" || tail[0] == "raw"):
		rev, path, raw := tail[1], strings.Join(tail[2:], "/"), tail[0] == "raw"
		return KindResolve, func(c *call, r *Repo, s *state) error {
			return c.resolve(r, s, rev, path, raw)
		}, []string{"GET"}
	case strings.Join(tail, "/") == "info/lfs/objects/batch":
		return KindLFSBatch, (*call).lfsBatch, []string{"POST"}
	case strings.Join(tail, "/") == "info/lfs/verify":
		return KindVerify, (*call).lfsVerify, []string{"POST"}
	}
	return KindOther, nil, nil
}

func cacheAction(tail []string) (string, repoHandler, []string) {
	if len(tail) < 2 {
		return KindOther, nil, nil
	}
	rev, path := tail[0], strings.Join(tail[1:], "/")
	return KindContent, func(c *call, r *Repo, s *state) error {
		return c.resolveCache(r, s, rev, path)
	}, []string{"GET"}
}
