package fs

import (
	"github.com/hanwen/go-fuse/v2/fuse"
)

// rawFS is the node file system with what go-fuse's node layer cannot say:
// our own backing ids, and how long a name that does not exist stays so.
type rawFS struct {
	fuse.RawFileSystem
	backings *backings
}

// Lookup answers ENOENT with a life time, if the node gave one, as a success
// without a node: that is how FUSE spells a negative entry. (Options.NegativeTimeout
// is one time for all directories.)
func (r *rawFS) Lookup(cancel <-chan struct{}, header *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	st := r.RawFileSystem.Lookup(cancel, header, name, out)
	if st == fuse.ENOENT && out.EntryTimeout() > 0 {
		out.NodeId = 0
		return fuse.OK
	}
	return st
}

func (r *rawFS) Open(cancel <-chan struct{}, input *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	st := r.RawFileSystem.Open(cancel, input, out)
	if st.Ok() {
		r.setBacking(input.NodeId, out)
	}
	return st
}

func (r *rawFS) Create(cancel <-chan struct{}, input *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	st := r.RawFileSystem.Create(cancel, input, name, out)
	if st.Ok() {
		r.setBacking(out.NodeId, &out.OpenOut)
	}
	return st
}

// setBacking completes the answer for a handle that its node made a
// passthrough one. The id is there: the handle is counted, and its RELEASE
// cannot come before this answer.
func (r *rawFS) setBacking(nodeID uint64, out *fuse.OpenOut) {
	if out.OpenFlags&fuse.FOPEN_PASSTHROUGH == 0 {
		return
	}
	if id, ok := r.backings.id(nodeID); ok {
		out.BackingID = id
	}
}
