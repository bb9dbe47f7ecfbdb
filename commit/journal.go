package commit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
)

// A journal is the file that says what is staged. Its lines are records, see
// record.go. Lines are only ever added; the file as a whole is replaced when
// it has become much longer than what it says (rewrite).
//
// The order of lines is the order of operations: the caller appends under
// Worktree.mu.
type journal struct {
	disk    *disk
	barrier *barrier

	mu     sync.Mutex
	f      *os.File
	size   int64 // up to here all lines are whole
	synced int64 // up to here they are durable
	pos    int64 // bytes ever appended: of a moment in the journal's life, whatever file it was in
	safe   int64 // up to here in that count all is durable
	lines  int
	sums   chain // of the lines up to size
	named  bool  // the file's name is durable, so that syncing the file is enough
	err    error // sticky: the file is in a state nothing may be added to
}

const journalName = "journal"

// newJournal opens the journal for appending at size, which replay found to
// be good, and cuts what is behind it.
func newJournal(d *disk, size int64, lines int, sums chain) (*journal, error) {
	f, err := d.open(journalName, os.O_WRONLY|os.O_APPEND)
	if err != nil {
		return nil, err
	}
	if st, err := f.Stat(); err != nil {
		f.Close()
		return nil, err
	} else if st.Size() != size {
		if err := d.truncate(f, size); err != nil {
			f.Close()
			return nil, err
		}
	}
	j := &journal{disk: d, f: f, size: size, lines: lines, sums: sums, named: true}
	j.barrier = newBarrier(j.flush)
	return j, nil
}

// append writes records as one write. After an error none of them is there.
func (j *journal) append(rs ...record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return j.err
	}
	var b []byte
	var err error
	sums := j.sums
	for _, r := range rs {
		if b, err = appendLine(b, r, &sums); err != nil {
			return fmt.Errorf("journal: %w", err)
		}
	}
	n, err := j.disk.write(j.f, b)
	if err != nil {
		// What was written of it must not be there for the next replay.
		if terr := j.disk.truncate(j.f, j.size); terr != nil {
			j.err = fmt.Errorf("journal: %w", terr)
		}
		return fmt.Errorf("journal: %w", err)
	}
	j.size += int64(n)
	j.pos += int64(n)
	j.lines += len(rs)
	j.sums = sums
	return nil
}

// sync returns when everything appended before the call is durable.
func (j *journal) sync() error {
	j.mu.Lock()
	done, err := j.synced >= j.size, j.err
	j.mu.Unlock()
	if err != nil {
		return err
	}
	if done {
		return nil
	}
	return j.barrier.wait()
}

func (j *journal) flush() error {
	j.mu.Lock()
	f, size, pos, err := j.f, j.size, j.pos, j.err
	j.mu.Unlock()
	if err != nil {
		return err
	}
	if err = j.disk.sync(f); err == nil {
		err = j.name()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if f != j.f {
		// The file was replaced meanwhile, by one that was synced first.
		return nil
	}
	if err != nil {
		// The kernel may have dropped the pages it could not write, so that a
		// later fsync would succeed without them.
		j.err = fmt.Errorf("journal: %w", err)
		return j.err
	}
	j.synced, j.safe = max(j.synced, size), max(j.safe, pos)
	return nil
}

// rewrite replaces the file by one with just these records, durably. It also
// heals a journal that nothing could be added to any more.
func (j *journal) rewrite(rs []record) error {
	b, sums, err := encode(rs)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.f == nil {
		return fs.ErrClosed
	}
	rerr := j.disk.replace(journalName, b)
	// It may be there after an error too: then the old file has no name any more,
	// and what is added to it would be lost.
	f, err := j.disk.open(journalName, os.O_WRONLY|os.O_APPEND)
	if err != nil {
		j.err = fmt.Errorf("journal: %w", errors.Join(rerr, err))
		return j.err
	}
	if rerr != nil && same(f, j.f) {
		f.Close()
		return fmt.Errorf("journal: %w", rerr)
	}
	j.f.Close()
	j.f, j.size, j.synced, j.lines, j.sums, j.err = f, int64(len(b)), int64(len(b)), len(rs), sums, nil
	if rerr != nil {
		j.named, j.synced = false, 0
		return fmt.Errorf("journal: %w", rerr)
	}
	j.named = true
	return nil
}

// same reports whether both are one file; if that can't be told, that they are.
func same(f, g *os.File) bool {
	a, err := f.Stat()
	b, berr := g.Stat()
	return err != nil || berr != nil || os.SameFile(a, b)
}

// name makes the name of the journal's file durable if it is not.
func (j *journal) name() error {
	j.mu.Lock()
	f, named := j.f, j.named
	j.mu.Unlock()
	if named {
		return nil
	}
	if err := j.disk.syncDir("."); err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.f == f {
		j.named = true
	}
	return nil
}

// encode gives the whole content of a journal.
func encode(rs []record) (b []byte, c chain, err error) {
	for _, r := range rs {
		if b, err = appendLine(b, r, &c); err != nil {
			return nil, c, fmt.Errorf("journal: %w", err)
		}
	}
	return b, c, nil
}

// now is this moment in the journal's life.
func (j *journal) now() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.pos
}

// durable reports whether a record that was appended before the moment at may
// be there after a power cut, and whether all that follow it are.
func (j *journal) durable(at int64) (it, all bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return at <= j.safe, j.synced >= j.size && j.err == nil
}

// length is the number of records in the file.
func (j *journal) length() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.lines
}

// fail says that nothing may be added before the file was replaced.
func (j *journal) fail(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err == nil {
		j.err = fmt.Errorf("journal: %w", err)
	}
}

// failed reports whether only rewrite can help.
func (j *journal) failed() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.err != nil
}

func (j *journal) close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.f == nil {
		return nil
	}
	err := j.f.Close()
	j.f, j.err = nil, fs.ErrClosed
	return err
}
