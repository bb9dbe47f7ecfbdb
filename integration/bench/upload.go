package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

const (
	uploadConns = 32
	uploadPart  = 16_000_000
)

// uploads measures how much of the link a sync's upload fills, from the begin
// of the first PUT to the end of the last as the Hub saw them, beside a raw
// client that has 32 connections and nothing to hash.
func (s *setup) uploads(p profile) error {
	// Whole rounds of parts: those of one more would go over a few connections,
	// that cannot fill the link.
	size := s.size(4, 1) * uploadConns * uploadPart
	h, err := s.startHub(p, nil, "--multipart", strconv.Itoa(uploadPart))
	if err != nil {
		return err
	}
	defer h.stop()
	m, err := s.mount(h)
	if err != nil {
		return err
	}
	defer m.close()
	var (
		w = newShardWriter()
		n int
	)
	content := func(dir string) (string, error) {
		n++
		w.serial += 1 << 40
		path := filepath.Join(dir, fmt.Sprintf("model-%d.safetensors", n))
		err := errors.Join(s.touch(3*size), os.MkdirAll(dir, 0o755), w.file(path, size, w.serial))
		// What the Hub was sent before goes to the same disk, and would be written
		// while it is sent this.
		unix.Sync()
		return path, err
	}
	sending := func(r run, err error) (run, error) {
		r.seconds, r.bytes = r.sending, size
		if err == nil && r.sent != size {
			err = fmt.Errorf("%d bytes were sent of %d", r.sent, size)
		}
		return r, err
	}
	res, err := s.alternate([]arm{
		{"raw put", func() (run, error) {
			path, err := content(filepath.Join(s.dir, "put"))
			if err != nil {
				return run{}, err
			}
			defer os.Remove(path)
			oid, err := fileSHA256(path)
			if err != nil {
				return run{}, err
			}
			return sending(measured(h, func() (run, error) { return s.child("puts", h.endpoint, fmt.Sprintf("me/put-%d", n), path, oid) }))
		}},
		{"hubfs", func() (run, error) {
			dir := filepath.Join(m.path, fmt.Sprintf("me/link-%d", n))
			if _, err := content(dir); err != nil {
				return run{}, err
			}
			cpu, _ := m.usage()
			r, err := sending(measured(h, func() (run, error) {
				_, err := m.hubfs("sync", "-m", "Upload", dir)
				return run{}, err
			}))
			now, peak := m.usage()
			r.cpu, r.peak = now-cpu, peak
			return r, err
		}},
	})
	if err != nil {
		return err
	}
	for _, name := range []string{"raw put", "hubfs"} {
		s.out.row("B11", p, res, name, mib(size)+" sent in parts", "GB/s", 1e9, "raw put")
	}
	if p.all > 0 {
		s.out.atLeast("B11", p, "upload, of the link", float64(size)/float64(p.all)/res.median("hubfs", seconds), 0.95, "")
	}
	s.out.atLeast("B11", p, "upload, of 32 raw connections", res.faster("hubfs", "raw put"), 0.95, "")
	return nil
}

func fileSHA256(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), err
}

// putsChild sends FILE to ENDPOINT in the parts that the Hub asks for.
//
//	bench puts ENDPOINT REPO FILE SHA256
func putsChild(args []string) error {
	endpoint, repo, path, oid := args[0], args[1], args[2], args[3]
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	size := fi.Size()
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: uploadConns, MaxIdleConnsPerHost: uploadConns, WriteBufferSize: 256 << 10}}
	name := filepath.Base(repo)
	if _, err := ask(client, "application/json", endpoint+"/api/repos/create", map[string]any{"name": name, "type": "model"}); err != nil {
		return err
	}
	answer, err := ask(client, "application/vnd.git-lfs+json", endpoint+"/"+repo+".git/info/lfs/objects/batch", map[string]any{
		"operation": "upload", "transfers": []string{"basic", "multipart"}, "hash_algo": "sha256",
		"objects": []map[string]any{{"oid": oid, "size": size}},
	})
	if err != nil {
		return err
	}
	var plan struct {
		Objects []struct {
			Actions struct {
				Upload struct {
					Header map[string]string `json:"header"`
				} `json:"upload"`
			} `json:"actions"`
		} `json:"objects"`
	}
	if err := json.Unmarshal(answer, &plan); err != nil || len(plan.Objects) != 1 {
		return errors.Join(fmt.Errorf("batch answered %s", answer), err)
	}
	urls := plan.Objects[0].Actions.Upload.Header
	chunk, err := strconv.ParseInt(urls["chunk_size"], 10, 64)
	if err != nil {
		return err
	}
	var g errgroup.Group
	g.SetLimit(uploadConns)
	r, err := timed(size, func() error {
		for i := int64(0); i*chunk < size; i++ {
			g.Go(func() error {
				n := min(chunk, size-i*chunk)
				req, err := http.NewRequest("PUT", urls[fmt.Sprintf("%05d", i+1)], io.NewSectionReader(f, i*chunk, n))
				if err != nil {
					return err
				}
				req.ContentLength = n
				_, err = exchange(client, req)
				return err
			})
		}
		return g.Wait()
	})
	if err != nil {
		return err
	}
	_, err = fmt.Println(r.seconds, size)
	return err
}

// ask posts a question of a media type to the Hub.
func ask(client *http.Client, media, url string, body any) ([]byte, error) {
	b, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequest("POST", url, bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", media)
	req.Header.Set("Accept", media)
	return exchange(client, req)
}

func exchange(client *http.Client, req *http.Request) ([]byte, error) {
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode/100 != 2 {
		err = fmt.Errorf("%s %s: %s: %s", req.Method, req.URL.Path, res.Status, b)
	}
	return b, err
}
