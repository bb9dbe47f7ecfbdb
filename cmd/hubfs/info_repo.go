package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/hubfs/hubfs/remote"
)

// A repoReport is what "hubfs info REPO --json" prints.
type repoReport struct {
	outcome
	Repo         string    `json:"repo"`
	Type         string    `json:"type"`
	Revision     string    `json:"revision"`
	Commit       string    `json:"commit,omitempty"`
	Private      bool      `json:"private"`
	Gated        string    `json:"gated,omitempty"`
	LastModified time.Time `json:"last_modified,omitzero"`
	Writable     bool      `json:"writable"`
	Reason       string    `json:"reason,omitempty"` // why not
	RequestID    string    `json:"request_id,omitempty"`
}

// repoInfo asks the Hub about a repo.
func repoInfo(ctx context.Context, o infoOptions, out io.Writer) error {
	opts, from, err := o.clientOptions()
	if err != nil {
		return err
	}
	client, err := remote.New(opts)
	if err != nil {
		return usage(err.Error())
	}
	defer client.Close()
	repo, sub, err := client.ParseRepo(o.Name)
	if err != nil {
		return usage(err.Error())
	}
	if sub != "" {
		return hubPathInfo(ctx, client, repo, sub, from, o, out)
	}
	rep := repoReport{Repo: repo.Path(), Type: string(repo.Type), Revision: repo.Branch()}
	got, err := client.Info(ctx, repo)
	var answer *remote.Error
	switch {
	case err == nil:
		repo.ID = got.ID
		rep.Repo, rep.Commit = repo.Path(), got.SHA
		rep.Private, rep.Gated, rep.LastModified = got.Private, got.Gated, got.LastModified
		rep.Writable, rep.Reason, err = client.MayWrite(ctx, repo)
		if err != nil {
			rep.Reason = err.Error()
		}
	case errors.Is(err, remote.ErrBadToken):
		return badToken(client.Endpoint(), from)
	case errors.As(err, &answer):
		// In the Hub's own words, if it has some.
		rep.outcome, rep.RequestID = outcome{exitFailed, answer.Message}, answer.RequestID
		if rep.Error == "" {
			rep.Error = answer.Error()
		}
	default:
		return err
	}
	if o.JSON {
		if err := printJSON(out, rep); err != nil {
			return err
		}
	} else {
		printRepo(out, rep)
	}
	return o.told(rep.Error)
}

func printRepo(out io.Writer, r repoReport) {
	line := func(what, value string) {
		if value != "" {
			fmt.Fprintf(out, "%-12s %s\n", what, value)
		}
	}
	line("repo", r.Repo)
	line("type", r.Type)
	line("revision", r.Revision)
	if r.Error != "" {
		line("error", shownText(r.Error))
		line("request id", r.RequestID)
		return
	}
	if r.Commit == "" {
		r.Commit = "none yet"
	}
	line("commit", r.Commit)
	switch {
	case r.Private:
		line("access", "private")
	case r.Gated != "":
		line("access", "gated ("+r.Gated+")")
	default:
		line("access", "public")
	}
	if !r.LastModified.IsZero() {
		line("modified", r.LastModified.UTC().Format(time.RFC3339))
	}
	if r.Writable {
		line("writable", "yes")
	} else {
		line("writable", "no: "+r.Reason)
	}
}
