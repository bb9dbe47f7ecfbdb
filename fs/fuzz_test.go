package fs

import (
	"encoding/json"
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A request to .hubfs/sync is understood wholly or refused as EINVAL, and what
// is understood is the same when it is written again.
func FuzzSyncRequest(f *testing.F) {
	f.Add(`{"path":"me/model","message":"x","wait":"10s"}`)
	f.Add(`{"all":true,"unmount":true,"keep_staged":true}`)
	f.Add(`{"repo":"datasets/me/d@main","create_pr":true,"allow":["*.bin"],"ignore":null,"private":false}`)
	f.Add(`{"branch":"dev","create_pr":true}`)
	f.Add(`{"wait":"-1s"}`)
	f.Add(`{"wait":10}{}`)
	f.Add(`{"unknown":1}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, s string) {
		var req SyncRequest
		if err := decode([]byte(s), &req); err != nil {
			if !errors.Is(err, syscall.EINVAL) {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		again, err := json.Marshal(req)
		if err != nil || strings.Contains(string(again), "\n") {
			t.Fatalf("%s, %v", again, err)
		}
		var same SyncRequest
		if err := decode(again, &same); err != nil {
			t.Fatalf("%s: %v", again, err)
		}
		if b, err := json.Marshal(same); err != nil || string(b) != string(again) {
			t.Errorf("%s becomes %s, %v", again, b, err)
		}
		// What the mount has of its own changes nothing that was asked for.
		whole := req.CommitOptions.or(CommitOptions{Message: "own", Branch: "own", Ignore: []string{"own"}})
		for _, automatic := range []bool{true, false} {
			c, err := whole.Commit(automatic)
			if err != nil {
				if !errors.Is(err, syscall.EINVAL) {
					t.Errorf("%s: %v", again, err)
				}
				continue
			}
			if c.Wait < 0 || c.CreatePR && c.Branch != "" || req.Branch != "" && c.Branch != req.Branch || req.CreatePR && !c.CreatePR || c.Automatic != automatic {
				t.Errorf("%s: %+v", again, c)
			}
			if req.Message != "" && c.Message != req.Message || req.Ignore != nil && !cmp.Equal(req.Ignore, c.Ignore) {
				t.Errorf("%s: %+v", again, c)
			}
		}
	})
}
