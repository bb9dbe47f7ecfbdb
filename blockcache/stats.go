package blockcache

// Stats are figures of one Cache since it was opened, and what it has on disk.
type Stats struct {
	Blobs    int   `json:"blobs"`     // whole blobs on disk
	Partials int   `json:"partials"`  // blobs of which some blocks are on disk
	Bytes    int64 `json:"bytes"`     // disk space taken, holes not counted
	Limit    int64 `json:"limit"`     // bytes; negative: none
	KeepFree int64 `json:"keep_free"` // bytes of the disk left free
	Open     int   `json:"open"`      // blobs pinned now

	Hits     int64 `json:"hits"`     // reads served without waiting
	Misses   int64 `json:"misses"`   // reads that waited for a source
	Requests int64 `json:"requests"` // ReadRange calls
	Fetched  int64 `json:"fetched"`  // bytes that came from sources

	Evictions    int64  `json:"evictions"`            // blobs removed to make room
	EvictedBytes int64  `json:"evicted_bytes"`        // disk space of these
	Corrupt      int64  `json:"corrupt"`              // blobs dropped for a wrong hash
	Repaired     int64  `json:"repaired"`             // blocks found damaged on disk, fetched again
	SourceErrors int64  `json:"source_errors"`        // ranges that failed
	DiskErrors   int64  `json:"disk_errors"`          // operations on the directory that failed
	Uncached     bool   `json:"uncached"`             // the disk takes nothing at the moment
	DiskError    string `json:"disk_error,omitempty"` // why
}

// Stats returns what the cache holds and did. It reads the directory.
func (c *Cache) Stats() Stats {
	s := Stats{
		Hits:         c.count.hits.Load(),
		Misses:       c.count.misses.Load(),
		Requests:     c.count.requests.Load(),
		Fetched:      c.count.fetched.Load(),
		Evictions:    c.count.evictions.Load(),
		EvictedBytes: c.count.evictedBytes.Load(),
		Corrupt:      c.count.corrupt.Load(),
		Repaired:     c.count.repaired.Load(),
		SourceErrors: c.count.sourceErrors.Load(),
		DiskErrors:   c.count.diskErrors.Load(),
	}
	for _, it := range c.scan() {
		s.Bytes += it.bytes
		switch {
		case it.whole:
			s.Blobs++
		case !it.temp:
			s.Partials++
		}
	}
	c.room.mu.Lock()
	s.Limit, s.KeepFree = c.room.limit, c.room.floor
	c.room.mu.Unlock()
	if err := c.room.check(); err != nil {
		s.Uncached, s.DiskError = true, err.Error()
	}
	c.mu.Lock()
	s.Open = len(c.blobs)
	c.mu.Unlock()
	return s
}
