package commit

import (
	"fmt"
	"strings"
	"time"

	"github.com/hubfs/hubfs/remote"
)

// A ConflictError says that the branch and the staged work changed the same
// paths, or with Rewritten that nobody can tell any more whether they did.
// Everything stays staged. CommitOptions.Force puts ours over theirs, Discard
// takes theirs, CommitOptions.CreatePR keeps both. It matches
// remote.ErrConflict.
type ConflictError struct {
	Paths     []string // sorted
	Head      string   // commit the branch is at
	Rewritten bool     // the commit that the work lies on is gone from the Hub
	Sides     []Side   // what both did, in the order of Paths
}

// A Side is one path of a conflict. What was done is "add", "change",
// "delete" or "mkdir"; "" if it is not known. Sizes are of what is there now.
type Side struct {
	Path       string `json:"path"`
	Ours       string `json:"ours,omitempty"`
	Theirs     string `json:"theirs,omitempty"`
	OurSize    int64  `json:"our_size"`
	TheirSize  int64  `json:"their_size"`
	TheirTitle string `json:"their_title,omitempty"` // of the commit that did theirs, where it is known

	TheirCommit string    `json:"their_commit,omitempty"`
	TheirAuthor string    `json:"their_author,omitempty"`
	TheirDate   time.Time `json:"their_date,omitzero"`
}

func (e *ConflictError) Error() string {
	paths := e.Paths
	more := ""
	if len(paths) > 5 {
		more = fmt.Sprintf(" and %d more", len(paths)-5)
		paths = paths[:5]
	}
	if e.Rewritten {
		return "the history of the branch was rewritten on the Hub and the commit that the changes lie on is gone, so what others did to them cannot be told: " +
			strings.Join(paths, ", ") + more
	}
	return "changed here and on the Hub: " + strings.Join(paths, ", ") + more
}

// Is matches remote.ErrConflict.
func (e *ConflictError) Is(target error) bool { return target == remote.ErrConflict }
