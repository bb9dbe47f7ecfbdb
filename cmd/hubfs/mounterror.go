package main

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/hubfs/hubfs/remote"
)

// mountError says what an error of the mount itself means and what to do.
func mountError(err error, l launch) error {
	var answer *remote.Error
	if errors.As(err, &answer) && l.Repo != nil {
		return repoError(err, l)
	}
	switch {
	case errors.Is(err, syscall.EPERM):
		return fmt.Errorf("%w: mounting is not allowed here; a container needs --device /dev/fuse --cap-add SYS_ADMIN", err)
	case errors.Is(err, syscall.ENODEV):
		return fmt.Errorf("%w: the kernel has no FUSE (modprobe fuse)", err)
	}
	return err
}

// repoError says what the Hub's refusal of the repo to be mounted means.
func repoError(err error, l launch) error {
	repo := l.Repo.Path()
	switch {
	case errors.Is(err, remote.ErrBadToken):
		return badToken(l.Endpoint, l.TokenFrom)
	case errors.Is(err, remote.ErrGated):
		return fmt.Errorf("%s is gated: ask for access on its page, %s/%s (%w)", repo, l.Endpoint, repo, err)
	case errors.Is(err, remote.ErrRevisionNotFound):
		return fmt.Errorf("%s has no revision %s (%w)", repo, l.Repo.Branch(), err)
	case errors.Is(err, fs.ErrPermission) && l.Token == "":
		return fmt.Errorf("%s does not exist or is private; to see private repos, log in (hf auth login) (%w)", repo, err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s does not exist, or the token of %s may not see it (%w)", repo, l.TokenFrom, err)
	}
	return err
}
