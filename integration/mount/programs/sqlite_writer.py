"""sqlite_writer.py FILE WHO N: N transactions of one row each, told once they are committed."""

import sqlite3
import sys

path, who, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
db = sqlite3.connect(path, isolation_level=None, timeout=300)
db.execute("pragma synchronous=full")
for i in range(n):
    db.execute("begin immediate")
    db.execute("insert into t (n, who, pad) values (?, ?, zeroblob(?))", (i, who, i * 37 % 2000))
    db.execute("commit")
    print(f"row {i}.", flush=True)
db.close()
print("done", flush=True)
