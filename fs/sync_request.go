package fs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/hubfs/hubfs/commit"
	"github.com/hubfs/hubfs/remote"
)

// A SyncRequest asks for commits. It is also the JSON line that .hubfs/sync
// takes. One of Repo, Path and All says of what; none of them means All. What
// it leaves out is as the mount has it (Options.Commit).
type SyncRequest struct {
	Path string `json:"path,omitempty"` // in the mount: the worktree it is in, or all that are below it
	Repo string `json:"repo,omitempty"` // as remote.ParseRepo reads it
	All  bool   `json:"all,omitempty"`

	CommitOptions

	Unmount bool `json:"unmount,omitempty"`     // the mount is to end: the commits are automatic ones
	Keep    bool `json:"keep_staged,omitempty"` // with Unmount: no commits at all, see Server.KeepStaged
}

// CommitOptions say how to commit. The zero value asks for nothing special.
type CommitOptions struct {
	Message     string   `json:"message,omitempty"` // title; "" = generated
	Description string   `json:"description,omitempty"`
	Private     *bool    `json:"private,omitempty"`    // of a repo that the commit creates
	Wait        string   `json:"wait,omitempty"`       // for busy files, as time.ParseDuration reads it
	Force       bool     `json:"force,omitempty"`      // ours goes over theirs where both sides changed a path
	CreatePR    bool     `json:"create_pr,omitempty"`  // open a pull request instead of moving the branch
	Branch      string   `json:"branch,omitempty"`     // commit to this branch of the repo, made if it is missing
	Allow       []string `json:"allow,omitempty"`      // patterns of paths: the others stay staged
	Ignore      []string `json:"ignore,omitempty"`     // patterns of paths that stay staged
	Split       bool     `json:"split,omitempty"`      // several commits where one cannot carry all files
	ModelCard   bool     `json:"model_card,omitempty"` // a new model repo without a card gets a minimal one
}

// or takes from the mount's own what a request leaves out.
func (o CommitOptions) or(own CommitOptions) CommitOptions {
	if o.Message == "" {
		o.Message = own.Message
	}
	if o.Description == "" {
		o.Description = own.Description
	}
	if o.Private == nil {
		o.Private = own.Private
	}
	if o.Wait == "" {
		o.Wait = own.Wait
	}
	// A target asked for by name is not bent by the mount's own, nor the other way.
	if !o.CreatePR && o.Branch == "" {
		o.CreatePR, o.Branch = own.CreatePR, own.Branch
	}
	if o.Allow == nil {
		o.Allow = own.Allow
	}
	if o.Ignore == nil {
		o.Ignore = own.Ignore
	}
	o.Force = o.Force || own.Force
	o.Split = o.Split || own.Split
	o.ModelCard = o.ModelCard || own.ModelCard
	return o
}

// How long a commit waits for files that are still open, where nothing else is
// said: the kernel tells of a close(2) after it has returned to the program,
// and at an unmount programs are just ending.
const (
	syncWait    = time.Second
	unmountWait = 10 * time.Second
)

// Commit are the options for commit.Worktree.Commit. An error is EINVAL.
func (o CommitOptions) Commit(automatic bool) (commit.CommitOptions, error) {
	c := commit.CommitOptions{
		Message: o.Message, Description: o.Description, Private: o.Private, Automatic: automatic,
		Force: o.Force, CreatePR: o.CreatePR, Branch: o.Branch, Allow: o.Allow, Ignore: o.Ignore,
		Split: o.Split, ModelCard: o.ModelCard, Wait: syncWait,
	}
	if automatic {
		c.Wait = unmountWait
	}
	if o.Wait != "" {
		d, err := time.ParseDuration(o.Wait)
		if err != nil || d < 0 {
			return c, fmt.Errorf("%w: wait is a duration such as 10s, not %q", syscall.EINVAL, o.Wait)
		}
		c.Wait = d
	}
	if o.CreatePR && o.Branch != "" {
		return c, fmt.Errorf("%w: create_pr and branch exclude each other", syscall.EINVAL)
	}
	if o.Branch != "" && (!remote.ValidRev(o.Branch) || remote.IsCommit(o.Branch)) {
		return c, fmt.Errorf("%w: no branch can have the name %q", syscall.EINVAL, o.Branch)
	}
	return c, nil
}

// decode reads a request. A field that does not exist is an error that names
// it: what was asked for would otherwise be left undone without a word.
func decode(request []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(request))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil && d.More() {
		err = fmt.Errorf("more than one object")
	}
	if err == nil {
		return nil
	}
	text := strings.TrimPrefix(err.Error(), "json: ")
	if name, ok := strings.CutPrefix(text, "unknown field "); ok {
		return fmt.Errorf("the request has a field that does not exist: %s (%w)", name, syscall.EINVAL)
	}
	return fmt.Errorf("the request is not JSON of this kind: %s (%w)", text, syscall.EINVAL)
}
