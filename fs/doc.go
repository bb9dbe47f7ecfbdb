// Package fs shows the Hub as a file system: nodes, errno, inode numbers, I/O
// modes and control files. It owns no data. What a name means is asked of
// package commit, the bytes come from a blockcache.Blob or a commit.File.
//
// # Nodes
//
//	typeNode        the root of a mount of the whole Hub, datasets/ and spaces/
//	namespaceNode   a user or organization
//	refsNode        NAME@refs: the spelling of refs with slashes
//	linkNode        a symbolic link to the canonical name of a repo
//	dirNode         one *commit.Dir for life, wherever it is moved; a repo is the root Dir of its worktree
//	blobNode        one committed Blob
//	stagedNode      one *commit.File
//	symlinkNode     one staged symbolic link
//	controlDir      .hubfs at the root of the mount, and the files in it
//
// Identity is content: a node never comes to mean other bytes. When a name
// does, lookup answers with another node. So pages are never invalidated, only
// entries are, by a goroutine that holds no lock and that nobody waits for; but
// the answer of a sync or a discard waits for it, at most a second.
// (Two exceptions: the listing of a directory in which others have made a name,
// and bytes of a blob that turned out not to be what it is named.)
//
// A node's number is never given out again. Programs see only its lower bits,
// which stay with the name when it is edited or committed: see names.
//
// A path is derived from the chain of parents when it is needed: below a
// directory that was renamed the kernel keeps its inodes and asks nothing.
//
// # ESTALE
//
// A blobNode is never opened for writing, nor is a stagedNode whose file a
// commit has. Open for writing and a change of size call Dir.Edit and answer
// ESTALE; the kernel walks the path again with revalidation, Lookup gives the
// new stagedNode, and the call succeeds there. Other reasons why a name has
// come to mean another node are settled by the same answer.
//
// # One I/O mode per inode
//
// The kernel fails an open with EIO when cached and passthrough handles of one
// inode mix, or when two passthrough handles name different backing files.
// Each file node counts its handles of both kinds (ioMode): passthrough is
// offered only while no cached handle is open, and kept up while a passthrough
// one is. The backing ids are our own, not the library's: its bookkeeping
// drops a passthrough id with the release of a cached handle, and gives
// passthrough up for the whole mount after one failure.
//
// # Interrupts
//
// The kernel sends one INTERRUPT for a request, whatever the signal was. The
// caller's pending signals decide: only those that end or interrupt a program
// on purpose end the wait. See opContext.
//
// # Idle commits
//
// With Options.CommitEvery an autoCommitter looks at the staged files every now
// and then, since writes by passthrough make no call here, and commits what was
// left alone.
//
// # Locks
//
// A node's mu is a leaf, but for registering a backing file. go-fuse's own
// locks are never held when it calls us.
package fs
