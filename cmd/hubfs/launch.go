package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	hubfs "github.com/hubfs/hubfs/fs"
	"github.com/hubfs/hubfs/remote"
)

// A launch is everything the daemon is told. It travels over a pipe, since it
// holds the token.
type launch struct {
	Mount  string       `json:"mount"`            // absolute
	Repo   *remote.Repo `json:"repo,omitempty"`   // nil for the whole Hub
	Subdir string       `json:"subdir,omitempty"` // a folder of Repo

	Endpoint  string          `json:"endpoint"`
	Token     secret          `json:"token,omitempty"`
	TokenFrom string          `json:"token_from,omitempty"` // where it came from, in words
	Offline   bool            `json:"offline,omitempty"`
	UserAgent string          `json:"user_agent,omitempty"`
	Origin    string          `json:"origin,omitempty"`
	Timeouts  remote.Timeouts `json:"timeouts"`

	Cache     string `json:"cache"`
	CacheSize int64  `json:"cache_size,omitempty"` // bytes, 0 the default
	State     string `json:"state"`
	Log       string `json:"log,omitempty"` // "" when logs go to standard error

	ReadOnly   bool   `json:"read_only,omitempty"`
	AllowOther bool   `json:"allow_other,omitempty"`
	Debug      bool   `json:"debug,omitempty"`
	Foreground bool   `json:"foreground,omitempty"`
	Umask      uint32 `json:"umask"` // of the user, for the modes of the mount

	Commit      hubfs.CommitOptions `json:"commit"`
	CommitEvery time.Duration       `json:"commit_every,omitempty"`
	NoCommit    bool                `json:"no_commit,omitempty"`

	dieWithStarter bool // for who starts the daemon
}

// A secret prints as "***" however it is printed; only JSON shows it.
type secret string

func (secret) Format(f fmt.State, _ rune) { io.WriteString(f, "***") }

// maxLaunch is well below the 64 KiB that a pipe takes before its reader runs.
const maxLaunch = 32 << 10

func (l launch) encode() ([]byte, error) {
	b, err := json.Marshal(l)
	if err == nil && len(b) > maxLaunch {
		return nil, usage(fmt.Sprintf("the options are too long: %d KiB is the most for all of them", maxLaunch>>10))
	}
	return b, err
}

func readLaunch(r io.Reader) (launch, error) {
	var l launch
	if err := json.NewDecoder(r).Decode(&l); err != nil {
		return l, fmt.Errorf("read the options of the mount: %w", err)
	}
	return l, nil
}

// tokenVariables may hold a token of the Hub, or buy one.
var tokenVariables = []string{
	"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN",
	"HF_OIDC_ID_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
}

// environ is this process's environment for the daemon, without a token
// wherever it may be: a variable unset later would stay in /proc/PID/environ.
func (l launch) environ() []string {
	var out []string
next:
	for _, kv := range os.Environ() {
		name, value, _ := strings.Cut(kv, "=")
		for _, v := range tokenVariables {
			if name == v {
				continue next
			}
		}
		if l.Token != "" && strings.Contains(value, string(l.Token)) {
			continue
		}
		out = append(out, kv)
	}
	return out
}

// what is mounted, in words.
func (l launch) what() string {
	if l.Repo == nil {
		return "the whole Hub"
	}
	if l.Subdir != "" {
		return l.Repo.String() + "/" + l.Subdir
	}
	return l.Repo.String()
}

// who uses the mount, in words.
func (l launch) who(user string) string {
	switch {
	case user != "":
		return "as " + user
	case l.Offline:
		return "offline"
	case l.Token == "":
		return "anonymous, so read-only"
	}
	return "with the token of " + l.TokenFrom
}
