// Package remote is a client of the Hugging Face Hub, and of servers that speak
// its protocol. It owns the wire: nothing else in hubfs knows a URL, a header
// or a status.
//
// # Reading
//
// A Repo names a repo at a revision. Client.Snapshot pins it to the commit that
// the revision has now; the Snapshot lists that commit's tree and never changes.
// An Entry of it has a Blob, the name of immutable bytes, and Client.Content
// reads ranges of those:
//
//	c, err := remote.New(options)                // options from remote.FromEnv
//	s, err := c.Snapshot(ctx, repo)              // 1 request
//	e, err := s.Stat(ctx, "model.safetensors")   // the tree, a page for 1,000 entries, once
//	r, err := c.Content(s.Repo(), s.Commit(), e).ReadRange(ctx, 0, 1<<20)
//
// A first range costs a resolve and the redirect it answers with; the signed
// URL is kept until it expires, and further ranges are one request each. A
// Snapshot is an fs.FS too.
//
// # Writing
//
// A commit is made in three steps: Preupload asks which files are large,
// UploadLFS stores the content of those, Commit refers to it and carries the
// rest. Everything before Commit may be repeated at will; Commit says so when
// it cannot know whether it was made (ErrUnknownOutcome). All three can be for
// a pull request instead of a branch (CreatePR).
//
// Content is sent over up to 32 connections, for all uploads of a client
// together: several files, and the parts of one. What has arrived is not sent
// again, within an upload nor by the next one. It is streamed: no more of
// it is in memory than the connections hold.
//
// # Rules
//
//   - The token goes to the endpoint's own origin (scheme, host and port) and
//     nowhere else: not along a redirect, not to a signed URL, not even back to
//     the endpoint once another host has led there. It is in no error and no
//     log, nor is the query of any URL.
//   - Every wait has a deadline (Timeouts), ends with the caller's context, and
//     is an os.ErrDeadlineExceeded if it was too long. Bodies of content have
//     no total bound, they must make progress; all others have to end.
//   - One retry policy, in the transport: requests that may be repeated are,
//     after failures that pass, as often and as late as the server asks for.
//     Broken streams of content are resumed where they broke.
//   - What a server sends is not believed: names that could do harm are hidden,
//     lengths, ranges and hashes have to agree with the tree (ErrMismatch),
//     lists have to end, and every body that is not content has a size limit.
//   - Files are never asked for by HEAD: the Hub counts those as downloads, and
//     the tree tells all of it.
//
// # Errors
//
// An answer that is no success is an *Error with the server's words and request
// id. Errors match fs.ErrNotExist, fs.ErrPermission and fs.ErrExist, and the
// sentinels of this package.
//
// # Layers
//
// Client.follow follows redirects above a chain of http.RoundTrippers, one
// subject each: retry, deadlines, userAgent, bearer, counter, and the pool of
// connections (HTTP/1.1: many ranges side by side want many connections).
//
// # Locks
//
// Client.mu, Snapshot.mu, Content.mu, gate.mu and those of the meters guard a
// few fields each and are never held over I/O. None is taken under another.
package remote
