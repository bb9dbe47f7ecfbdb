package commit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
)

const identityName = "repo.json"

// identity is the content of repo.json.
type identity struct {
	// CRC-32C of the same without it. It comes first, so that no part of the
	// rest can get lost with it.
	Sum string `json:"sum,omitempty"`

	Endpoint string `json:"endpoint"`
	Repo     string `json:"repo"`
	New      bool   `json:"new,omitempty"`  // to be created by its first commit
	User     string `json:"user,omitempty"` // whose work it is; "" = not known

	damage error // of the file, which this was not read from
}

// nobodyKnown is whose work it is where repo.json could not be read: no account
// has this name, so that nothing of it is committed unasked.
const nobodyKnown = "?"

// errDamaged says that repo.json is not what was written: it would put the work
// into another repo, or commit it in another one's name.
var errDamaged = errors.New("damaged")

func (id identity) encode() []byte {
	line := func() []byte {
		b, _ := json.Marshal(id) // strings and a bool
		return append(b, '\n')
	}
	id.Sum = ""
	id.Sum = fmt.Sprintf("%08x", crc32.Checksum(line(), castagnoli))
	return line()
}

// decodeIdentity reads what encode wrote; also without a sum, as it was before
// there was one, but byte for byte.
func decodeIdentity(b []byte, path string) (id identity, err error) {
	if err := json.Unmarshal(b, &id); err != nil {
		return identity{}, fmt.Errorf("%s: %w: %w", path, errDamaged, err)
	}
	want := id.encode()
	if id.Sum == "" {
		plain, _ := json.Marshal(id)
		want = append(plain, '\n')
	}
	if !bytes.Equal(b, want) {
		return identity{}, fmt.Errorf("%s: %w", path, errDamaged)
	}
	return id, nil
}

func readIdentity(dir string) (id identity, err error) {
	path := filepath.Join(dir, identityName)
	b, err := os.ReadFile(path)
	if err != nil {
		return id, err
	}
	return decodeIdentity(b, path)
}

func (st *state) identity() (id identity, err error) {
	b, err := st.disk.root.ReadFile(identityName)
	if err != nil {
		return id, err
	}
	return decodeIdentity(b, filepath.Join(st.disk.path, identityName))
}

func (st *state) identify(id identity) error { return st.disk.replace(identityName, id.encode()) }
