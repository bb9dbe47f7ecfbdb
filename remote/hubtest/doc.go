// Package hubtest is a Hugging Face Hub in one process: a real HTTP server
// with its store in a directory, as net/http/httptest is for HTTP and
// pkg/registry of go-containerregistry is for image registries.
//
// It answers as the real Hub answers (status, X-Error-Code, X-Repo-Commit,
// ETag, Link, RateLimit), and refuses what the real Hub refuses. It stands
// alone: it shares no code with the client, so that an error of the client
// is not hidden by the same error here, and it imports no testing, since
// `hubfs hub` and `hubfs demo` run it too.
//
// There are two origins. The Hub origin serves the API and resolve; the
// content origin ("CDN", another port) serves and takes large content by
// signed, expiring URLs, and counts every token that reaches it as a leak.
//
// # Files
//
//	objects/git/ab/…      regular content, named by its git blob sha1
//	objects/lfs/ab/…      large content, named by its sha256
//	objects/tree/ab/…     one directory of one commit, named by its git tree sha1
//	repos/TYPE/NS/NAME/   repo.json: settings, refs, discussions
//	                      commits/SHA: one commit, names its parent and tree
//	                      lfs/OID: empty; this repo owns that large object
//	moved.json            old id → new id, for redirects
//	secret                signs the content origin's URLs
//	lock                  held by the process that serves the store
//	tmp/                  what is being written
//
// An object appears by rename after its hash is known and never changes. A
// branch moves by rewriting repo.json, again by rename: a commit is there
// wholly or not at all, and a restart keeps everything. Nothing is synced: a
// crash of the machine may lose what was written last.
//
// # Locks
//
// Repo.writing is held during one change of a repo, over its file I/O; it
// makes commits of one repo atomic and ordered. Readers never take it: they
// load an immutable state. Hub.naming is held while a repo is created, renamed
// or deleted. Order: Hub.naming, Repo.writing, Hub.mu, which guards maps only.
package hubtest
