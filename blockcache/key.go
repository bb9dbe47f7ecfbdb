package blockcache

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io/fs"
	"strconv"
	"strings"
)

// A digest is a checked key. Only a digest is ever made into a file name.
type digest struct {
	git bool   // git's blob hash, over a header and the content; else plain SHA-256
	hex string // 64 digits, or 40 of a git hash in the SHA-1 object format
}

// parseKey accepts "sha256:<64 hex>" and "git:<40 or 64 hex>", in lower case.
func parseKey(key string) (digest, error) {
	kind, digits, _ := strings.Cut(key, ":")
	d := digest{git: kind == "git", hex: digits}
	if kind != "git" && kind != "sha256" ||
		len(digits) != 64 && !(d.git && len(digits) == 40) ||
		strings.Trim(digits, "0123456789abcdef") != "" {
		return digest{}, fmt.Errorf("blob key %q: %w", key, fs.ErrInvalid)
	}
	return d, nil
}

// String returns the key.
func (d digest) String() string {
	if d.git {
		return "git:" + d.hex
	}
	return "sha256:" + d.hex
}

// name is the file name of the blob: the key with the colon made a dash.
func (d digest) name() string { return strings.Replace(d.String(), ":", "-", 1) }

// whole and partial are the places of the blob below the cache directory.
func (d digest) whole() string   { return "blobs/" + d.hex[:2] + "/" + d.name() }
func (d digest) partial() string { return "partial/" + d.name() }

// raw returns the hash itself, 20 or 32 bytes.
func (d digest) raw() []byte {
	b, _ := hex.DecodeString(d.hex) // the digits were checked
	return b
}

// hasher starts the hash of a content of size bytes.
func (d digest) hasher(size int64) hash.Hash {
	var h hash.Hash
	if len(d.hex) == 40 {
		h = sha1.New()
	} else {
		h = sha256.New()
	}
	if d.git {
		h.Write([]byte("blob " + strconv.FormatInt(size, 10) + "\x00"))
	}
	return h
}

// empty reports whether d names the content without bytes.
func (d digest) empty() bool { return d.is(d.hasher(0)) }

// is reports whether h, after all of the content, is the hash d names.
func (d digest) is(h hash.Hash) bool { return string(h.Sum(nil)) == string(d.raw()) }
