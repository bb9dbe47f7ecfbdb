package fs

import "testing"

func TestNames(t *testing.T) {
	m := &mount{}
	m.inos.Store(1)
	a, b := names{m: m}, names{m: m}
	one, place := a.get("x", "id1", 0)
	if again, p := a.get("x", "id1", 0); again != one || p != place {
		t.Errorf("the same meaning got %d at %d, then %d at %d", one, place, again, p)
	}
	two, p := a.get("x", "id2", 0)
	if two == one || p != place || shownIno(two) != shownIno(one) {
		t.Errorf("another meaning got %x at %d; it was %x at %d", two, p, one, place)
	}
	for range 1 << 20 {
		two, _ = a.get("x", two, 0)
	}
	if two, _ = a.get("x", "id2", 0); two < 1<<inoBits && shownIno(two) == shownIno(one) {
		t.Errorf("%x is given out again", two)
	}
	if _, later := a.get("y", "id", 0); later <= place {
		t.Errorf("a new name came before an old one: %d, %d", later, place)
	}
	a.move("x", &b, "z", false)
	if got, _ := b.get("z", "id2", 0); got != two {
		t.Errorf("after a move it is %d, was %d", got, two)
	}
	if got, _ := a.get("x", "id2", 0); got == two {
		t.Error("the number stayed behind too")
	}
	u, _ := a.get("u", "U", 0)
	v, _ := a.get("v", "V", 0)
	a.move("u", &a, "v", true)
	gu, _ := a.get("u", "V", 0)
	gv, _ := a.get("v", "U", 0)
	if gu != v || gv != u {
		t.Errorf("exchange made %d, %d of %d, %d", gu, gv, u, v)
	}
}
