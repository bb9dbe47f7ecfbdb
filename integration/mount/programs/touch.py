"""touch.py FILE SHA256 THREADS: maps FILE and lets THREADS threads read all of it in random order.

Hashing a slice releases the interpreter's lock, so the page faults of all
threads are under way at once. Every thread checks what it saw: the hash of the
whole file comes from the hashes of the blocks put in order.
"""

import faulthandler
import hashlib
import json
import mmap
import os
import random
import sys
import threading

BLOCK = 64 << 10

# The watchdog: shows where each thread hangs, then ends the process.
faulthandler.dump_traceback_later(150, exit=True)

path, want, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
fd = os.open(path, os.O_RDONLY)
size = os.fstat(fd).st_size
view = memoryview(mmap.mmap(fd, size, prot=mmap.PROT_READ, flags=mmap.MAP_PRIVATE))
results = [None] * count
start = threading.Barrier(count)


def touch(i):
    order = list(range(0, size, BLOCK))
    random.Random(i).shuffle(order)
    blocks = {}
    start.wait()
    for off in order:
        blocks[off] = hashlib.sha256(view[off : off + BLOCK]).digest()
    results[i] = hashlib.sha256(b"".join(blocks[k] for k in sorted(blocks))).hexdigest()


threads = [threading.Thread(target=touch, args=(i,)) for i in range(count)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(json.dumps({"same": len(set(results)) == 1, "whole": hashlib.sha256(view).hexdigest() == want}))
