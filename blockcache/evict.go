package blockcache

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

// touchEvery is how exact the order of last uses is. Each touch costs a write
// to the disk's journal.
const touchEvery = time.Minute

// An item is a file of the cache that can be removed.
type item struct {
	path  string
	bytes int64 // allocated, so holes count for nothing; with its map
	used  time.Time
	whole bool
	temp  bool
}

// touch notes that the file was used now. The access times that the kernel
// keeps depend on the mount's options, so the time of change carries it.
func (c *Cache) touch(name string, fi fs.FileInfo) {
	now := time.Now()
	if now.Sub(fi.ModTime()).Abs() >= touchEvery {
		c.dir.at().Chtimes(name, now, now) // of no account if it fails
	}
}

// used is touch for an open file.
func (c *Cache) used(name string, f *os.File) {
	if fi, err := f.Stat(); err == nil && c.dir.names(name, f) {
		c.touch(name, fi)
	}
}

// scan lists all files. What cannot be read is passed by.
func (c *Cache) scan() []item {
	root := c.dir.at()
	var items []item
	maps := map[string]int64{}
	for _, e := range readDir(root, "partial") {
		it, ok := itemOf("partial", e)
		if !ok {
			continue
		}
		if name, ok := strings.CutSuffix(it.path, mapSuffix); ok {
			maps[name] += it.bytes
			continue
		}
		it.temp = strings.Contains(it.path, tempMark)
		items = append(items, it)
	}
	for k := range items {
		items[k].bytes += maps[items[k].path]
	}
	for _, sub := range readDir(root, "blobs") {
		for _, e := range readDir(root, "blobs/"+sub.Name()) {
			if it, ok := itemOf("blobs/"+sub.Name(), e); ok {
				it.whole = true
				items = append(items, it)
			}
		}
	}
	return items
}

func readDir(root *os.Root, name string) []fs.DirEntry {
	f, err := root.Open(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	entries, _ := f.ReadDir(-1)
	return entries
}

func itemOf(dir string, e fs.DirEntry) (item, bool) {
	fi, err := e.Info()
	if err != nil || !fi.Mode().IsRegular() {
		return item{}, false
	}
	bytes := fi.Size()
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		bytes = st.Blocks * 512
	}
	return item{path: dir + "/" + e.Name(), bytes: bytes, used: fi.ModTime()}, true
}

// digest returns whose file it is.
func (it item) digest() (digest, error) {
	name := it.path[strings.LastIndexByte(it.path, '/')+1:]
	name, _, _ = strings.Cut(name, tempMark)
	return parseKey(strings.Replace(name, "-", ":", 1))
}

// evict removes what was not used for the longest time and nobody has open,
// until lack bytes have gone and a little more, so that it is not called for
// each part. Only one runs at a time; others wait for it and count again.
func (c *Cache) evict(lack int64) {
	c.evicting.Do("", func() (any, error) {
		before := c.room.inUse()
		items := c.scan()
		used := int64(0)
		for _, it := range items {
			used += it.bytes
		}
		slices.SortFunc(items, func(a, b item) int { return a.used.Compare(b.used) })
		lack += min(lack, used/32)
		for _, it := range items {
			if lack <= 0 || c.ctx.Err() != nil {
				break
			}
			if c.evictItem(it) {
				lack -= it.bytes
				used -= it.bytes
				c.count.evictions.Add(1)
				c.count.evictedBytes.Add(it.bytes)
			}
		}
		c.room.count(used, before)
		return nil, nil
	})
}

func (c *Cache) evictItem(it item) bool {
	key, err := it.digest()
	if err != nil {
		return c.dir.remove(it.path) == nil // no file of ours, in a directory of ours
	}
	free, done := c.claim(key)
	defer done()
	if !free {
		return false
	}
	if it.whole {
		return c.dir.remove(it.path) == nil
	}
	return c.removeUnlocked(it.path)
}

// removeUnlocked removes a partial file that no process has open.
func (c *Cache) removeUnlocked(path string) bool {
	f, _, err := c.dir.open(path, os.O_RDWR)
	if err != nil {
		return false
	}
	defer f.Close()
	if !lock(f) || !c.dir.names(path, f) {
		return false
	}
	c.dir.remove(path + mapSuffix)
	return c.dir.remove(path) == nil
}

// sweep removes the files of processes that are gone, and maps without a file.
func (c *Cache) sweep() {
	root := c.dir.at()
	for _, e := range readDir(root, "partial") {
		path := "partial/" + e.Name()
		if strings.Contains(path, tempMark) {
			c.removeUnlocked(path)
		} else if name, ok := strings.CutSuffix(path, mapSuffix); ok {
			if _, err := root.Lstat(name); errors.Is(err, fs.ErrNotExist) {
				c.dir.remove(path)
			}
		}
	}
}
