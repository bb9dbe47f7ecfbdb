// Package integration holds the tests of hubfs as a whole. It has no code of
// its own to import.
//
//	*_test.go     the built command against an in-process Hub, over real mounts
//	layout_test   the architecture: import directions, file sizes, doc.go
//	clients/      pytest: the real huggingface_hub against `hubfs hub`
//	mount/        pytest: real programs and libraries on a real mount
//	bench/        command: figures beside curl, a raw range client, a plain disk
//	tally/        command: runs all tests, closes with their number
//	setup         installs what the tests need
//
// Each test starts its own daemon with fresh cache and state folders, has a
// deadline, and leaves neither mount nor process behind. Counts of requests are
// exact and therefore tests; times are ratios and therefore benchmarks.
package integration
