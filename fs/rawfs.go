package fs

import (
	"bytes"
	"encoding/binary"
	"syscall"
	"unsafe"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// rawFS is the node file system with what go-fuse's node layer cannot say:
// our own backing ids, how long a name that does not exist stays so, and inode
// numbers that are not those of the nodes.
type rawFS struct {
	fuse.RawFileSystem
	backings *backings
	lost     func(nodeID uint64, errno syscall.Errno) // pages of a file could not be written
}

// Lookup answers ENOENT with a life time, if the node gave one, as a success
// without a node: that is how FUSE spells a negative entry. (Options.NegativeTimeout
// is one time for all directories.)
func (r *rawFS) Lookup(cancel <-chan struct{}, header *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	st := r.RawFileSystem.Lookup(cancel, header, name, out)
	out.Ino = shownIno(out.Ino)
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
	out.Ino = shownIno(out.Ino)
	if st.Ok() {
		r.setBacking(out.NodeId, &out.OpenOut)
	}
	return st
}

func (r *rawFS) Tmpfile(cancel <-chan struct{}, input *fuse.CreateIn, out *fuse.CreateOut) fuse.Status {
	st := r.RawFileSystem.Tmpfile(cancel, input, out)
	out.Ino = shownIno(out.Ino)
	if st.Ok() {
		r.setBacking(out.NodeId, &out.OpenOut)
	}
	return st
}

func (r *rawFS) Link(cancel <-chan struct{}, input *fuse.LinkIn, name string, out *fuse.EntryOut) fuse.Status {
	st := r.RawFileSystem.Link(cancel, input, name, out)
	out.Ino = shownIno(out.Ino)
	return st
}

// Write and Writev also look at what the kernel's page cache has to write: a short
// answer would count as all of it, and only one sync is told of an error.
func (r *rawFS) Write(cancel <-chan struct{}, input *fuse.WriteIn, data []byte) (uint32, fuse.Status) {
	n, st := r.RawFileSystem.Write(cancel, input, data)
	return r.written(cancel, input, [][]byte{data}, n, st)
}

func (r *rawFS) Writev(cancel <-chan struct{}, input *fuse.WriteIn, data [][]byte) (uint32, fuse.Status) {
	n, st := r.RawFileSystem.Writev(cancel, input, data)
	if st == fuse.ENOSYS {
		return n, st // Write is called
	}
	return r.written(cancel, input, data, n, st)
}

func (r *rawFS) written(cancel <-chan struct{}, input *fuse.WriteIn, data [][]byte, n uint32, st fuse.Status) (uint32, fuse.Status) {
	if input.WriteFlags&fuse.WRITE_CACHE == 0 || st.Ok() && n == input.Size {
		return n, st
	}
	if st.Ok() {
		rest := *input // tried once more, for its error
		rest.Offset += uint64(n)
		rest.Size -= n
		more, again := r.RawFileSystem.Write(cancel, &rest, bytes.Join(data, nil)[n:])
		if again.Ok() && more == rest.Size {
			return input.Size, fuse.OK
		}
		if st = again; st.Ok() {
			st = fuse.EIO
		}
	}
	r.lost(input.NodeId, syscall.Errno(st))
	return 0, st
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

func (r *rawFS) GetAttr(cancel <-chan struct{}, input *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	st := r.RawFileSystem.GetAttr(cancel, input, out)
	out.Ino = shownIno(out.Ino)
	return st
}

func (r *rawFS) SetAttr(cancel <-chan struct{}, input *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status {
	st := r.RawFileSystem.SetAttr(cancel, input, out)
	out.Ino = shownIno(input.NodeId)
	return st
}

func (r *rawFS) Mkdir(cancel <-chan struct{}, input *fuse.MkdirIn, name string, out *fuse.EntryOut) fuse.Status {
	st := r.RawFileSystem.Mkdir(cancel, input, name, out)
	out.Ino = shownIno(out.Ino)
	return st
}

func (r *rawFS) Mknod(cancel <-chan struct{}, input *fuse.MknodIn, name string, out *fuse.EntryOut) fuse.Status {
	st := r.RawFileSystem.Mknod(cancel, input, name, out)
	out.Ino = shownIno(out.Ino)
	return st
}

func (r *rawFS) Symlink(cancel <-chan struct{}, header *fuse.InHeader, target, name string, out *fuse.EntryOut) fuse.Status {
	st := r.RawFileSystem.Symlink(cancel, header, target, name, out)
	out.Ino = shownIno(out.Ino)
	return st
}

func (r *rawFS) ReadDirPlus(cancel <-chan struct{}, input *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	st := r.RawFileSystem.ReadDirPlus(cancel, input, out)
	if st.Ok() {
		showInos(out.Bytes())
	}
	return st
}

// showInos goes through an answer to READDIRPLUS: for each name a fuse_entry_out
// and a fuse_dirent (ino, off, namelen, type), then the name, padded to 8 bytes.
func showInos(b []byte) {
	const (
		entry  = int(unsafe.Sizeof(fuse.EntryOut{}))
		ino    = int(unsafe.Offsetof(fuse.EntryOut{}.Attr) + unsafe.Offsetof(fuse.Attr{}.Ino))
		dirent = 24
	)
	for len(b) >= entry+dirent {
		number := binary.NativeEndian.Uint64(b[ino:])
		binary.NativeEndian.PutUint64(b[ino:], shownIno(number))
		name := int(binary.NativeEndian.Uint32(b[entry+16:]))
		b = b[min(len(b), entry+dirent+(name+7)&^7):]
	}
}
