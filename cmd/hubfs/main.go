package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks the command to end, a second one makes it.
	context.AfterFunc(ctx, stop)
	a := app()
	err := a.RunContext(ctx, flagsFirst(a, os.Args))
	stop()
	if msg := message(err); msg != "" {
		fmt.Fprintln(os.Stderr, "hubfs: "+shownText(msg)) // servers have a say in it
	}
	os.Exit(exitCode(err))
}
