package hubtest

// Quirks make the Hub answer as other servers and proxies that speak its
// protocol do. The zero value is the Hub itself.
type Quirks struct {
	WholeBody     bool // a range request is answered 200 with everything
	BareRedirect  bool // redirects carry no ETag, length or commit
	UnquotedETags bool
	TreeFilesOnly bool // a recursive tree has no directories
	TreeNoLFS     bool // tree entries have no lfs field
	LongCommits   bool // new commits have ids of 64 digits
	NoErrorCodes  bool // errors have no X-Error-Code
	NoRateHeaders bool // neither RateLimit nor Retry-After, not even on a 429
	PlainDenial   bool // anonymous denial as the real Hub's: 401, text, no code
	CloudFront    bool // URLs signed in CloudFront's style (Expires=), not S3's
	GoneStatus    int  // of an expired URL; 0 is 403

	// KeepUploads answers a batch with the upload in parts that is under way
	// for the object, under new URLs, not with another one.
	KeepUploads bool

	CommitLFS     int   // LFS files that one commit can have; 0 is 25,000
	CommitPayload int64 // bytes of all regular files of one commit; 0 is 1 GB

	// Resolve picks how a file is served: 'A' is 307 to another path of the
	// Hub, 'B' is 302 to the content origin, 'C' is 200 at once; 0 is as the
	// Hub does it. It may be called from many goroutines.
	Resolve func(repo, path string) byte
}

// SetQuirks replaces the quirks.
func (h *Hub) SetQuirks(q Quirks) { h.quirks.Store(&q) }
