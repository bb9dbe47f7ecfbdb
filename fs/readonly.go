package fs

import "syscall"

// writable refuses all changes in a read-only mount. The kernel is not told of
// it, so that every change asks here. (In an anonymous mount package commit
// refuses what is in a repo, and says why.)
func (m *mount) writable() error {
	if m.opts.ReadOnly {
		return syscall.EROFS
	}
	return nil
}

// mayMake is writable for what is not in a repo: without a token nothing is.
func (m *mount) mayMake() error {
	if m.client.Anonymous() {
		return syscall.EROFS
	}
	return m.writable()
}
