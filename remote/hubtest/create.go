package hubtest

import (
	"errors"
	"os"
	"path"
	"path/filepath"
	"time"
)

var errExists = errors.New("repo exists")

// create makes the repo that s describes, with the initial commit if asked.
func (h *Hub) create(s *state, initial bool) (*Repo, error) {
	if err := validID(s.ID); err != nil {
		return nil, err
	}
	s.Created = h.opt.Now().UTC().Truncate(time.Millisecond)
	s.Branches, s.Tags = map[string]string{}, map[string]string{}
	h.naming.Lock()
	defer h.naming.Unlock()
	r := &Repo{hub: h}
	r.state.Store(s)
	h.mu.Lock()
	taken := h.repos[s.key()] != nil
	forward := h.moved[s.key()] != ""
	delete(h.moved, s.key())
	h.mu.Unlock()
	if taken {
		return nil, errExists
	}
	if err := r.begin(initial, forward); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.repos[s.key()] = r // found by others only now that it is whole
	return r, nil
}

func (r *Repo) begin(initial, forward bool) error {
	if forward { // a new repo ends the redirect from its name
		if err := r.hub.saveMoved(); err != nil {
			return err
		}
	}
	if !initial {
		return r.update(func(*state) error { return nil })
	}
	f, err := r.hub.store.putRegular([]byte(initialAttributes))
	if err != nil {
		return err
	}
	c, err := r.propose(nil, proposal{
		title: "initial commit", author: "system",
		changes: []change{{path: ".gitattributes", file: &f}},
	})
	if err != nil {
		return err
	}
	return r.update(func(s *state) error { s.Branches["main"] = c.ID; return nil })
}

func (h *Hub) saveMoved() error {
	h.mu.Lock()
	moved := make(map[string]string, len(h.moved))
	for k, v := range h.moved {
		moved[k] = v
	}
	h.mu.Unlock()
	return h.store.writeJSON("moved.json", moved)
}

// Alias makes id (a legacy one-word id, or a former name) lead to the repo.
func (h *Hub) Alias(id, to string) {
	t, name := splitKey(id)
	_, target := splitKey(to)
	h.mu.Lock()
	h.moved[key(t, name)] = key(t, target)
	h.mu.Unlock()
	must(h.saveMoved())
}

// Rename gives the repo another id (without the prefix of its type); the old
// one redirects.
func (r *Repo) Rename(id string) {
	_, id = splitKey(id)
	must(r.rename(id))
}

func (r *Repo) rename(id string) error {
	if err := validID(id); err != nil {
		return err
	}
	r.hub.naming.Lock()
	defer r.hub.naming.Unlock()
	r.writing.Lock()
	defer r.writing.Unlock()
	h, s := r.hub, r.load().clone()
	from := s.key()
	fromDir := filepath.Join(h.store.dir, s.dir())
	s.ID = id
	h.mu.Lock()
	if h.repos[s.key()] != nil {
		h.mu.Unlock()
		return conflict("A repository with this name already exists: "+id, nil)
	}
	h.mu.Unlock()
	toDir := filepath.Join(h.store.dir, s.dir())
	if err := os.MkdirAll(filepath.Dir(toDir), 0o755); err != nil {
		return err
	}
	if err := os.Rename(fromDir, toDir); err != nil {
		return err
	}
	if err := h.store.writeJSON(path.Join(s.dir(), "repo.json"), s); err != nil {
		return err
	}
	h.mu.Lock()
	r.state.Store(s)
	delete(h.repos, from)
	h.repos[s.key()] = r
	delete(h.moved, s.key())
	h.moved[from] = s.key()
	h.mu.Unlock()
	return h.saveMoved()
}

// Delete removes the repo and its history; large objects stay in the store.
func (r *Repo) Delete() { must(r.delete()) }

func (r *Repo) delete() error {
	r.hub.naming.Lock()
	defer r.hub.naming.Unlock()
	r.writing.Lock()
	defer r.writing.Unlock()
	s := r.load()
	r.gone = true
	r.hub.mu.Lock()
	delete(r.hub.repos, s.key())
	r.hub.mu.Unlock()
	return os.RemoveAll(filepath.Join(r.hub.store.dir, s.dir()))
}
