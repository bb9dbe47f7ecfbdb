package remote

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

const hidden = "***"

// A secret does not print: fmt cannot call methods of unexported fields, so the
// text lies behind a pointer, which prints as an address.
type secret struct{ text *string }

func newSecret(s string) secret { return secret{&s} }

// reveal is the text itself.
func (s secret) reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

var (
	urlQuery  = regexp.MustCompile(`(?i)(https?://[^\s"'<>?#]+)[?#][^\s"'<>]*`)
	urlUser   = regexp.MustCompile(`(?i)\b([a-z][a-z0-9+.-]*://)[^\s"'<>/]+@`)
	tokenLike = regexp.MustCompile(`(?i)\b(?:hf_|api_org_|hf_oauth_)[A-Za-z0-9_.-]{8,}`)
	bearerish = regexp.MustCompile(`(?i)\bbearer\s+[^\s"',;]+`)
)

// redact makes text of a server fit to be shown and logged: signed queries and
// whatever looks like a token are replaced, control characters escaped, and it
// is cut at maxMessage bytes.
func redact(s string, token secret) string {
	if t := token.reveal(); t != "" {
		s = strings.ReplaceAll(s, t, hidden)
	}
	s = bearerish.ReplaceAllString(s, "Bearer "+hidden)
	s = tokenLike.ReplaceAllString(s, hidden)
	s = urlQuery.ReplaceAllString(s, "$1?"+hidden)
	s = urlUser.ReplaceAllString(s, "$1"+hidden+"@")
	return escape(s, maxMessage)
}

const maxMessage = 2048

// escape replaces what a terminal or a log line would act upon, and cuts.
func escape(s string, limit int) string {
	var b strings.Builder
	for _, r := range s {
		if b.Len() >= limit {
			b.WriteString("…")
			break
		}
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			b.WriteByte(' ')
		case r == utf8.RuneError || !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return strings.TrimSpace(b.String())
}

// showURL is a URL without its query, its fragment and its user.
func showURL(u *url.URL) string {
	if u == nil {
		return ""
	}
	return escape(u.Scheme+"://"+u.Host+u.EscapedPath(), maxMessage)
}
