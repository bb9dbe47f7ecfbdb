package remote

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// WhoAmI asks who the token belongs to. The Hub limits this call strictly, so
// its answer is kept for the life of the client. A token that the Hub does not
// know is ErrBadToken; without a token the error is fs.ErrPermission.
func (c *Client) WhoAmI(ctx context.Context) (User, error) {
	if c.Anonymous() {
		return User{}, &Error{Status: 401, Method: "GET", URL: c.base + "/api/whoami-v2", Message: "no token is set"}
	}
	if user, ok := c.KnownUser(); ok {
		return user, nil
	}
	return shared(ctx, c, "whoami", func(ctx context.Context) (User, error) {
		// Somebody may have asked between the miss and this flight.
		if user, ok := c.KnownUser(); ok {
			return user, nil
		}
		var w struct {
			Name string `json:"name"`
			Orgs []struct {
				Name      string `json:"name"`
				Role      string `json:"role"`
				RoleInOrg string `json:"roleInOrg"`
			} `json:"orgs"`
			Auth struct {
				AccessToken struct {
					Role        string `json:"role"`
					FineGrained struct {
						Scoped json.RawMessage `json:"scoped"`
					} `json:"fineGrained"`
				} `json:"accessToken"`
			} `json:"auth"`
		}
		res, err := c.getJSON(ctx, "/api/whoami-v2", &w, maxJSON)
		if err != nil {
			return User{}, badToken(err)
		}
		if !ValidName(w.Name) {
			return User{}, c.netError(res.Request, fmt.Errorf("the server calls the user %s", quote(escape(w.Name, 200))))
		}
		u := User{Name: w.Name, TokenRole: w.Auth.AccessToken.Role}
		for _, o := range w.Orgs {
			if o.RoleInOrg == "" {
				o.RoleInOrg = o.Role
			}
			if ValidName(o.Name) {
				u.Orgs = append(u.Orgs, Org{Name: o.Name, Role: o.RoleInOrg})
			}
		}
		u.addScopes(w.Auth.AccessToken.FineGrained.Scoped)
		c.mu.Lock()
		c.user = &u
		c.mu.Unlock()
		return u, nil
	})
}

// A wireScope is one thing that a fine-grained token is made for: a user, an
// organization or a single repo.
type wireScope struct {
	Entity struct {
		Name string `json:"name"`
	} `json:"entity"`
	Permissions []string `json:"permissions"`
}

// addScopes adds the organizations that a fine-grained token may write in and
// that the answer does not list, which depends on the token.
func (u *User) addScopes(scoped json.RawMessage) {
	var scopes []wireScope
	if json.Unmarshal(scoped, &scopes) != nil {
		return // none, or of a shape not known: only the Hub can tell then
	}
	for _, s := range scopes {
		ns, _, _ := strings.Cut(s.Entity.Name, "/")
		known := strings.EqualFold(ns, u.Name) || slices.ContainsFunc(u.Orgs, func(o Org) bool { return strings.EqualFold(o.Name, ns) })
		if !known && ValidName(ns) && slices.Contains(s.Permissions, "repo.write") {
			u.Orgs = append(u.Orgs, Org{Name: ns})
		}
	}
}

// KnownUser is what WhoAmI has answered before, if it has. It makes no request.
func (c *Client) KnownUser() (User, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.user == nil {
		return User{}, false
	}
	return *c.user, true
}

// badToken makes a 401 of whoami what it always is there.
func badToken(err error) error {
	if e, ok := err.(*Error); ok && e.Status == 401 && !e.content {
		e.badToken = true
	}
	return err
}

// MayWrite tells whether commits to repo at its revision can be expected to
// succeed, and if not, why in words for the user. It needs the answer of
// WhoAmI, and for a revision other than the default branch the repo's refs. A
// place where only the Hub can tell (a fine-grained token, an organization
// that does not show roles) counts as writable.
func (c *Client) MayWrite(ctx context.Context, repo Repo) (ok bool, reason string, err error) {
	if err := repo.check(); err != nil {
		return false, "", err
	}
	if c.Anonymous() {
		return false, "no token: log in or set HF_TOKEN to write", nil
	}
	if IsCommit(repo.Rev) {
		return false, "a commit never changes; mount a branch to write", nil
	}
	if strings.HasPrefix(repo.Rev, "refs/convert/") {
		return false, repo.Rev + " is made by the Hub", nil
	}
	if repo.Namespace() == "" { // an id from before there were namespaces
		info, err := c.Info(ctx, Repo{Type: repo.Type, ID: repo.ID})
		if err != nil {
			return false, "", err
		}
		repo.ID = info.ID
	}
	user, err := c.WhoAmI(ctx)
	if err != nil {
		return false, "", err
	}
	if reason := user.refusal(repo.Namespace()); reason != "" {
		return false, reason, nil
	}
	if repo.Branch() == DefaultBranch || strings.HasPrefix(repo.Rev, "refs/pr/") {
		return true, "", nil
	}
	refs, err := c.Refs(ctx, repo)
	if err != nil {
		return false, "", err
	}
	for _, b := range refs.Branches {
		if b.Name == repo.Rev || b.Ref == repo.Rev {
			return true, "", nil
		}
	}
	for _, t := range refs.Tags {
		if t.Name == repo.Rev || t.Ref == repo.Rev {
			return false, repo.Rev + " is a tag; mount a branch to write", nil
		}
	}
	return false, repo.Rev + " is not a branch", nil
}

// MayPropose tells whether a pull request on repo can be expected to be taken,
// and if not, why in words for the user. Whoever can read a repo may open one,
// unless its owner has switched discussions off, which only the Hub knows.
func (c *Client) MayPropose(ctx context.Context, repo Repo) (ok bool, reason string, err error) {
	if err := repo.check(); err != nil {
		return false, "", err
	}
	if c.Anonymous() {
		return false, "no token: log in or set HF_TOKEN to open a pull request", nil
	}
	user, err := c.WhoAmI(ctx)
	if err != nil {
		return false, "", err
	}
	if user.TokenRole == "read" {
		return false, "the token may only read", nil
	}
	return true, "", nil
}

// refusal is why u cannot write in a namespace, or "".
func (u User) refusal(ns string) string {
	if u.TokenRole == "read" {
		return "the token may only read"
	}
	if strings.EqualFold(ns, u.Name) || ns == "" {
		return ""
	}
	for _, o := range u.Orgs {
		if strings.EqualFold(o.Name, ns) {
			if o.Role == "read" || o.Role == "no_access" {
				return u.Name + " may only read in " + o.Name
			}
			return ""
		}
	}
	return u.Name + " is not a member of " + ns
}
