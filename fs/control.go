package fs

import (
	"context"
	"encoding/json"
	"sync"
	"syscall"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// controlName is the control directory's name at the root of the mount. No
// listing of the root shows it.
const controlName = ".hubfs"

// A controlDir is how people, scripts and the hubfs command talk to the mount:
//
//	status    read: JSON, see Status
//	sync      write a SyncRequest line, read SyncEvent lines until the end
//	info      write an InfoRequest line, read an Info line
//	diff      write a DiffRequest line, read ChangeEvent lines
//	discard   write a DiscardRequest line, read ChangeEvent lines
//	metrics   read: Prometheus text
//	log       read: a line per operation, while open
//
// Who may do that is decided by the modes: the owner of the mount.
type controlDir struct {
	fixedDir
	files  []*controlFile
	ctx    context.Context // of what is being answered
	cancel context.CancelFunc
	work   sync.WaitGroup
}

var (
	_ = (fusefs.NodeLookuper)((*controlDir)(nil))
	_ = (fusefs.NodeOpendirHandler)((*controlDir)(nil))
	_ = (lister)((*controlDir)(nil))
)

func newControlDir(m *mount) *controlDir {
	c := &controlDir{}
	c.setup(m)
	c.ctx, c.cancel = context.WithCancel(context.Background())
	text := func(make func(ctx context.Context) []byte) func(context.Context, uint32) fusefs.FileHandle {
		return func(ctx context.Context, _ uint32) fusefs.FileHandle { return &textHandle{text: make(ctx)} }
	}
	talk := func(answer answerer) func(context.Context, uint32) fusefs.FileHandle {
		return func(_ context.Context, flags uint32) fusefs.FileHandle { return newTalk(c, answer, flags) }
	}
	for _, f := range []*controlFile{
		{name: "status", mode: 0o400, open: text(m.statusText)},
		{name: "sync", mode: 0o600, open: talk(m.answerSync)},
		{name: "info", mode: 0o600, open: talk(m.answerInfo)},
		{name: "diff", mode: 0o600, open: talk(m.answerDiff)},
		{name: "discard", mode: 0o600, open: talk(m.answerDiscard)},
		{name: "metrics", mode: 0o400, open: text(m.metrics)},
		{name: "log", mode: 0o400, open: func(context.Context, uint32) fusefs.FileHandle { return m.opLog.follow() }},
	} {
		f.m, f.ino = m, m.newIno()
		c.files = append(c.files, f)
	}
	return c
}

// close ends what is still being answered.
func (c *controlDir) close() {
	c.cancel()
	c.work.Wait()
}

func (c *controlDir) lookup(parent *fusefs.Inode, out *fuse.EntryOut) *fusefs.Inode {
	in := c.entry(parent, c, out)
	out.Mode = c.m.dirMode(0o700)
	return in
}

func (c *controlDir) Getattr(ctx context.Context, h fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	c.m.attr(&out.Attr, c.m.dirMode(0o700), 0, c.m.started)
	out.SetTimeout(fleeting)
	return 0
}

func (c *controlDir) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fusefs.Inode, syscall.Errno) {
	for _, f := range c.files {
		if f.name == name {
			return f.entry(c.EmbeddedInode(), out), 0
		}
	}
	return nil, syscall.ENOENT
}

func (c *controlDir) OpendirHandle(ctx context.Context, flags uint32) (fusefs.FileHandle, uint32, syscall.Errno) {
	return &dirHandle{m: c.m, dir: c}, 0, 0
}

func (c *controlDir) list(ctx context.Context) (list []dirent, err error) {
	for _, f := range c.files {
		e := dirent{name: f.name, mode: syscall.S_IFREG}
		e.ino, e.cookie = c.names.get(f.name, f, f.ino)
		list = append(list, e)
	}
	return list, nil
}

func (c *controlDir) listed(ctx context.Context, e *dirent, out *fuse.EntryOut) (*fusefs.Inode, error) {
	for _, f := range c.files {
		if f.name == e.name {
			return f.entry(c.EmbeddedInode(), out), nil
		}
	}
	return nil, syscall.ENOENT
}

// A controlFile is a file in the control directory. Each open of it is a
// conversation of its own.
type controlFile struct {
	fusefs.Inode
	m    *mount
	ino  uint64
	name string
	mode uint32
	open func(ctx context.Context, flags uint32) fusefs.FileHandle
	once sync.Once
}

var (
	_ = (fusefs.NodeOpener)((*controlFile)(nil))
	_ = (fusefs.NodeGetattrer)((*controlFile)(nil))
	_ = (fusefs.NodeSetattrer)((*controlFile)(nil))
)

func (f *controlFile) entry(parent *fusefs.Inode, out *fuse.EntryOut) *fusefs.Inode {
	f.once.Do(func() {
		parent.NewInode(context.Background(), f, fusefs.StableAttr{Mode: syscall.S_IFREG, Ino: f.ino})
	})
	f.m.attr(&out.Attr, syscall.S_IFREG|f.mode, 0, f.m.started)
	out.SetAttrTimeout(fleeting)
	out.SetEntryTimeout(fleeting)
	return f.EmbeddedInode()
}

func (f *controlFile) Getattr(ctx context.Context, h fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	f.m.attr(&out.Attr, syscall.S_IFREG|f.mode, 0, f.m.started)
	out.SetTimeout(fleeting)
	return 0
}

// Setattr lets a shell's > truncate the file, which is empty.
func (f *controlFile) Setattr(ctx context.Context, h fusefs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	return f.Getattr(ctx, h, out)
}

// Open goes past the page cache, as the file has no size. Only a conversation
// is a stream: the kernel sends offset 0 with each read of one, and a text is
// read by offset.
func (f *controlFile) Open(ctx context.Context, flags uint32) (fusefs.FileHandle, uint32, syscall.Errno) {
	op := &op{opContext: newOpContext(ctx, f.m.pending), m: f.m}
	defer op.finish()
	h := f.open(op, flags)
	if _, text := h.(*textHandle); text {
		return h, fuse.FOPEN_DIRECT_IO, 0
	}
	return h, fuse.FOPEN_DIRECT_IO | fuse.FOPEN_STREAM, 0
}

// A textHandle is a text as it was when the file was opened.
type textHandle struct{ text []byte }

func (h *textHandle) Read(ctx context.Context, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	rest := h.text[min(max(0, int(off)), len(h.text)):]
	return fuse.ReadResultData(rest[:min(len(rest), len(dest))]), 0
}

// line is v as a JSON line.
func line(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		b, _ = json.Marshal(map[string]string{"type": "error", "error": err.Error()})
	}
	return append(b, '\n')
}
