package commit

import "time"

// await keeps commits from the file until it is opened for writing, or for
// awaitTime if it is not: whoever made it is about to. False if a commit has
// it already.
func (f *File) await() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.holds > 0 || f.place != inStaging {
		return false
	}
	f.awaited = time.Now().Add(awaitTime)
	return true
}

// awaitTime is enough for the kernel to walk a path again.
const awaitTime = time.Second

// NotAwaited says of a file from Dir.Create or Dir.Edit that it is not opened for
// writing after all: a commit may have it at once.
func (f *File) NotAwaited() {
	f.mu.Lock()
	f.awaited = time.Time{}
	f.mu.Unlock()
}

// AwaitedBy keeps commits from the file for one thread, until it has Arrived:
// that others open it and close it again does not end that. False if a commit
// has the file already.
func (f *File) AwaitedBy(thread uint32) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.holds > 0 || f.place != inStaging {
		return false
	}
	if f.awaiting == nil {
		f.awaiting = make(map[uint32]time.Time)
	}
	f.awaiting[thread] = time.Now().Add(awaitTime)
	f.awaited = time.Time{}
	return true
}

// Arrived ends AwaitedBy.
func (f *File) Arrived(thread uint32) {
	f.mu.Lock()
	delete(f.awaiting, thread)
	f.mu.Unlock()
}

// isAwaited is under mu.
func (f *File) isAwaited() bool {
	now := time.Now()
	for thread, until := range f.awaiting {
		if now.Before(until) {
			return true
		}
		delete(f.awaiting, thread)
	}
	return now.Before(f.awaited)
}
