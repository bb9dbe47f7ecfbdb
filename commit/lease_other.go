//go:build !linux

package commit

import (
	"errors"
	"os"
)

var errNoLease = errors.New("no leases here")

func unwritten(f *os.File) (bool, error) { return false, errNoLease }

func unopened(f *os.File) (bool, error) { return false, errNoLease }
