package commit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/hubfs/hubfs/remote"
)

// A state is one worktree's directory on disk, locked.
type state struct {
	disk    *disk
	lock    *os.File
	journal *journal
	dir     *barrier // makes names in files/ durable

	leaseless atomic.Bool                  // the file system has no leases
	noLease   func(*os.File) (bool, error) // tests: stands for unwritten

	mu    sync.Mutex
	next  uint64 // number of the next staged file
	trash map[uint64]*File

	broken error // of a sync of files/, see lasting
	// Files that lost their names in records that are not yet durable, see bury.
	doomed  []*File
	burying bool
	buriers sync.WaitGroup
}

// stateName is the directory of a repo's branch below Options.Dir.
func (s *Store) stateName(repo remote.Repo) string {
	return stateNameAt(s.o.Client.Endpoint(), repo)
}

func stateNameAt(endpoint string, repo remote.Repo) string {
	sum := sha256.Sum256([]byte(endpoint + "\n" + repo.Path() + "\n" + repo.Branch()))
	return hex.EncodeToString(sum[:16])
}

// openState takes the state of a repo. Without create, a repo that has none
// is fs.ErrNotExist.
func (s *Store) openState(ctx context.Context, repo remote.Repo, create bool) (*state, identity, error) {
	dir := filepath.Join(s.o.Dir, s.stateName(repo))
	var id identity
	if !create {
		if _, err := os.Lstat(filepath.Join(dir, identityName)); err != nil {
			return nil, id, err
		}
	}
	lock, err := s.lock(ctx, dir, create, func(by holder) {
		if s.o.Waiting != nil {
			s.o.Waiting(repo.String(), by.String())
		}
	})
	if err != nil {
		return nil, id, err
	}
	st := &state{lock: lock, next: 1, trash: make(map[uint64]*File)}
	if st.disk, err = openDisk(dir, s.seam); err != nil {
		lock.Close()
		return nil, id, err
	}
	st.dir = newBarrier(st.syncNames)
	id, err = st.identity()
	if errors.Is(err, errDamaged) {
		// What it says can be told from where it is, but for whose work it is.
		id, err = identity{Endpoint: s.o.Client.Endpoint(), Repo: repo.String(), New: !hasBase(dir), User: nobodyKnown, damage: err}, nil
	}
	if err != nil && (!errors.Is(err, fs.ErrNotExist) || !create) {
		st.release()
		return nil, id, err
	}
	return st, id, nil
}

// reserve takes the room on disk that the first commit of a repo will need for
// the journal and repo.json, until free. It takes the name by which repo.json
// is replaced, so that nothing unknown is left after a crash.
func (st *state) reserve(p *plan) (free func(), err error) {
	b, err := appendLine(nil, p.intent(), new(chain))
	if err != nil {
		return nil, err
	}
	// The intent has no hashes yet; the rest is short.
	b = append(b, make([]byte, 100*len(p.items)+1<<14)...)
	f, err := st.disk.temporary(identityName, b)
	if err != nil {
		return nil, err
	}
	return func() { st.disk.remove(f) }, nil
}

// begin makes a fresh state: the journal before repo.json, whose presence
// says that there is something to be read.
func (st *state) begin(id identity, first []record) error {
	if err := st.disk.mkdir(filesName); err != nil {
		return err
	}
	if err := st.disk.openFiles(); err != nil {
		return err
	}
	b, sums, err := encode(first)
	if err != nil {
		return err
	}
	if err := st.disk.replace(journalName, b); err != nil {
		return err
	}
	if st.journal, err = newJournal(st.disk, int64(len(b)), len(first), sums); err != nil {
		return err
	}
	st.journal.synced = int64(len(b))
	if err := st.identify(id); err != nil {
		return err
	}
	return st.disk.syncParent()
}

// newFile makes the next empty files/<seq>.
func (st *state) newFile() (seq uint64, f *os.File, err error) {
	for {
		st.mu.Lock()
		seq = st.next
		st.next++
		st.mu.Unlock()
		f, err = st.disk.create(seqName(seq))
		if !errors.Is(err, fs.ErrExist) {
			return seq, f, err
		}
	}
}

// lasting is an error of a sync of a directory after which later ones must fail
// too: the kernel may have dropped what it could not write. Where there was no
// room it has not: a name that was made has its room.
func lasting(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return nil
	}
	return err
}

// syncNames makes the names in files/ durable. What failed goes on failing, see
// lasting.
func (st *state) syncNames() error {
	f, err := st.disk.root.Open(filesName)
	if err != nil {
		return err
	}
	defer f.Close()
	st.mu.Lock()
	err = st.broken
	st.mu.Unlock()
	if err != nil {
		return err
	}
	if err = st.disk.sync(f); err != nil {
		st.mu.Lock()
		st.broken = lasting(err)
		st.mu.Unlock()
	}
	return err
}

// numbers lists files/.
func (st *state) numbers() ([]uint64, error) {
	dir, err := st.disk.root.Open(filesName)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var seqs []uint64
	for _, name := range names {
		if seq, err := strconv.ParseUint(name, 10, 63); err == nil && name == strconv.FormatUint(seq, 10) {
			seqs = append(seqs, seq)
		}
	}
	return seqs, nil
}

// release gives the state up and leaves all of it.
func (st *state) release() error {
	st.buriers.Wait()
	var err error
	if st.journal != nil {
		err = st.journal.close()
	}
	err = errors.Join(err, st.disk.close())
	return errors.Join(err, st.lock.Close())
}

// forget takes away what says that there is a state here, durably: nothing of
// what is removed after it comes back by half.
func (st *state) forget() error {
	if err := st.disk.remove(identityName); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return st.disk.syncDir(".")
}

// erase removes a state that holds nothing. The lock is held to the end.
func (st *state) erase() error {
	st.buriers.Wait()
	if err := st.forget(); err != nil {
		return errors.Join(err, st.release())
	}
	if st.journal != nil {
		st.journal.close()
	}
	seqs, _ := st.numbers()
	if err := st.disk.remove(journalName); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, st.disk.close(), st.lock.Close())
	}
	for _, seq := range seqs {
		st.disk.remove(seqName(seq))
	}
	st.disk.remove(filesName)
	st.disk.remove(lockName)
	st.disk.removeAt(st.disk.path) // stays if there is anything more in it
	return errors.Join(st.disk.close(), st.lock.Close())
}
