package fs

import (
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/hubfs/hubfs/remote/hubtest"
)

// A large file that turns out wrong when some of it has been given out is not
// served again, by the kernel neither.
func TestWrongBytesLeaveThePageCache(t *testing.T) {
	want := noise(3 << 20)
	f := mountHub(t, opts{Repo: "acme/m", Fill: func(h *hubtest.Hub) { h.Repo("acme/m").Put("file", want) }})
	f.hub.Fault(func(r *http.Request) *hubtest.Fault {
		if strings.HasPrefix(r.Header.Get("Range"), "bytes=0-") {
			return &hubtest.Fault{Flip: 3}
		}
		return nil
	})
	_, err := os.ReadFile(f.path("file"))
	wantErrno(t, err, syscall.EIO)
	f.hub.Fault(nil)
	f.eventually("no wrong byte is served", func() bool {
		r, err := os.Open(f.path("file"))
		must(t, err)
		defer r.Close()
		b := make([]byte, 4096)
		_, err = r.ReadAt(b, 0)
		return err != nil || string(b) == want[:4096]
	})
}
