package commit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/hubfs/hubfs/remote"
)

// journalVersion is in the first line of a journal. A higher number is
// refused, since cutting what an older program does not know would lose it.
const journalVersion = 2

// Kinds of records. Paths are those of the moment the record was written.
const (
	opVersion = "version" // V
	opBase    = "base"    // C, T: the base is this commit now; with S: made by the S-th intent that is open
	opPut     = "put"     // P is staged file S, with mode M
	opMode    = "mode"    // staged file S has mode M
	opRef     = "ref"     // P is the committed content E
	opDel     = "del"     // P is gone
	opMv      = "mv"      // P went to Q, replacing it; E if P was committed content, D if a directory
	opSwap    = "swap"    // P and Q changed places; E and D of P, F and G of Q
	opLink    = "link"    // P is a symbolic link to Q, made at T
	opDir     = "dir"     // P is a directory: a new one, or with O one that shows through to base directory O
	opDiscard = "discard" // what was staged at P and below is dropped; with D also the other sides of its renames
	opPlan    = "plan"    // what is staged up to here is what the next intent is about
	opIntent  = "intent"  // a commit with Adds and Dels on top of C is about to be sent; the links Lns become files by it
	opVoid    = "void"    // the last S intents came to nothing
	opSent    = "sent"    // the S-th intent that is open has gone to another branch or a pull request, as commit C
	opClash   = "clash"   // what is staged at P lies over what others changed after commit C, and nobody has seen both
)

// A record is one line of the journal.
type record struct {
	Op   string     `json:"op"`
	V    int        `json:"v,omitempty"`
	P    string     `json:"p,omitempty"`
	Q    string     `json:"q,omitempty"`
	S    uint64     `json:"s,omitempty"`
	M    uint32     `json:"m,omitempty"`
	E    *moved     `json:"e,omitempty"`
	F    *moved     `json:"f,omitempty"`
	D    bool       `json:"d,omitempty"`
	G    bool       `json:"g,omitempty"`
	N    bool       `json:"n,omitempty"` // of del and mv: the base has nothing at P
	O    string     `json:"o,omitempty"`
	C    string     `json:"c,omitempty"`
	T    *time.Time `json:"t,omitempty"`
	Adds []added    `json:"adds,omitempty"`
	Dels []string   `json:"dels,omitempty"`
	Lns  []linked   `json:"lns,omitempty"`
	Kept []string   `json:"kept,omitempty"` // names that stay as they are, though the intent is about others
	B    string     `json:"b,omitempty"`    // of intent: goes to this branch instead of the worktree's own
	PR   *int       `json:"pr,omitempty"`   // of intent, sent at T: opens a pull request with a higher number than this
}

// moved is committed content away from its place.
type moved struct {
	Path   string `json:"path"`   // where it is in Commit
	Commit string `json:"commit"` // from which it can be fetched
	ID     string `json:"id"`     // of the blob
	Xet    string `json:"xet,omitempty"`
	Size   int64  `json:"size"`
}

func (m *moved) entry() remote.Entry {
	return remote.Entry{Path: m.Path, Size: m.Size, Blob: remote.Blob{ID: m.ID, Xet: m.Xet}}
}

// added is one path of an intent: what it shall be after the commit.
type added struct {
	P    string `json:"p"`
	S    uint64 `json:"s,omitempty"` // staged file, 0 for content moved by reference
	ID   string `json:"id"`
	Size int64  `json:"size"`
	Same bool   `json:"same,omitempty"` // no change: nothing of it is sent
	L    string `json:"l,omitempty"`    // it is, or is part of, the copy that the link at this path becomes
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errRecord = errors.New("not a record of this journal")

// A line is 8 hex digits of CRC-32C over all records up to this one, a space,
// the record as JSON, a newline. JSON writes no newline of its own. A line that
// is doubled, lost from the middle or out of its place is found by that.
//
// A chain is the sum of the line before. In journals of version 1 each line's
// sum was of that line alone.
type chain struct {
	sum   uint32
	alone bool
}

func (c *chain) next(line []byte) uint32 {
	if c.alone {
		c.sum = 0
	}
	return crc32.Update(c.sum, castagnoli, line)
}

// took says that r, with this sum, is in the journal.
func (c *chain) took(r record, sum uint32) {
	c.sum = sum
	if r.Op == opVersion {
		c.alone = r.V < 2
	}
}

// appendLine moves c on to the line that it adds to b.
func appendLine(b []byte, r record, c *chain) ([]byte, error) {
	j, err := json.Marshal(r)
	if err != nil {
		return b, err
	}
	sum := c.next(j)
	c.took(r, sum)
	b = fmt.Appendf(b, "%08x ", sum)
	b = append(b, j...)
	return append(b, '\n'), nil
}

// parseLine takes a line without its newline, and moves c on to it.
func parseLine(line []byte, c *chain) (r record, err error) {
	if len(line) < 10 || line[8] != ' ' {
		return r, errRecord
	}
	sum := c.next(line[9:])
	if string(line[:8]) != fmt.Sprintf("%08x", sum) {
		return r, errRecord
	}
	if err := json.Unmarshal(line[9:], &r); err != nil {
		return r, errRecord
	}
	c.took(r, sum)
	return r, nil
}

// lines walks over the records of a journal's content. It stops at the first
// line that is not one, or that use refuses, and returns how many bytes were
// good and the chain up to there.
func lines(content []byte, use func(record) error) (good int, c chain, err error) {
	for good < len(content) {
		before := c
		end := bytes.IndexByte(content[good:], '\n')
		if end < 0 {
			return good, c, torn(content[good:], c)
		}
		r, err := parseLine(content[good:good+end], &c)
		if err == nil {
			err = use(r)
		}
		if err != nil {
			return good, before, err
		}
		good += end + 1
	}
	return good, c, nil
}

// torn is errTorn, unless the line without an end is a whole record, with
// something else in the place of its newline: that is damage to one that may
// have been promised.
func torn(line []byte, c chain) error {
	if _, err := parseLine(line[:len(line)-1], &c); err == nil {
		return errRecord
	}
	return errTorn
}

// errTorn says that the last line has no end: its append never returned, so
// nobody was told that it is there.
var errTorn = errors.New("the last line is not complete")
