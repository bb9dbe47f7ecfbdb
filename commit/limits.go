package commit

import (
	"fmt"

	"github.com/hubfs/hubfs/remote"
)

// A TooLargeError says that what is staged is more than one commit can carry.
// Nothing was uploaded; CommitOptions.Split makes several commits.
type TooLargeError struct {
	Large  int   // large files, of which remote.MaxCommitLFS go into one commit
	Inline int64 // bytes of all others, of which remote.MaxCommitPayload do
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("%d large files and %d bytes of others are more than one commit can carry (%d files, %d bytes): --split makes several",
		e.Large, e.Inline, remote.MaxCommitLFS, int64(remote.MaxCommitPayload))
}
