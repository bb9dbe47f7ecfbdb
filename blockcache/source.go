package blockcache

import (
	"context"
	"errors"
	"io"
)

// A Source streams byte ranges of one immutable blob.
//
// ReadRange answers exactly the n bytes from off; a body that is shorter or
// longer is an error to the reader. The body's Read must return soon after ctx
// ends. Calls may be concurrent.
type Source interface {
	ReadRange(ctx context.Context, off, n int64) (io.ReadCloser, error)
}

var (
	// ErrCorrupt says that a source's bytes are not those that the key names:
	// wrong length or wrong hash.
	ErrCorrupt = errors.New("content does not match its hash or length")

	// ErrClosed is returned after the Blob or its Cache was closed.
	ErrClosed = errors.New("blob cache is closed")
)
