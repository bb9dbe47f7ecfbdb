package hubtest

import (
	"errors"
	"net/http"
	"slices"
	"strings"
)

// orType reads a repo type that may be left out.
func orType(t string) (string, error) {
	switch t {
	case "", "model":
		return "model", nil
	case "dataset", "space":
		return t, nil
	}
	return "", badRequest("Invalid repository type: " + t)
}

func visibility(v string) (private bool, err error) {
	switch v {
	case "", "public", "protected":
		return false, nil
	case "private":
		return true, nil
	}
	return false, badRequest("Invalid visibility: " + v)
}

// createRepo is POST /api/repos/create.
func (c *call) createRepo() error {
	if c.who == nil {
		return errAnonymous
	}
	var in struct {
		Name         string  `json:"name"`
		Organization *string `json:"organization"`
		Type         string  `json:"type"`
		Visibility   string  `json:"visibility"`
		Private      *bool   `json:"private"` // of older clients
		SDK          string  `json:"sdk"`
	}
	if err := c.read(&in); err != nil {
		return err
	}
	t, err := orType(in.Type)
	if err != nil {
		return err
	}
	ns := c.who.name
	if in.Organization != nil && *in.Organization != "" {
		ns = *in.Organization
	}
	id := ns + "/" + in.Name
	if err := validID(id); err != nil {
		return err
	}
	private, err := visibility(in.Visibility)
	if err != nil {
		return err
	}
	private = private || in.Private != nil && *in.Private
	if t == "space" {
		if !slices.Contains([]string{"gradio", "streamlit", "docker", "static"}, in.SDK) {
			return badRequest("\"sdk\" is required: gradio, streamlit, docker or static")
		}
	}
	if err := c.who.mayCreate(ns); err != nil {
		return err
	}
	url := endpointFor(c.r) + "/" + webPrefix(t) + id
	r, err := c.hub.create(&state{Type: t, ID: id, Private: private, SDK: in.SDK}, true)
	if errors.Is(err, errExists) {
		return conflict("You already created this "+t+" repo: "+id, map[string]any{"url": url})
	}
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, map[string]any{
		"url": url, "name": id, "id": gitHash(t, []byte(id))[:24], "private": r.load().Private,
	})
}

// deleteRepo is DELETE /api/repos/delete, with a body.
func (c *call) deleteRepo() error {
	var in struct {
		Name         string  `json:"name"`
		Organization *string `json:"organization"`
		Type         string  `json:"type"`
	}
	if err := c.read(&in); err != nil {
		return err
	}
	if c.who == nil {
		return errAnonymous
	}
	t, err := orType(in.Type)
	if err != nil {
		return err
	}
	ns := c.who.name
	if in.Organization != nil && *in.Organization != "" {
		ns = *in.Organization
	}
	r, s, err := c.open(t, ns+"/"+in.Name)
	if err != nil {
		return err
	}
	if err := c.who.mayWrite(s.namespace()); err != nil {
		return err
	}
	if s.ID != ns+"/"+in.Name {
		return errRepoNotFound // a redirect is not the repo
	}
	if err := r.delete(); err != nil {
		return err
	}
	return c.json(http.StatusOK, map[string]any{})
}

// moveRepo is POST /api/repos/move.
func (c *call) moveRepo() error {
	var in struct{ FromRepo, ToRepo, Type string }
	if err := c.read(&in); err != nil {
		return err
	}
	if c.who == nil {
		return errAnonymous
	}
	t, err := orType(in.Type)
	if err != nil {
		return err
	}
	r, s, err := c.open(t, in.FromRepo)
	if err != nil {
		return err
	}
	to, _, _ := strings.Cut(in.ToRepo, "/")
	if err := c.who.mayWrite(s.namespace()); err != nil {
		return err
	}
	if err := validID(in.ToRepo); err != nil {
		return err
	}
	if err := c.who.mayCreate(to); err != nil {
		return err
	}
	if err := r.rename(in.ToRepo); err != nil {
		return err
	}
	return c.json(http.StatusOK, map[string]any{})
}

// settings is PUT …/settings.
func (c *call) settings(r *Repo, s *state) error {
	if err := c.who.mayWrite(s.namespace()); err != nil {
		return err
	}
	var in struct {
		Gated      any     `json:"gated"`
		Visibility *string `json:"visibility"`
		Private    *bool   `json:"private"`
	}
	if err := c.read(&in); err != nil {
		return err
	}
	err := r.change(func(s *state) error {
		switch g := in.Gated.(type) {
		case nil:
		case bool:
			if g {
				return badRequest("\"gated\" must be one of [false, auto, manual]")
			}
			s.Gated = ""
		case string:
			if g != "auto" && g != "manual" {
				return badRequest("\"gated\" must be one of [false, auto, manual]")
			}
			s.Gated = g
		default:
			return badRequest("\"gated\" must be one of [false, auto, manual]")
		}
		if in.Private != nil {
			s.Private = *in.Private
		}
		if in.Visibility != nil {
			var err error
			s.Private, err = visibility(*in.Visibility)
			return err
		}
		return nil
	})
	if err != nil {
		return err
	}
	s = r.load()
	return c.json(http.StatusOK, map[string]any{"private": s.Private, "gated": c.summary(s)["gated"]})
}
