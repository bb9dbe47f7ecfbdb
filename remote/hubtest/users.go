package hubtest

import (
	"net/http"
	"strings"
)

// User is what a token's owner may do.
type User struct {
	Orgs      map[string]string // organisation → role: admin, write, contributor, read
	TokenRole string            // write (also ""), read or fineGrained
	Fullname  string
	Email     string
}

type account struct {
	User
	name  string
	token string
}

// AddUser lets token speak for name. A second call for a token replaces it.
func (h *Hub) AddUser(name, token string, u User) {
	if u.TokenRole == "" {
		u.TokenRole = "write"
	}
	if u.Fullname == "" {
		u.Fullname = name
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.users[token] = &account{User: u, name: name, token: token}
}

// RemoveToken makes token an unknown one.
func (h *Hub) RemoveToken(token string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.users, token)
}

// caller finds who sent r: nil without a token, an error for a bad one.
func (h *Hub) caller(r *http.Request) (*account, error) {
	auth := r.Header.Get("Authorization")
	if auth == "" {
		return nil, nil
	}
	token, ok := strings.CutPrefix(auth, "Bearer ")
	if !ok {
		return nil, errBadToken
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if a := h.users[token]; a != nil {
		return a, nil
	}
	return nil, errBadToken
}

// member tells a's role in namespace: "owner" of its own, "" for none.
func (a *account) member(namespace string) string {
	if a == nil {
		return ""
	}
	if a.name == namespace {
		return "owner"
	}
	return a.Orgs[namespace]
}

// mayRead: everybody's public repos, and private ones of its namespaces.
func (a *account) mayRead(s *state) bool {
	return !s.Private || a.member(s.namespace()) != ""
}

// mayOpen says whether a gated repo's content is open to a.
func (a *account) mayOpen(s *state) bool {
	if s.Gated == "" || a.member(s.namespace()) != "" {
		return true
	}
	return a != nil && s.Granted[a.name]
}

const readToken = "Forbidden: you must use a write token to access this resource. Please generate a new token with write access."

// mayWrite is nil if a may change repos of namespace.
func (a *account) mayWrite(namespace string) error {
	if a == nil {
		return errAnonymous
	}
	if a.TokenRole == "read" {
		return forbidden(readToken)
	}
	switch a.member(namespace) {
	case "owner", "admin", "write":
		return nil
	case "contributor":
		return forbidden("Forbidden: contributors can only change their own repositories of " + namespace + ".")
	}
	return forbidden("Forbidden: you don't have the required permissions to write to " + namespace + ".")
}

// mayPropose is nil if a may open pull requests and discussions on s: who can
// read it may, unless it has switched them off.
func (a *account) mayPropose(s *state) error {
	if a == nil {
		return errAnonymous
	}
	if a.TokenRole == "read" {
		return forbidden(readToken)
	}
	if s.Silent {
		return forbidden("Discussions are disabled for this repo")
	}
	return nil
}

// mayCreate is nil if a may make a repo in namespace.
func (a *account) mayCreate(namespace string) error {
	if a != nil && a.TokenRole != "read" && a.member(namespace) == "contributor" {
		return nil
	}
	err := a.mayWrite(namespace)
	if err != nil && a != nil && a.TokenRole != "read" {
		return forbidden("You don't have the rights to create a model under the namespace \"" + namespace + "\"")
	}
	return err
}
