package remote

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// FromEnv reads what the user has set for huggingface_hub, with its rules:
//
//	HF_ENDPOINT, HUGGINGFACE_CO_STAGING        the endpoint
//	HF_TOKEN, HUGGING_FACE_HUB_TOKEN           the token, else the saved login in
//	HF_TOKEN_PATH, HF_HOME, XDG_CACHE_HOME     the file "token"
//	HF_HUB_DISABLE_IMPLICIT_TOKEN              no token at all
//	HF_HUB_OFFLINE, TRANSFORMERS_OFFLINE       no requests
//	HF_HUB_ETAG_TIMEOUT                        seconds to wait for the head of an answer
//	HF_HUB_DOWNLOAD_TIMEOUT                    seconds a body may pause
//	HF_HUB_USER_AGENT_ORIGIN                   added to the user agent
//
// Variables that are set but empty count as unset. A saved login is used as it
// is: one that expires is renewed by the tools that made it. The error is about
// a number that is none, or a token file that cannot be read.
func FromEnv() (Options, error) {
	o := Options{
		Endpoint: strings.TrimRight(os.Getenv("HF_ENDPOINT"), "/"),
		Offline:  isTrue(firstEnv("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")),
		Origin:   os.Getenv("HF_HUB_USER_AGENT_ORIGIN"),
	}
	if isTrue(os.Getenv("HUGGINGFACE_CO_STAGING")) {
		o.Endpoint = stagingEndpoint
	}
	var err error
	if o.Timeouts.Header, err = envSeconds("HF_HUB_ETAG_TIMEOUT"); err != nil {
		return o, err
	}
	if o.Timeouts.Stall, err = envSeconds("HF_HUB_DOWNLOAD_TIMEOUT"); err != nil {
		return o, err
	}
	if !isTrue(os.Getenv("HF_HUB_DISABLE_IMPLICIT_TOKEN")) {
		o.Token, err = envToken()
	}
	return o, err
}

func isTrue(v string) bool {
	switch strings.ToUpper(v) {
	case "1", "ON", "YES", "TRUE":
		return true
	}
	return false
}

func firstEnv(names ...string) string {
	for _, name := range names {
		if v := os.Getenv(name); v != "" {
			return v
		}
	}
	return ""
}

func envSeconds(name string) (time.Duration, error) {
	v := strings.TrimSpace(os.Getenv(name))
	if v == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(v, 10, 20)
	if err != nil {
		return 0, fmt.Errorf("%s: %s is not a number of seconds", name, quote(v))
	}
	return time.Duration(n) * time.Second, nil
}

// envToken is the implicit look-up: the variables, then the saved login. A
// token of whitespace only counts as none.
func envToken() (string, error) {
	if v := cleanToken(firstEnv("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")); v != "" {
		return v, nil
	}
	path, err := tokenPath()
	if err != nil {
		return "", nil // no home directory: nobody can have logged in
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the saved token: %w", err)
	}
	return cleanToken(string(b)), nil
}

func cleanToken(s string) string {
	return strings.TrimSpace(strings.NewReplacer("\r", "", "\n", "").Replace(s))
}

func tokenPath() (string, error) {
	if p := os.Getenv("HF_TOKEN_PATH"); p != "" {
		return expandPath(p)
	}
	if p := os.Getenv("HF_HOME"); p != "" {
		p, err := expandPath(p)
		return filepath.Join(p, "token"), err
	}
	cache := os.Getenv("XDG_CACHE_HOME")
	if cache == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		cache = filepath.Join(home, ".cache")
	}
	p, err := expandPath(filepath.Join(cache, "huggingface"))
	return filepath.Join(p, "token"), err
}

// expandPath replaces a leading ~ and $VAR; a variable that is not set stays as
// it is written.
func expandPath(p string) (string, error) {
	if p == "~" || strings.HasPrefix(p, "~/") {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		p = home + p[1:]
	}
	return os.Expand(p, func(name string) string {
		if v, ok := os.LookupEnv(name); ok {
			return v
		}
		return "$" + name
	}), nil
}
