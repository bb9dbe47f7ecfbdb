package hubtest

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

const lfsMedia = "application/vnd.git-lfs+json"

type lfsObject struct {
	OID     string               `json:"oid"`
	Size    int64                `json:"size"`
	Actions map[string]lfsAction `json:"actions,omitempty"`
	Error   *lfsError            `json:"error,omitempty"`
}

type lfsAction struct {
	Href   string            `json:"href"`
	Header map[string]string `json:"header,omitempty"`
}

type lfsError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// maxBatch is the most objects that one LFS batch, or files that one
// preupload, may name.
const maxBatch = 1000

// lfsBatch is POST /ID.git/info/lfs/objects/batch.
func (c *call) lfsBatch(r *Repo, s *state) error {
	if !strings.HasPrefix(c.r.Header.Get("Accept"), lfsMedia) {
		return &apiError{Status: http.StatusNotAcceptable, Message: "Accept must be " + lfsMedia}
	}
	var in struct {
		Operation string                 `json:"operation"`
		Transfers []string               `json:"transfers"`
		Objects   []lfsObject            `json:"objects"`
		Algo      string                 `json:"hash_algo"`
		Ref       *struct{ Name string } `json:"ref"`
	}
	if err := c.read(&in); err != nil {
		return err
	}
	if len(in.Objects) > maxBatch {
		return tooLarge("Too many objects in batch")
	}
	if in.Algo != "" && in.Algo != "sha256" {
		return unprocessable("Unsupported hash_algo: " + in.Algo)
	}
	// A client that names no ref is about to open a pull request, for which
	// reading is enough.
	if in.Operation == "upload" && in.Ref == nil {
		if err := c.who.mayPropose(s); err != nil {
			return err
		}
	}
	if in.Operation == "upload" && in.Ref != nil {
		if err := c.mayPush(s, in.Ref.Name); err != nil {
			return err
		}
	}
	if in.Operation == "download" && !c.who.mayOpen(s) {
		return gated(c.who, s.ID)
	}
	multipart := slices.Contains(in.Transfers, "multipart")
	if len(in.Transfers) > 0 && !multipart && !slices.Contains(in.Transfers, "basic") {
		return unprocessable("No transfer that this server knows")
	}
	out := make([]lfsObject, len(in.Objects))
	transfer := "basic"
	for i, o := range in.Objects {
		answer, parts, err := c.lfsOne(r, s, in.Operation, o, multipart)
		if err != nil {
			return err
		}
		if parts {
			transfer = "multipart"
		}
		out[i] = answer
	}
	return c.lfsJSON(map[string]any{"transfer": transfer, "objects": out, "hash_algo": "sha256"})
}

// lfsOne is the answer for one object of a batch.
func (c *call) lfsOne(r *Repo, s *state, op string, o lfsObject, multipart bool) (answer lfsObject, parts bool, err error) {
	answer = lfsObject{OID: o.OID, Size: o.Size}
	if !isHex(o.OID, 64) || o.Size < 0 {
		answer.Error = &lfsError{http.StatusUnprocessableEntity, "Invalid oid or size"}
		return answer, false, nil
	}
	have := r.owns(o.OID)
	switch op {
	case "download":
		size, err := c.hub.store.largeSize(o.OID)
		if !have || err != nil {
			answer.Error = &lfsError{http.StatusNotFound, "Object does not exist"}
			return answer, false, nil
		}
		answer.Size = size
		answer.Actions = map[string]lfsAction{"download": {Href: c.hub.sign(c.r, http.MethodGet, "/lfs/"+o.OID, url.Values{"x-id": {"GetObject"}})}}
		return answer, false, nil
	case "upload":
	default:
		return answer, false, unprocessable("Unknown operation: " + op)
	}
	switch {
	case have:
		if size, err := c.hub.store.largeSize(o.OID); err == nil && size != o.Size {
			answer.Error = &lfsError{http.StatusUnprocessableEntity, "Size does not match the stored object"}
		}
		return answer, false, nil
	case o.Size == 0:
		answer.Error = &lfsError{http.StatusUnprocessableEntity, "Empty objects cannot be stored"}
		return answer, false, nil
	case o.Size > 500e9:
		answer.Error = &lfsError{http.StatusRequestEntityTooLarge, "File is too large: 500 GB is the limit"}
		return answer, false, nil
	}
	verify := lfsAction{Href: endpointFor(c.r) + "/" + webPrefix(s.Type) + s.ID + ".git/info/lfs/verify"}
	if multipart && o.Size > c.hub.opt.MultipartOver {
		up, err := c.beginMultipart(o)
		if err != nil {
			return answer, false, err
		}
		answer.Actions = map[string]lfsAction{"upload": up, "verify": verify}
		return answer, true, nil
	}
	put := c.hub.sign(c.r, http.MethodPut, "/upload/"+o.OID, url.Values{"size": {itoa(o.Size)}, "x-id": {"PutObject"}})
	answer.Actions = map[string]lfsAction{"upload": {Href: put}, "verify": verify}
	return answer, false, nil
}

// lfsVerify is POST /ID.git/info/lfs/verify: the object is there, and from
// now on the repo's.
func (c *call) lfsVerify(r *Repo, s *state) error {
	if c.who == nil {
		return errAnonymous
	}
	var in lfsObject
	if err := c.read(&in); err != nil {
		return err
	}
	if !isHex(in.OID, 64) {
		return unprocessable("Invalid oid")
	}
	size, err := c.hub.store.largeSize(in.OID)
	if err != nil {
		return &apiError{Status: http.StatusNotFound, Message: "Object does not exist: " + in.OID}
	}
	if size != in.Size {
		return unprocessable("Size does not match the stored object")
	}
	if err := r.own(in.OID); err != nil {
		return err
	}
	return c.lfsJSON(map[string]any{})
}

func (c *call) lfsJSON(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", lfsMedia)
	c.w.WriteHeader(http.StatusOK)
	c.w.Write(b)
	return nil
}

// upload is PUT of one large object to the content origin.
func (c *call) upload(oid string) error {
	size := c.r.URL.Query().Get("size")
	if c.r.ContentLength < 0 {
		return s3Error(http.StatusLengthRequired, "MissingContentLength", "You must provide the Content-Length HTTP header.")
	}
	if itoa(c.r.ContentLength) != size {
		return s3Error(http.StatusBadRequest, "IncompleteBody", "Content-Length is not the object's size")
	}
	_, _, err := c.hub.store.putLarge(c.r.Body, oid, c.r.ContentLength)
	if errors.Is(err, errMismatch) {
		return s3Error(http.StatusBadRequest, "BadDigest", "The content does not match the oid")
	}
	if err != nil {
		return s3Error(http.StatusBadRequest, "RequestTimeout", err.Error())
	}
	c.w.Header().Set("ETag", `"`+oid[:32]+`"`)
	c.w.WriteHeader(http.StatusOK)
	return nil
}
