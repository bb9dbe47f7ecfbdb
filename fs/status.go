package fs

import (
	"github.com/hubfs/hubfs/blockcache"
	"github.com/hubfs/hubfs/commit"
)

// A Status is what .hubfs/status says, as JSON.
type Status struct {
	Version    string `json:"version"`
	PID        int    `json:"pid"`
	Mountpoint string `json:"mountpoint"`
	Endpoint   string `json:"endpoint"`
	User       string `json:"user,omitempty"` // "" = anonymous
	Repo       string `json:"repo,omitempty"` // "" = the whole Hub
	Subdir     string `json:"subdir,omitempty"`
	ReadOnly   bool   `json:"read_only,omitempty"`
	LogFile    string `json:"log_file,omitempty"`

	Cache       blockcache.Stats `json:"cache"`
	CacheDir    string           `json:"cache_dir"`
	Requests    int64            `json:"requests"`    // sent to the Hub since the mount
	Passthrough string           `json:"passthrough"` // "yes", or why not

	Worktrees []commit.Status `json:"worktrees"`        // those in use, and those with staged work
	Errors    []string        `json:"errors,omitempty"` // the last ones that programs got, oldest first
}

// An InfoRequest is the JSON line that .hubfs/info takes.
type InfoRequest struct {
	Path string `json:"path"` // relative to the mount; "" = its root
}

// An Info is what .hubfs/info says about one path, as JSON.
type Info struct {
	Path        string `json:"path"` // relative to the mount; "" = its root
	Kind        string `json:"kind"` // "root", "namespace", "repo", "dir" or "file"; "" with Error
	Repo        string `json:"repo,omitempty"`
	Revision    string `json:"revision,omitempty"`
	Commit      string `json:"commit,omitempty"`
	Blob        string `json:"blob,omitempty"` // remote.Blob.ID
	Size        int64  `json:"size"`
	Staged      bool   `json:"staged,omitempty"`
	Busy        bool   `json:"busy,omitempty"`   // staged, and open for writing
	Cached      int64  `json:"cached"`           // bytes of it on this disk
	Whole       bool   `json:"whole,omitempty"`  // all of it, and verified
	Passthrough string `json:"passthrough"`      // of files: "yes" if the next open is, or why not
	Error       string `json:"error,omitempty"`  // why the path cannot be shown, in the Hub's own words where it has some
	Target      string `json:"target,omitempty"` // the canonical name, of a repo asked for by another
}
