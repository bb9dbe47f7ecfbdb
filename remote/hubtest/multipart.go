package hubtest

import (
	"crypto/hmac"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
)

// upload is a multipart upload that is not complete. A restart forgets it.
type upload struct {
	oid   string
	size  int64
	chunk int64
	dir   string

	mu    sync.Mutex
	etags map[int]string
}

func (u *upload) parts() int { return int((u.size + u.chunk - 1) / u.chunk) }

func (u *upload) partSize(n int) int64 {
	return min(u.chunk, u.size-int64(n-1)*u.chunk)
}

// beginMultipart answers with an URL per part, keyed by its five-digit
// number beside chunk_size.
func (c *call) beginMultipart(o lfsObject) (lfsAction, error) {
	id, u := c.hub.running(o)
	if u == nil {
		var b [16]byte
		rand.Read(b[:])
		id = hex.EncodeToString(b[:])
		u = &upload{oid: o.OID, size: o.Size, chunk: c.hub.opt.PartSize, etags: map[int]string{}}
		u.dir = filepath.Join(c.hub.store.dir, "tmp", "parts-"+id)
		if err := os.Mkdir(u.dir, 0o755); err != nil {
			return lfsAction{}, err
		}
		c.hub.mu.Lock()
		c.hub.uploads[id] = u
		c.hub.mu.Unlock()
	}
	header := map[string]string{"chunk_size": itoa(u.chunk)}
	for n := 1; n <= u.parts(); n++ {
		header[fmt.Sprintf("%05d", n)] = c.hub.sign(c.r, http.MethodPut, fmt.Sprintf("/part/%s/%d", id, n), url.Values{"x-id": {"UploadPart"}})
	}
	q := url.Values{"uploadId": {id}}
	q.Set("signature", c.hub.signature("POST", "/api/complete_multipart", url.Values{"uploadId": {id}}))
	return lfsAction{Href: endpointFor(c.r) + "/api/complete_multipart?" + q.Encode(), Header: header}, nil
}

// running is the upload of o that is under way, if it is to be gone on with.
func (h *Hub) running(o lfsObject) (string, *upload) {
	if !h.quirks.Load().KeepUploads {
		return "", nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, u := range h.uploads {
		if u.oid == o.OID && u.size == o.Size {
			return id, u
		}
	}
	return "", nil
}

func (h *Hub) uploadOf(id string) *upload {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.uploads[id]
}

// uploadPart is PUT of one part to the content origin.
func (c *call) uploadPart(id, num string) error {
	u := c.hub.uploadOf(id)
	n, err := strconv.Atoi(num)
	if u == nil || err != nil || n < 1 || n > u.parts() {
		return s3Error(http.StatusNotFound, "NoSuchUpload", "The specified multipart upload does not exist.")
	}
	if c.r.ContentLength != u.partSize(n) {
		return s3Error(http.StatusBadRequest, "IncompleteBody", "Content-Length is not the part's size")
	}
	f, err := os.CreateTemp(u.dir, "in-")
	if err != nil {
		return err
	}
	// S3 takes MD5, which is slower than the links that are to be filled here.
	// To a client it is a word without a meaning.
	h := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	_, err = io.CopyBuffer(io.MultiWriter(onlyWriter{f}, h), c.r.Body, make([]byte, 1<<20))
	if err := c.hub.store.settle(f, err, filepath.Join(u.dir, num)); err != nil {
		return s3Error(http.StatusBadRequest, "RequestTimeout", err.Error())
	}
	etag := `"` + hex.EncodeToString(h.Sum(nil)) + `"`
	u.mu.Lock()
	u.etags[n] = etag
	u.mu.Unlock()
	c.w.Header().Set("ETag", etag)
	c.w.WriteHeader(http.StatusOK)
	return nil
}

// completeMultipart is POST /api/complete_multipart: signed, no token needed.
func (c *call) completeMultipart() error {
	id := c.r.URL.Query().Get("uploadId")
	want := c.hub.signature("POST", "/api/complete_multipart", url.Values{"uploadId": {id}})
	u := c.hub.uploadOf(id)
	if u == nil || !hmac.Equal([]byte(want), []byte(c.r.URL.Query().Get("signature"))) {
		return forbidden("Invalid or expired upload")
	}
	var in struct {
		OID   string `json:"oid"`
		Parts []struct {
			PartNumber int    `json:"partNumber"`
			ETag       string `json:"etag"`
		} `json:"parts"`
	}
	if err := c.read(&in); err != nil {
		return err
	}
	if in.OID != u.oid || len(in.Parts) != u.parts() {
		return badRequest("The parts are not those of the upload")
	}
	u.mu.Lock()
	for i, p := range in.Parts {
		if p.PartNumber != i+1 || p.ETag == "" || p.ETag != u.etags[p.PartNumber] {
			u.mu.Unlock()
			return badRequest(fmt.Sprintf("Part %d was not uploaded or its etag is wrong", p.PartNumber))
		}
	}
	u.mu.Unlock()
	if err := c.hub.join(u); err != nil {
		return err
	}
	c.hub.mu.Lock()
	delete(c.hub.uploads, id)
	c.hub.mu.Unlock()
	os.RemoveAll(u.dir)
	return c.lfsJSON(map[string]any{"success": true})
}

// join makes one object of the parts, reading one at a time.
func (h *Hub) join(u *upload) error {
	r, w := io.Pipe()
	go func() { // ends with putLarge, which closes r
		for n := 1; n <= u.parts(); n++ {
			f, err := os.Open(filepath.Join(u.dir, strconv.Itoa(n)))
			if err != nil {
				w.CloseWithError(err)
				return
			}
			_, err = io.Copy(w, f)
			f.Close()
			if err != nil {
				w.CloseWithError(err)
				return
			}
		}
		w.Close()
	}()
	_, _, err := h.store.putLarge(r, u.oid, u.size)
	r.Close()
	if errors.Is(err, errMismatch) {
		return badRequest("The content does not match the oid")
	}
	return err
}
