package remote

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"
)

// Sentinels that errors of this package match through errors.Is, besides
// fs.ErrNotExist, fs.ErrPermission, fs.ErrExist and os.ErrDeadlineExceeded.
var (
	ErrConflict         = errors.New("the branch has moved")
	ErrGated            = errors.New("the repo is gated")
	ErrRepoNotFound     = errors.New("repo not found")
	ErrRevisionNotFound = errors.New("revision not found")
	ErrEntryNotFound    = errors.New("no such file in the repo")
	ErrBadToken         = errors.New("the token is not valid")
	ErrRateLimited      = errors.New("rate limited")
	ErrOffline          = errors.New("offline")
	// ErrNoRoom says that the Hub has no room for what was sent: a storage limit
	// of the account, or of one request. Such errors are syscall.ENOSPC too.
	ErrNoRoom = errors.New("the Hub has no room for it")
	// ErrUnknownOutcome says that a commit may or may not have been made: the
	// answer was lost after the request may have reached the server.
	ErrUnknownOutcome = errors.New("the outcome is unknown")
	// ErrMismatch says that an answer contradicts what the tree says about a
	// file, or itself: wrong length, range or etag. No byte of it was served.
	ErrMismatch = errors.New("the server's answer does not fit the file")
)

// An Error is an answer of the server that is not a success. Its text holds
// neither tokens nor the query of a URL, and no control characters.
type Error struct {
	Status     int           // HTTP status
	Code       string        // X-Error-Code: "RepoNotFound", "EntryNotFound", …; often empty
	Message    string        // the server's own words, cut and escaped; may be empty
	RequestID  string        // what the Hub's support asks for; may be empty
	Method     string        // of the request
	URL        string        // of the request, without its query
	RetryAfter time.Duration // what the server asked to wait; 0 = it did not say

	// content marks answers of an origin other than the endpoint, such as a
	// signed URL that is no longer good: its 401 is no judgement on the token
	// and its 404 none on the file.
	content  bool
	expired  bool // of a signed URL, which has perhaps run out
	badToken bool // a 401 of a call that has no other reason to answer so

	remarks remarks // of an answer to ValidateCard; as it came
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: %d %s", e.Method, e.URL, e.Status, http.StatusText(e.Status))
	if e.Code != "" {
		fmt.Fprintf(&b, " (%s)", e.Code)
	}
	if e.Message != "" {
		fmt.Fprintf(&b, ": %s", e.Message)
	}
	if e.RequestID != "" {
		fmt.Fprintf(&b, " [request id %s]", e.RequestID)
	}
	return b.String()
}

// badCredentials is what the Hub says to a token it does not know, as against
// to an anonymous request for a repo that is private or missing.
const badCredentials = "Invalid credentials in Authorization header"

// Is maps the answer to sentinels. An anonymous 401 is fs.ErrPermission even
// where the code is RepoNotFound: the Hub does not tell a missing repo from a
// private one to someone it does not know.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrRateLimited:
		return e.Status == http.StatusTooManyRequests
	case os.ErrDeadlineExceeded:
		return e.Status == http.StatusRequestTimeout || e.Status == http.StatusGatewayTimeout
	case ErrConflict:
		return e.Status == http.StatusPreconditionFailed || e.Status == http.StatusConflict
	case fs.ErrExist:
		return e.Status == http.StatusConflict
	case ErrNoRoom, syscall.ENOSPC:
		return e.noRoom()
	}
	if e.content {
		return false
	}
	switch target {
	case fs.ErrNotExist:
		return e.Status == http.StatusNotFound || e.Status == http.StatusGone
	case fs.ErrPermission:
		return e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden && !e.noRoom()
	case ErrBadToken:
		return e.badToken || e.Status == http.StatusUnauthorized && strings.Contains(e.Message, badCredentials)
	case ErrGated:
		return e.Code == "GatedRepo"
	case ErrRepoNotFound:
		return e.Code == "RepoNotFound"
	case ErrRevisionNotFound:
		return e.Code == "RevisionNotFound"
	case ErrEntryNotFound:
		return e.Code == "EntryNotFound"
	}
	return false
}

// storageWords are what the Hub says with the 403 that means a storage limit,
// not a right that is missing.
var storageWords = []string{"storage limit", "storage patterns", "storage quota", "more storage", "quota exceeded"}

func (e *Error) noRoom() bool {
	switch e.Status {
	case http.StatusRequestEntityTooLarge, http.StatusInsufficientStorage:
		return true
	case http.StatusForbidden, http.StatusPaymentRequired:
		said := strings.ToLower(e.Message)
		for _, words := range storageWords {
			if strings.Contains(said, words) {
				return !e.content
			}
		}
	}
	return false
}

// A ParseError says why a string is not the name of a repo.
type ParseError struct {
	Input, Reason string
}

func (e *ParseError) Error() string {
	in := e.Input
	if strings.Contains(in, "://") {
		in = redact(in, secret{}) // a URL may have been copied with its password
	}
	return quote(in) + ": " + e.Reason
}
