package hubtest

import (
	"maps"
	"net/http"
	"slices"
)

// whoami is GET /api/whoami-v2.
func (c *call) whoami() error {
	a := c.who
	if a == nil {
		return &apiError{Status: http.StatusUnauthorized, Message: "Invalid username or password."}
	}
	orgs := []map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(a.Orgs)) {
		orgs = append(orgs, map[string]any{
			"type": "org", "id": gitHash("org", []byte(name))[:24], "name": name, "fullname": name,
			"email": nil, "canPay": false, "periodEnd": nil, "avatarUrl": "", "roleInOrg": a.Orgs[name],
			"isEnterprise": false,
		})
	}
	return c.json(http.StatusOK, map[string]any{
		"type": "user", "id": gitHash("user", []byte(a.name))[:24], "name": a.name, "fullname": a.Fullname,
		"email": a.Email, "emailVerified": true, "isPro": false, "canPay": false, "billingMode": "prepaid",
		"periodEnd": nil, "avatarUrl": "", "orgs": orgs,
		"auth": map[string]any{
			"type":        "access_token",
			"accessToken": map[string]any{"displayName": a.name, "role": a.TokenRole, "createdAt": "2026-01-01T00:00:00.000Z"},
		},
	})
}

func (c *call) authCheck(r *Repo, s *state) error {
	if !c.who.mayOpen(s) {
		return gated(c.who, s.ID)
	}
	return c.json(http.StatusOK, map[string]any{})
}

func (c *call) authCheckWrite(r *Repo, s *state) error {
	if err := c.who.mayWrite(s.namespace()); err != nil {
		return err
	}
	return c.json(http.StatusOK, map[string]any{})
}
