package fs

import (
	"github.com/hubfs/hubfs/commit"
)

// A SyncRequest asks for commits. It is also the JSON line that .hubfs/sync
// takes. One of Repo, Path and All says of what; none of them means All.
type SyncRequest struct {
	Path        string `json:"path,omitempty"` // in the mount: the worktree it is in, or all that are below it
	Repo        string `json:"repo,omitempty"` // as remote.ParseRepo reads it
	All         bool   `json:"all,omitempty"`
	Message     string `json:"message,omitempty"`
	Description string `json:"description,omitempty"`
	Private     *bool  `json:"private,omitempty"`
	Wait        string `json:"wait,omitempty"` // for busy files, as time.ParseDuration reads it

	Unmount bool `json:"unmount,omitempty"` // the mount is to end: the commits are automatic ones
	Force   bool `json:"force,omitempty"`   // with Unmount: no commits at all, see Server.KeepStaged
}

// A SyncEvent is one thing that happens during a sync, and a JSON line read
// from .hubfs/sync. "progress" carries Event, "result" the Result of one repo,
// "error" says why something was not committed. The last one is "done" if
// nothing went wrong, else an "error".
type SyncEvent struct {
	Type          string       `json:"type"`
	Repo          string       `json:"repo,omitempty"`
	Code          string       `json:"code,omitempty"` // of an error: "conflict", "busy", "held", "failed" or "usage"
	Error         string       `json:"error,omitempty"`
	Paths         []string     `json:"paths,omitempty"` // of a conflict
	Event         commit.Event `json:"event,omitzero"`  // of "progress"
	commit.Result              // of "result"; flat in the JSON
}
