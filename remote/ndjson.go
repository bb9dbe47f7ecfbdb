package remote

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"io/fs"
	"sync"
	"sync/atomic"
)

// shortBody is up to what size a commit is made up in memory, to be sent with
// its length as other clients do: not every proxy takes a body in chunks.
const shortBody = 4 << 20

// body is the body of a commit, as often as it is asked for, and its size, -1
// if it is a long one. sent tells whether all of the latest was taken.
func (r CommitRequest) body(sent *atomic.Bool) (body func() (io.ReadCloser, error), size int64, err error) {
	long := func() (io.ReadCloser, error) {
		sent.Store(false)
		return r.lines(sent), nil
	}
	l := r.lines(new(atomic.Bool))
	defer l.Close()
	short, err := io.ReadAll(io.LimitReader(l, shortBody+1))
	switch {
	case err != nil:
		return nil, 0, err
	case len(short) > shortBody:
		return long, -1, nil
	}
	return func() (io.ReadCloser, error) {
		sent.Store(false)
		return &shortReader{left: short, sent: sent}, nil
	}, int64(len(short)), nil
}

// A shortReader sets sent with its last byte: the server needs no end to see
// that it has all.
type shortReader struct {
	left []byte
	sent *atomic.Bool
}

func (s *shortReader) Close() error { return nil }

func (s *shortReader) Read(p []byte) (int, error) {
	n := copy(p, s.left)
	if s.left = s.left[n:]; len(s.left) > 0 {
		return n, nil
	}
	s.sent.Store(true)
	return n, io.EOF
}

// lines is the body of a commit: JSON lines, the header first, then what goes
// away, then what comes. sent is set when its end has been read.
func (r CommitRequest) lines(sent *atomic.Bool) io.ReadCloser {
	header := map[string]any{"summary": r.Summary, "description": r.Description}
	if r.Parent != "" {
		header["parentCommit"] = r.Parent
	}
	l := &lineReader{sent: sent}
	l.add(line("header", header))
	for _, p := range r.DeleteDirs {
		l.add(line("deletedFolder", map[string]string{"path": p + "/"}))
	}
	for _, p := range r.Deletes {
		l.add(line("deletedFile", map[string]string{"path": p}))
	}
	for _, f := range r.Files {
		l.next = append(l.next, func() (io.Reader, io.Closer, error) { return f.line() })
	}
	for _, f := range r.LFS {
		l.add(line("lfsFile", map[string]any{"path": f.Path, "algo": "sha256", "oid": f.OID, "size": f.Size}))
	}
	return l
}

func line(key string, value any) []byte {
	// Strings and numbers always marshal.
	b, _ := json.Marshal(map[string]any{"key": key, "value": value})
	return append(b, '\n')
}

// line is the file's line, its content encoded while it is read.
func (f InlineFile) line() (io.Reader, io.Closer, error) {
	var content io.Reader = bytes.NewReader(f.Content)
	var closer io.Closer
	if f.Open != nil {
		file, err := f.Open()
		if err != nil {
			return nil, nil, &sourceError{err}
		}
		content, closer = file, file
	}
	path, _ := json.Marshal(f.Path)
	head := `{"key":"file","value":{"path":` + string(path) + `,"encoding":"base64","content":"`
	return io.MultiReader(bytes.NewReader([]byte(head)), &base64Reader{src: content}, bytes.NewReader([]byte("\"}}\n"))), closer, nil
}

// A lineReader reads one part after the other and opens each when its turn has
// come.
type lineReader struct {
	sent *atomic.Bool

	mu     sync.Mutex // the transport may close a body while it is read
	next   []func() (io.Reader, io.Closer, error)
	cur    io.Reader
	closer io.Closer
	closed bool
}

func (l *lineReader) add(b []byte) {
	l.next = append(l.next, func() (io.Reader, io.Closer, error) { return bytes.NewReader(b), nil, nil })
}

func (l *lineReader) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		if l.closed {
			return 0, fs.ErrClosed
		}
		if l.cur == nil {
			if len(l.next) == 0 {
				l.sent.Store(true)
				return 0, io.EOF
			}
			var err error
			if l.cur, l.closer, err = l.next[0](); err != nil {
				l.cur = nil
				return 0, err
			}
			l.next = l.next[1:]
		}
		n, err := l.cur.Read(p)
		if err == io.EOF {
			l.endPart()
			err = nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

func (l *lineReader) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.endPart()
	return nil
}

func (l *lineReader) endPart() {
	if l.closer != nil {
		l.closer.Close()
	}
	l.cur, l.closer = nil, nil
}

// A base64Reader encodes what it reads.
type base64Reader struct {
	src  io.Reader
	in   []byte
	out  []byte // encoded, not yet taken
	done bool
}

const base64Chunk = 3 << 14 // a multiple of 3, so that padding is at the end only

func (b *base64Reader) Read(p []byte) (int, error) {
	for len(b.out) == 0 {
		if b.done {
			return 0, io.EOF
		}
		if b.in == nil {
			b.in = make([]byte, base64Chunk)
		}
		n, err := io.ReadFull(b.src, b.in)
		switch err {
		case io.EOF, io.ErrUnexpectedEOF:
			b.done = true
		case nil:
		default:
			return 0, &sourceError{err}
		}
		b.out = base64.StdEncoding.AppendEncode(nil, b.in[:n])
	}
	n := copy(p, b.out)
	b.out = b.out[n:]
	return n, nil
}
