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
	err := app().RunContext(ctx, os.Args)
	stop()
	if msg := message(err); msg != "" {
		fmt.Fprintln(os.Stderr, "hubfs: "+msg)
	}
	os.Exit(exitCode(err))
}
