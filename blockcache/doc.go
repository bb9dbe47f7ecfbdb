// Package blockcache keeps blobs, immutable byte strings named by their hash,
// on local disk. It brings missing pieces from a Source while they are read.
//
// # Files on disk
//
//	CACHEDIR.TAG                    tells backup programs to pass by
//	blobs/ab/sha256-abcd…           whole and verified; mode 0400, written by no one
//	partial/sha256-abcd…            sparse, laid out as the blob itself
//	partial/sha256-abcd….map        which blocks are present, with a CRC-32C of each
//	partial/sha256-abcd…~3f…        a file of one process: on its way to blobs/, or
//	                                a partial kept while another process has the shared one
//
// All of it may be deleted at any time, also while it is in use. A blob moves
// from partial to blobs by rename, after its whole hash was checked and its
// bytes were synced; a file in blobs is therefore right or absent, also after
// a loss of power.
//
// # Rules
//
//   - A blob never changes: what was present stays true until the blob is dropped.
//   - A block's bytes are written before its bit, in memory and in the map file.
//     A map that survives a loss of power may claim blocks whose bytes did not:
//     each block found at a start is checked against its CRC when first read.
//   - No byte is asked for twice while the cache keeps it: not by readers side by
//     side, nor after a broken connection or a restart. Only a part that is given
//     up in its course loses the block it was in.
//   - Nobody reads a wrong blob to its end. Of one up to 8 MiB nothing is given out
//     before its hash was checked. A larger one streams; its hash is computed
//     behind the blocks that come, the block that comes last is held back until it
//     was found right, and if it is wrong all of the blob is dropped. Only while
//     the disk takes nothing do larger ones go by unchecked.
//   - The cache is a help, never a condition: with a full or read-only directory
//     reads go on through a small window in memory. One that was deleted, or
//     replaced by another, is made again with the next bytes that come.
//
// # Processes
//
// A partial file is locked (flock) by the process that fills it. Another one
// fills a private file of its own, and whichever ends first serves all. Whole
// blobs are shared; unlinking one that somebody has open takes nothing from him.
//
// # Locks
//
// Cache.mu → blob.mu → the mu of sched, memory, room, badKeys, directory and
// partial, which are leaves. None is held across I/O. Every goroutine is counted by the Cache, and Close
// waits for it.
package blockcache
