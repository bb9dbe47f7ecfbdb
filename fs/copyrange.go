package fs

import (
	"context"
	"errors"
	"io"
	"os"
	"syscall"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"golang.org/x/sys/unix"
)

var (
	_ = (fusefs.NodeCopyFileRanger)((*stagedNode)(nil))
	_ = (fusefs.NodeCopyFileRanger)((*blobNode)(nil))
)

// maxCopyRange bounds what one copy_file_range does, so that a signal need not
// wait for more than that. Callers go on after a short copy.
const maxCopyRange = 64 << 20

// maxFetchRange is the same where the bytes come over the network.
const maxFetchRange = 4 << 20

// CopyFileRange lets the disk copy, by reference where it can.
func (n *stagedNode) CopyFileRange(ctx context.Context, fhIn fusefs.FileHandle, offIn uint64, out *fusefs.Inode, fhOut fusefs.FileHandle, offOut, size, flags uint64) (uint32, syscall.Errno) {
	op := n.m.begin(ctx, "copy_file_range", n.EmbeddedInode(), "")
	in, ok := fhIn.(*stagedHandle)
	to, ok2 := fhOut.(*stagedHandle)
	if !ok || !ok2 || !to.write {
		return 0, op.end(syscall.EOPNOTSUPP) // of control files
	}
	copied, err := copyRange(in.f, offIn, to, offOut, size)
	return copied, op.end(err)
}

// CopyFileRange copies from the cache, into which it brings what is missing.
func (n *blobNode) CopyFileRange(ctx context.Context, fhIn fusefs.FileHandle, offIn uint64, out *fusefs.Inode, fhOut fusefs.FileHandle, offOut, size, flags uint64) (uint32, syscall.Errno) {
	op := n.m.begin(ctx, "copy_file_range", n.EmbeddedInode(), "")
	in, ok := fhIn.(*blobHandle)
	to, ok2 := fhOut.(*stagedHandle)
	if !ok || !ok2 || !to.write {
		return 0, op.end(syscall.EOPNOTSUPP)
	}
	if f, whole := in.blob.File(); whole {
		copied, err := copyRange(f, offIn, to, offOut, size)
		return copied, op.end(err)
	}
	copied, err := in.fetchRange(op, int64(offIn), to, int64(offOut), min(size, maxFetchRange))
	return copied, op.end(err)
}

func copyRange(in *os.File, offIn uint64, to *stagedHandle, offOut, size uint64) (uint32, error) {
	from, at := int64(offIn), int64(offOut)
	n, err := unix.CopyFileRange(int(in.Fd()), &from, int(to.f.Fd()), &at, int(min(size, maxCopyRange)), 0)
	if errors.Is(err, unix.EXDEV) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EINVAL) {
		return copyThrough(in, int64(offIn), to, int64(offOut), min(size, maxFetchRange)) // the cache is on another file system
	}
	return uint32(max(n, 0)), err
}

// copyThrough copies up to size bytes.
func copyThrough(in io.ReaderAt, offIn int64, to *stagedHandle, offOut int64, size uint64) (uint32, error) {
	n, err := io.Copy(io.NewOffsetWriter(to.f, offOut), io.NewSectionReader(in, offIn, int64(size)))
	if n > 0 {
		err = nil // what was copied counts; the next call gets the error
	}
	return uint32(n), err
}

func (h *blobHandle) fetchRange(ctx context.Context, offIn int64, to *stagedHandle, offOut int64, size uint64) (uint32, error) {
	return copyThrough(&blobReaderAt{ctx, h}, offIn, to, offOut, uint64(max(0, min(int64(size), h.blob.Size()-offIn))))
}

type blobReaderAt struct {
	ctx context.Context
	h   *blobHandle
}

func (r *blobReaderAt) ReadAt(p []byte, off int64) (int, error) {
	return r.h.blob.ReadAt(r.ctx, p, off)
}
