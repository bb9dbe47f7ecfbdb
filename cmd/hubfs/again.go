package main

import (
	"strings"

	hubfs "github.com/hubfs/hubfs/fs"
)

// again are the flags that a command has to be typed again with, each with a
// space behind it, so that its second try goes where the first would have gone:
// a command that is offered without them would move the branch instead of
// opening a pull request, create a private repo for everybody to see, or commit
// what was to stay staged. The message is left to the user.
func again(o hubfs.CommitOptions) string {
	var flags []string
	flag := func(on bool, name string) {
		if on {
			flags = append(flags, name)
		}
	}
	flag(o.Force, "--force")
	flag(o.CreatePR, "--create-pr")
	flag(o.Branch != "", "--branch "+typed(o.Branch))
	for _, p := range o.Allow {
		flag(true, "--allow "+typed(p))
	}
	for _, p := range o.Ignore {
		flag(true, "--ignore "+typed(p))
	}
	if o.Private != nil {
		flag(*o.Private, "--private")
		flag(!*o.Private, "--private=false")
	}
	flag(o.Split, "--split")
	flag(o.ModelCard, "--model-card")
	if flags == nil {
		return ""
	}
	return strings.Join(flags, " ") + " "
}

// conflictFlags are the flags of the two commands that end a conflict by a
// commit: over theirs where the command wanted to go, and as a pull request.
func conflictFlags(asked hubfs.CommitOptions) (force, pull string) {
	asked.Force = true
	force = again(asked)
	asked.Force, asked.CreatePR, asked.Branch = false, true, ""
	return force, again(asked)
}

// discards is what a discard does about a conflict with a branch, "" if that is
// the one that the mount shows: no other can be brought back.
func discards(branch string) string {
	if branch != "" {
		return "drops yours"
	}
	return "theirs, instead of yours"
}
