package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// userDir is $env/hubfs, or HOME/fallback/hubfs. The XDG specification wants
// relative values ignored.
func userDir(env, fallback string) (string, error) {
	if d := os.Getenv(env); filepath.IsAbs(d) {
		return filepath.Join(d, "hubfs"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(home, fallback, "hubfs"), nil
}

// cacheDir is the directory asked for, made absolute, or the user's default.
func cacheDir(asked string) (string, error) {
	if asked != "" {
		return filepath.Abs(asked)
	}
	d, err := userDir("XDG_CACHE_HOME", ".cache")
	if err != nil {
		return "", usage("no home directory for the cache: give --cache-dir DIR")
	}
	return d, nil
}

// stateDir is where staged work and logs are, likewise.
func stateDir(asked string) (string, error) {
	if asked != "" {
		return filepath.Abs(asked)
	}
	d, err := userDir("XDG_STATE_HOME", filepath.Join(".local", "state"))
	if err != nil {
		return "", usage("no home directory for staged work: give --state-dir DIR")
	}
	return d, nil
}

// privateDir makes dir for this user alone. A directory of another user is
// refused, because whoever owns it can replace what is in it.
func privateDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	fi, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if !fi.IsDir() {
		return fmt.Errorf("%s is not a directory", dir)
	}
	if uid := ownerOf(fi); uid != os.Geteuid() && os.Geteuid() != 0 {
		return fmt.Errorf("%s belongs to user %d: choose another directory", dir, uid)
	}
	return nil
}

// mountName makes a file name of a mount point's path: /home/me/hub is
// home-me-hub, with the escapes of systemd's unit names.
func mountName(mnt string) string {
	var b strings.Builder
	for i, r := range []byte(strings.Trim(mnt, "/")) {
		switch {
		case r == '/':
			b.WriteByte('-')
		case r == '.' && i > 0, r == '_', '0' <= r && r <= '9', 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z':
			b.WriteByte(r)
		default:
			fmt.Fprintf(&b, `\x%02x`, r)
		}
	}
	name := b.String()
	if len(name) > 200 {
		sum := sha256.Sum256([]byte(mnt))
		name = name[:160] + "-" + hex.EncodeToString(sum[:8])
	}
	return name
}

// overlap tells whether one of two clean absolute paths lies in the other.
func overlap(a, b string) bool { return within(a, b) || within(b, a) }

func within(path, dir string) bool {
	if path == dir || dir == "/" {
		return true
	}
	return strings.HasPrefix(path, dir+"/")
}

// resolve follows the symbolic links of as much of path as can be seen, so that
// two names of one place compare equal. Its end may not exist. What lies in a
// hubfs mount is taken as it is written: a mount may hang, and is not to be
// touched before that is known.
func resolve(path string) (string, error) {
	if path == "" {
		return "", os.ErrNotExist
	}
	if !filepath.IsAbs(path) {
		// Not filepath.Abs, which asks for the attributes of the directory.
		buf := make([]byte, unix.PathMax)
		n, err := unix.Getcwd(buf)
		if err != nil {
			return "", fmt.Errorf("working directory: %w", err)
		}
		path = string(buf[:max(n-1, 0)]) + "/" + path
	}
	mounts, err := hubfsMounts()
	if err != nil {
		return "", err
	}
	const mostLinks = 255
	done, rest := "/", strings.Split(path, "/")
	for links := 0; len(rest) > 0 && !slices.Contains(mounts, done); {
		name := rest[0]
		rest = rest[1:]
		next := filepath.Join(done, name)
		if slices.Contains(mounts, next) {
			done = next
			break
		}
		target, err := os.Readlink(next)
		if err != nil || links == mostLinks {
			done = next // no link, or nothing
			continue
		}
		links++
		if filepath.IsAbs(target) {
			done = "/"
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return filepath.Join(append([]string{done}, rest...)...), nil
}
