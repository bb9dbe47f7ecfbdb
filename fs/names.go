package fs

import "sync"

// A names gives the names of one directory their inode numbers and their places
// in its listings, and keeps both for as long as the directory is known: the
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
	ino    uint64
	id     any // what the name meant when it got the number; comparable
}

// dotCookies are the places of "." and "..".
const dotCookies = 2

// get is the inode number of name while it means id, which is comparable. A
// name that has come to mean something else has another number. If ino is not 0 it is what a
// new number would be.
func (t *names) get(name string, id any, ino uint64) (number, cookie uint64) {
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
	if s.id != id || ino != 0 && s.ino != ino {
		if ino == 0 {
			ino = t.m.newIno()
		}
		s.id, s.ino = id, ino
	}
	return s.ino, s.cookie
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
	if meaning.ino == 0 {
		t.remove(name)
		return
	}
	t.get(name, meaning.id, meaning.ino)
}
