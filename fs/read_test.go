package fs

import (
	"os"
	"strings"
	"testing"

	"github.com/hubfs/hubfs/remote/hubtest"
	"golang.org/x/sys/unix"
)

func fillModel(h *hubtest.Hub) {
	h.Repo("acme/m").Commit("main", "all", map[string]string{
		"config.json": `{"a": 1}`, "big.bin": noise(3 << 20), "sub/deep/file.txt": "deep", "sub/other.txt": "other",
	})
}

func TestReadRepo(t *testing.T) {
	f := mountHub(t, opts{Repo: "acme/m", Fill: fillModel})
	wantContent(t, f.path("config.json"), `{"a": 1}`)
	wantContent(t, f.path("big.bin"), noise(3<<20))
	wantContent(t, f.path("sub/deep/file.txt"), "deep")
	st, err := os.Stat(f.path("big.bin"))
	must(t, err)
	if st.Size() != 3<<20 || st.Mode() != 0o644 || st.ModTime().IsZero() {
		t.Errorf("stat: %d bytes, mode %v, time %v", st.Size(), st.Mode(), st.ModTime())
	}
	if _, err := os.Stat(f.path("missing")); !os.IsNotExist(err) {
		t.Errorf("missing file: %v", err)
	}
}

// What is cached and known costs no request, and what is whole no read either.
func TestNothingIsAskedTwice(t *testing.T) {
	f := mountHub(t, opts{Repo: "acme/m", Fill: fillModel})
	f.warm("big.bin")
	n := f.requests(func() {
		for range 3 {
			for _, name := range []string{"config.json", "big.bin", "sub", "sub/other.txt"} {
				_, err := os.Stat(f.path(name))
				must(t, err)
			}
			_, err := os.Stat(f.path("missing"))
			if err == nil {
				t.Error("missing is there")
			}
		}
		wantContent(t, f.path("big.bin"), noise(3<<20))
	})
	if n != 0 {
		t.Errorf("%d requests, want 0", n)
	}
	reads := f.ops("read", func() { wantContent(t, f.path("big.bin"), noise(3<<20)) })
	if reads != 0 {
		t.Errorf("%d FUSE reads of a whole file, want 0", reads)
	}
	gets := f.ops("getattr", func() {
		for range 100 {
			os.Stat(f.path("sub/other.txt"))
		}
	})
	looks := f.ops("lookup", func() {
		for range 100 {
			os.Stat(f.path("missing"))
		}
	})
	if gets > 1 || looks > 1 {
		t.Errorf("stat of a known file asked %d times, of a missing one %d times", gets, looks)
	}
}

func TestMountType(t *testing.T) {
	f := mountHub(t, opts{Repo: "acme/m", Fill: fillModel})
	for line := range strings.Lines(read(t, "/proc/self/mounts")) {
		fields := strings.Fields(line)
		if fields[1] != f.mnt {
			continue
		}
		if fields[0] != "hubfs" || fields[2] != "fuse.hubfs" {
			t.Errorf("mounted as %s %s", fields[0], fields[2])
		}
		for _, o := range []string{"rw", "nosuid", "nodev", "default_permissions"} {
			if !strings.Contains(","+fields[3]+",", ","+o+",") {
				t.Errorf("options %s lack %s", fields[3], o)
			}
		}
	}
	var st unix.Statfs_t
	must(t, unix.Statfs(f.mnt, &st))
	if st.Blocks == 0 || st.Namelen != 255 {
		t.Errorf("statfs: %+v", st)
	}
}

func TestRequestsAtFirst(t *testing.T) {
	files := map[string]string{}
	for i := range 1000 {
		files["d"+string(rune('a'+i%7))+"/f"+noiseName(i)] = "x"
	}
	f := mountHub(t, opts{Repo: "acme/m", Fill: func(h *hubtest.Hub) { h.Repo("acme/m").Commit("main", "all", files) }})
	if n := f.hub.Requests(); n > 2 {
		t.Errorf("%d requests for the mount, want at most 2", n)
	}
	var seen int
	n := f.requests(func() { seen = len(walkAll(t, f.mnt)) })
	if n > 3 {
		t.Errorf("%d requests for the first ls -lR, want at most 3", n)
	}
	if seen != 1000+7+1+1 { // files, directories, .gitattributes, the root
		t.Errorf("saw %d names", seen)
	}
	if n := f.requests(func() { walkAll(t, f.mnt) }); n != 0 {
		t.Errorf("%d requests for the second ls -lR, want 0", n)
	}
}
