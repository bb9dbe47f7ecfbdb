package hubtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Options say how a Hub behaves. The zero value works: a store in a
// temporary directory that Close removes.
type Options struct {
	Dir        string        // the store; "" is a temporary directory
	AccessLog  io.Writer     // one JSON line per request of either origin
	URLTTL     time.Duration // life of a signed content URL; 0 is one hour
	PageSize   int           // tree entries per page; 0 is 1000 (and 50 with expand)
	MaxRegular int64         // largest content that is not LFS; 0 is 10 MB
	// Large uploads are cut in parts when the client can do that and the
	// object is larger than MultipartOver (0 is 5 GB, S3's own limit).
	MultipartOver int64
	PartSize      int64            // 0 is 512 MiB
	Now           func() time.Time // 0 is time.Now
	// Limits of requests per window and caller; zero fields are so high
	// that nobody meets them.
	Limits Limits
}

// A Hub serves repositories over HTTP. Its methods may be called at any
// time, from any goroutine.
type Hub struct {
	opt     Options
	store   *store
	secret  []byte
	expired atomic.Int64 // generation of signed URLs, see ExpireURLs
	leaks   atomic.Int64
	counts  counter
	limiter limiter
	shaper  shaper
	conns   conns
	log     accessLog

	fault  atomic.Pointer[func(*http.Request) *Fault]
	quirks atomic.Pointer[Quirks]

	naming sync.Mutex // one repo is created, renamed or deleted at a time

	mu      sync.Mutex
	users   map[string]*account // by token
	repos   map[string]*Repo    // by "models/acme/m"
	moved   map[string]string   // old key → new key
	uploads map[string]*upload  // running multipart uploads

	servers []*http.Server
	hubAddr string
	cdnAddr string
	serving sync.WaitGroup
	stop    context.CancelFunc
	done    context.Context
	temp    bool

	closing sync.Once
	closed  error
}

// New opens the store in o.Dir: repos and history of earlier runs are there.
func New(o Options) (*Hub, error) {
	h := &Hub{
		users:   map[string]*account{},
		repos:   map[string]*Repo{},
		moved:   map[string]string{},
		uploads: map[string]*upload{},
	}
	if o.Dir == "" {
		dir, err := os.MkdirTemp("", "hubtest-")
		if err != nil {
			return nil, err
		}
		o.Dir, h.temp = dir, true
	}
	if o.URLTTL == 0 {
		o.URLTTL = time.Hour
	}
	if o.MaxRegular == 0 {
		o.MaxRegular = 10e6
	}
	if o.MultipartOver == 0 {
		o.MultipartOver = 5e9
	}
	if o.PartSize == 0 {
		o.PartSize = 512 << 20
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	h.opt = o
	h.limiter.limits = o.Limits
	h.log.w = o.AccessLog
	h.quirks.Store(&Quirks{})
	h.done, h.stop = context.WithCancel(context.Background())
	var err error
	if h.store, err = openStore(o.Dir); err != nil {
		return nil, fmt.Errorf("hub store: %w", err)
	}
	if h.secret, err = h.store.secret(); err == nil {
		err = h.load()
	}
	if err != nil {
		h.store.close()
		return nil, fmt.Errorf("hub store: %w", err)
	}
	return h, nil
}

// Start listens on addr ("127.0.0.1:0" picks a port) for the Hub origin, and
// on another port of the same host for the content origin.
func (h *Hub) Start(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	hub, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	cdn, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		hub.Close()
		return err
	}
	h.hubAddr, h.cdnAddr = hub.Addr().String(), cdn.Addr().String()
	h.serve(hub, h.Handler())
	h.serve(cdn, h.ContentHandler())
	return nil
}

func (h *Hub) serve(l net.Listener, handler http.Handler) {
	s := &http.Server{
		Handler:     handler,
		BaseContext: func(net.Listener) context.Context { return h.done },
		ConnContext: h.shaper.connContext,
		ConnState:   h.conns.track,
	}
	h.servers = append(h.servers, s)
	h.serving.Go(func() { s.Serve(l) })
}

// URL is the endpoint: what HF_ENDPOINT is set to.
func (h *Hub) URL() string { return "http://" + reachable(h.hubAddr) }

// CDNURL is the content origin.
func (h *Hub) CDNURL() string { return "http://" + reachable(h.cdnAddr) }

// reachable turns a listener on every address into one a client can dial.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// cdnFor is the content origin as the client that sent r can reach it.
func (h *Hub) cdnFor(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	_, port, err := net.SplitHostPort(h.cdnAddr)
	if err != nil {
		return "http://" + h.cdnAddr
	}
	return "http://" + net.JoinHostPort(host, port)
}

// endpointFor is the Hub origin as the client that sent r named it.
func endpointFor(r *http.Request) string { return "http://" + r.Host }

// Dir is the store's directory.
func (h *Hub) Dir() string { return h.opt.Dir }

// Close ends both origins, dropping the connections that are still open, and
// waits for their handlers. A second call does nothing.
func (h *Hub) Close() error {
	h.closing.Do(func() {
		h.stop()
		var errs []error
		for _, s := range h.servers {
			errs = append(errs, s.Close())
		}
		h.serving.Wait()
		h.counts.wait()
		errs = append(errs, h.store.close())
		if h.temp {
			errs = append(errs, os.RemoveAll(h.opt.Dir))
		}
		h.closed = errors.Join(errs...)
	})
	return h.closed
}

// load reads the repos that earlier runs left in the store.
func (h *Hub) load() error {
	if err := h.store.readJSON("moved.json", &h.moved); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	found, err := filepath.Glob(filepath.Join(h.opt.Dir, "repos", "*", "*", "*", "repo.json"))
	if err != nil {
		return err
	}
	for _, name := range found {
		rel, err := filepath.Rel(h.opt.Dir, name)
		if err != nil {
			return err
		}
		s := &state{}
		if err := h.store.readJSON(rel, s); err != nil {
			return err
		}
		r := &Repo{hub: h}
		r.state.Store(s)
		h.repos[s.key()] = r
	}
	return nil
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
