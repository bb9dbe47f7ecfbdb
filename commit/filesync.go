package commit

import (
	"context"
	"os"

	"golang.org/x/sync/errgroup"
)

// Sync makes content and name durable: after it returned nil they survive a
// power cut.
func (f *File) Sync(ctx context.Context) error { return f.SyncBy(ctx, nil) }

// SyncBy is Sync by a descriptor of the file that was open while it was written,
// if there is one: the kernel tells each descriptor once of what it could not
// write meanwhile, and one opened after somebody was told it tells nothing.
func (f *File) SyncBy(ctx context.Context, by *os.File) error {
	f.mu.Lock()
	if f.place != inStaging {
		f.mu.Unlock()
		return nil // committed and verified, or without any name
	}
	g, err := by, error(nil)
	if g == nil {
		g, err = f.st.disk.open(f.name(), os.O_RDONLY)
	}
	durable, unlinked, failed := f.durable, f.unlinked, f.failed
	f.mu.Unlock()
	if err != nil {
		return err
	}
	if g != by {
		defer g.Close()
	}
	if failed != nil {
		return failed
	}
	if unlinked {
		return f.syncContent(g)
	}
	// Side by side: one commit of the disk's own journal may do for all three.
	// None needs another: what is there of them alone after a power cut was
	// promised to nobody.
	var all errgroup.Group
	all.Go(func() error { return f.syncContent(g) })
	if !durable {
		all.Go(f.syncName)
	}
	err = f.w.syncJournal()
	if aerr := all.Wait(); err == nil {
		err = aerr
	}
	return err
}

// syncName makes the file's name in files/ durable.
func (f *File) syncName() error {
	if err := f.st.dir.wait(); err != nil {
		return err
	}
	f.mu.Lock()
	f.durable = true
	f.mu.Unlock()
	return nil
}

// syncContent makes the bytes durable; g is a descriptor of the file.
func (f *File) syncContent(g *os.File) error {
	err := f.st.disk.sync(g)
	if err != nil {
		f.Lost(err)
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.synced = true
	return nil
}

// Lost says that something the kernel took for the file could not be written.
// It may have dropped that, and the next sync would succeed without it: so that
// and all later ones fail, until the file is emptied.
func (f *File) Lost(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failed = err
}

// outlast makes content and entry of a file durable that has no name yet.
func (f *File) outlast() error {
	g, err := f.st.disk.open(f.name(), os.O_RDONLY)
	if err != nil {
		return err
	}
	defer g.Close()
	if err := f.syncContent(g); err != nil {
		return err
	}
	return f.syncName()
}

// begin lets the disk begin to write the content, without waiting for it.
func (f *File) begin() {
	if g, err := f.st.disk.open(f.name(), os.O_RDONLY); err == nil {
		writeBack(g, 0)
		g.Close()
	}
}
