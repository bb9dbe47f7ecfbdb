package main

import (
	"context"
	"errors"
	"strings"
)

// The exit codes of every command; exitHelp repeats them in the help texts.
const (
	exitDone = iota
	exitFailed
	exitUsage
	exitCommit   // the commit failed, everything is still staged
	exitConflict // the branch changed where this mount did, too
	exitBusy     // somebody still has files open
)

const exitHelp = `Exit codes:
  0  done
  1  failed; it did not come to a commit
  2  wrong usage
  3  a commit failed or is held; everything is still staged
  4  conflict with a newer commit; everything is still staged
  5  files are open for writing, or the mount is in use`

var (
	errUsage    = errors.New("wrong usage")
	errCommit   = errors.New("the commit failed")
	errConflict = errors.New("conflict")
	errBusy     = errors.New("busy")

	// errHeld is an errCommit: nothing is wrong, but somebody should look first.
	errHeld = errors.New("held")

	// errQuiet ends a command whose message has been printed already.
	errQuiet = errors.New("")
)

// A codedError is an error whose text says all there is to say, and whose kind
// (one of the sentinels above) decides the exit code.
type codedError struct {
	kind error
	text string
}

func (e *codedError) Error() string        { return e.text }
func (e *codedError) Is(target error) bool { return target == e.kind }

func coded(kind error, text string) error { return &codedError{kind, text} }

func usage(text string) error { return coded(errUsage, text) }

func exitCode(err error) int {
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errUsage):
		return exitUsage
	case errors.Is(err, errConflict):
		return exitConflict
	case errors.Is(err, errBusy):
		return exitBusy
	case errors.Is(err, errCommit), errors.Is(err, errHeld):
		return exitCommit
	}
	return exitFailed
}

// kindOf is the inverse of exitCode, for errors that come from another process.
func kindOf(code int) error {
	switch code {
	case exitUsage:
		return errUsage
	case exitCommit:
		return errCommit
	case exitConflict:
		return errConflict
	case exitBusy:
		return errBusy
	}
	return nil
}

// message is what main prints for err, "" for nothing.
func message(err error) string {
	switch {
	case err == nil, errors.Is(err, errQuiet):
		return ""
	case errors.Is(err, context.Canceled):
		return "interrupted"
	}
	return strings.TrimSpace(err.Error())
}
