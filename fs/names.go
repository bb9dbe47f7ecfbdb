package fs

import "sync"

// A names gives the names of one directory their numbers and their places in
// its listings, and keeps both for as long as the directory is known: the
// kernel may forget a node and ask again, and programs compare.
//
// A name's place (cookie) is its readdir offset. It depends on nothing but the
// name, so it stays right when other names go while the directory is read, and
// it means the same to all who read it. New names come last.
type names struct {
	m *mount

	mu    sync.Mutex
	slots map[string]*slot
	last  uint64 // cookie
}

type slot struct {
	cookie uint64
	number uint64
	id     any  // what the name meant when it got the number; comparable
	given  bool // the number is that of a node which may be moved to another name
}

// dotCookies are the places of "." and "..".
const dotCookies = 2

// A node number is what tells nodes apart, for the kernel and for go-fuse. Its
// lower bits are the inode number that programs see. That one stays with the name
// when a file is edited or committed, though the node is another: an editor
// that sees it change takes the file for one that somebody else has replaced.
const inoBits = 44

func shownIno(number uint64) uint64 { return number & (1<<inoBits - 1) }

// next is the number of the node that takes the place of another one; 0 if
// there is none any more.
func next(number uint64) uint64 { return (number + 1<<inoBits) &^ (1 << 63) }

// get is the number of name while it means id, which is comparable, and its
// place. given, if not 0, is the number that the node has already.
func (t *names) get(name string, id any, given uint64) (number, cookie uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.slots[name]
	if s == nil {
		if t.slots == nil {
			t.slots = map[string]*slot{}
		}
		t.last++
		s = &slot{cookie: t.last + dotCookies}
		t.slots[name] = s
	}
	switch {
	case given != 0:
		s.id, s.number, s.given = id, given, true
	case s.id == id:
	case s.number == 0 || s.given || next(s.number) < 1<<inoBits:
		s.id, s.number, s.given = id, t.m.newIno(), false
	default:
		s.id, s.number = id, next(s.number)
	}
	return s.number, s.cookie
}

// remove forgets a name that is gone. Its place is not given out again.
func (t *names) remove(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.slots, name)
}

// move lets what name means keep its number under the new name in to, and
// exchanges the two if it is told to.
func (t *names) move(name string, to *names, newName string, exchange bool) {
	a, b := t.meaning(name), to.meaning(newName)
	to.put(newName, a)
	if exchange {
		t.put(name, b)
	} else {
		t.remove(name)
	}
}

func (t *names) meaning(name string) slot {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.slots[name]; s != nil {
		return *s
	}
	return slot{}
}

func (t *names) put(name string, meaning slot) {
	if meaning.number == 0 {
		t.remove(name)
		return
	}
	t.get(name, meaning.id, meaning.number)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.slots[name].given = meaning.given
}
