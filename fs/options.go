package fs

import (
	"log/slog"
	"time"

	"github.com/hubfs/hubfs/remote"
)

// Options say what is mounted and how it looks. The zero value mounts the
// whole Hub, writable, for the user who runs the program.
type Options struct {
	Repo   *remote.Repo // only this repo, its files at the root; nil = the whole Hub
	Subdir string       // with Repo: this directory of it

	ReadOnly   bool // refuse all writing
	AllowOther bool // other users may use the mount, as the modes allow

	Commit      CommitOptions // of all commits, where a request says nothing else
	CommitEvery time.Duration // work that nobody has touched for so long is committed; 0 = never
	NoCommit    bool          // the end of the mount commits nothing, see Server.KeepStaged

	UID, GID uint32 // owner of everything; 0 = the user who runs the program
	Umask    uint32 // taken off the modes; 0 = 022

	Version, LogFile, User string // told by .hubfs/status

	Debug  bool         // log each operation
	Logger *slog.Logger // nil = slog.Default()

	noPassthrough bool // tests: as where the kernel does not allow it
}

const defaultUmask = 0o022
