// Package commit keeps what was changed and not yet committed, and makes the
// commits.
//
// A Store owns the state directory. A Worktree is one repo at one branch: the
// pinned base snapshot overlaid with staged changes. What a name means is
// answered here and nowhere else. Nothing in this package changes a file on
// the Hub but Worktree.Commit.
//
// # Files on disk
//
//	<dir>/<hash of endpoint, repo and branch>/
//	    repo.json     which repo and branch; whether it is still to be created;
//	                  whose work it is
//	    lock          flock held by the process that uses it; its pid and mount point
//	    journal       one checksummed record a line, see journal.go
//	    files/17      content of one staged file; its name is its number for life
//
// All of it is mode 0700 or 0600 and reached through one os.Root, so that no
// link in it is followed out. A repo has no directory here until its first
// change, and none any more once nothing is staged and the store is closed.
//
// Inspect and Export read all that without a lock, a request or a change, while
// others have it open, and as far as it is readable.
//
// # Rules
//
// Content is named by number, not by path: a rename, of a file or of a tree,
// moves no bytes. Committed content is moved by reference to its blob.
//
// An operation is in the journal before it returns, so that it survives the
// end of the process; Sync makes it survive the end of the machine. Opening
// always replays the journal up to its first bad line and cuts it there.
//
// What a name leads to outlives, on the disk, the record that takes the name
// away: a power cut may take the record and not the removal. Nothing is taken
// to be durable that an earlier process did: recovery syncs what it found before
// it builds on it.
//
// Every effect on the state directory goes through the seam, which tests record
// and interrupt.
//
// A symbolic link is staged like a file, but no commit has it: it becomes a copy
// of what it leads to when the plan is made, as a whole or not at all.
//
// A Dir is one directory object for as long as it exists, wherever it is
// moved. It shows through to the base directory it came from until a commit
// makes its present place its origin.
//
// A staged file is committed only when nothing can still write it: the kernel
// must grant a read lease on it, after new writers were shut out by freezing
// it. A write to a frozen file goes to a fresh copy, which is the next
// commit's.
//
// The journal says what a commit is about to do before the request is sent
// ("intent", with its target) and where the branch is after it ("base"), or
// that it went elsewhere ("sent"). A commit whose outcome is not known is
// looked for where it was to go, never sent again on a guess.
//
// A commit may be about a part of what is staged. What cannot go without what
// is a graph (choice); directories that must go on showing or hiding the old
// base are kept as they are. No name is lost by a partial commit.
//
// What others did between the base and the commit that a plan lies on is
// compared with the plan, and with all that is staged beside it: before the
// request, and once more when the commit becomes the base. What collides only
// then is noted ("clash"), and stops the next commit.
//
// # Locks
//
// Worktree.mu before File.mu. Worktree.mu is held across writes to the
// journal, which give its order, but never across fsync of staged content or
// of repo.json, or a request. The packages blockcache and remote are called with no lock held.
package commit
