package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	rangeWays = 32
	rangePart = 8 << 20
)

// rangesChild is R: it resolves a file once and fetches its ranges over
// parallel connections, into memory and away.
//
//	bench ranges URL TOKEN SIZE
func rangesChild(args []string) error {
	size, err := strconv.ParseInt(args[2], 10, 64)
	if err != nil {
		return err
	}
	start := time.Now()
	client := &http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: rangeWays, DisableCompression: true, ReadBufferSize: 64 << 10},
		// The token must not follow to the content's origin.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	req, err := http.NewRequest(http.MethodGet, args[0], nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+args[1])
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	resp.Body.Close()
	where, err := resp.Location()
	if err != nil {
		return fmt.Errorf("resolve: %s: %w", resp.Status, err)
	}

	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	var (
		next, total atomic.Int64
		wg          sync.WaitGroup
	)
	for range rangeWays {
		wg.Go(func() {
			buf := make([]byte, 1<<20)
			for {
				off := next.Add(rangePart) - rangePart
				if off >= size || ctx.Err() != nil {
					return
				}
				n, err := fetchRange(ctx, client, where.String(), off, min(off+rangePart, size), buf)
				total.Add(n)
				if err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return say(time.Since(start), total.Load())
}

func fetchRange(ctx context.Context, client *http.Client, url string, off, end int64, buf []byte) (int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", off, end-1))
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusPartialContent {
		return 0, fmt.Errorf("range: %s", resp.Status)
	}
	n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, resp.Body, buf)
	if err == nil && n != end-off {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// curl fetches a file over one connection, following the redirect.
func (s *setup) curl(url string, size int64) (run, error) {
	start := time.Now()
	cmd := exec.CommandContext(s.ctx, "curl", "-sSfL", "-H", "Authorization: Bearer "+token, "-o", os.DevNull, "-w", "%{size_download}", url)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return run{}, err
	}
	took := time.Since(start)
	if n, err := strconv.ParseInt(string(out), 10, 64); err != nil || n != size {
		return run{}, errors.Join(fmt.Errorf("curl fetched %s bytes of %d", out, size), err)
	}
	return run{seconds: took.Seconds(), bytes: size}, nil
}
