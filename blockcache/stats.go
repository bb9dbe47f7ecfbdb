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
