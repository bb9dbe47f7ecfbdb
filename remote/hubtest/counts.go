package hubtest

import (
	"maps"
	"sync"
)

// Kinds of requests, the keys of Counts.
const (
	KindWhoami     = "whoami"
	KindInfo       = "info"
	KindList       = "list" // repos of an author
	KindTree       = "tree"
	KindPaths      = "paths-info"
	KindRefs       = "refs"
	KindCommits    = "commits"
	KindResolve    = "resolve"
	KindContent    = "content" // bytes: the content origin, and what a 307 of resolve leads to
	KindPreupload  = "preupload"
	KindLFSBatch   = "lfs-batch"
	KindLFSPut     = "lfs-put" // content and parts of it to the content origin
	KindLFSEnd     = "lfs-complete"
	KindVerify     = "verify"
	KindCommit     = "commit"
	KindCreate     = "create"
	KindAdmin      = "admin" // delete, move, settings, branches, tags
	KindDiscussion = "discussion"
	KindValidate   = "validate-yaml"
	KindRedirect   = "redirect" // to a renamed repo
	KindOther      = "other"
)

// Count is how often one kind of request was served, and the bytes of the
// bodies: In from the client, Out to it.
type Count struct {
	N       int
	In, Out int64
}

// Counts are by kind; a kind that was never asked has a zero Count.
type Counts map[string]Count

// Total sums all kinds.
func (c Counts) Total() Count {
	var t Count
	for _, k := range c {
		t.N += k.N
		t.In += k.In
		t.Out += k.Out
	}
	return t
}

type counter struct {
	running sync.WaitGroup

	mu     sync.Mutex
	byKind Counts
	closed bool
}

// enter begins a request; false once the Hub is closed.
func (c *counter) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.running.Add(1)
	return true
}

func (c *counter) start(kind string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byKind == nil {
		c.byKind = Counts{}
	}
	k := c.byKind[kind]
	k.N++
	c.byKind[kind] = k
}

func (c *counter) end(kind string, in, out int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.byKind[kind]
	k.In += in
	k.Out += out
	if c.byKind == nil { // reset meanwhile
		c.byKind = Counts{}
	}
	c.byKind[kind] = k
}

// wait lets no more requests in and waits for those that are.
func (c *counter) wait() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.running.Wait()
}

// Requests is the number of requests of both origins since the last
// ResetCounts. A request counts when it arrives, its bytes when it ends.
func (h *Hub) Requests() int { return h.Counts().Total().N }

// Counts are the requests of both origins since the last ResetCounts.
func (h *Hub) Counts() Counts {
	h.counts.mu.Lock()
	defer h.counts.mu.Unlock()
	return maps.Clone(h.counts.byKind)
}

// ResetCounts starts counting anew.
func (h *Hub) ResetCounts() {
	h.counts.mu.Lock()
	defer h.counts.mu.Unlock()
	h.counts.byKind = nil
}

// TokenLeaks counts requests that brought an Authorization header to the
// content origin. Anything but 0 is a fault of the client.
func (h *Hub) TokenLeaks() int { return int(h.leaks.Load()) }
