"""SQLite on a mount: both journals, several processes, a killed writer, and the committed file is sound."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys

import pytest
import support

JOURNALS = ["delete", "truncate", "persist", "wal"]


def check(path):
    db = sqlite3.connect(path)
    try:
        assert db.execute("pragma integrity_check").fetchall() == [("ok",)]
        return db.execute("select count(*), sum(n) from t").fetchone()
    finally:
        db.close()


def create(path, journal):
    db = sqlite3.connect(path, isolation_level=None)
    assert db.execute(f"pragma journal_mode={journal}").fetchone() == (journal,)
    db.execute("create table t (id integer primary key, n integer, who text, pad blob)")
    db.execute("create index by_n on t (n)")
    db.close()


@pytest.mark.deep
@pytest.mark.parametrize("journal", JOURNALS)
def test_sqlite_two_writers(mnt, repo, there, committed, proof, journal):
    path = there / "data.db"
    create(path, journal)
    rows = support.size(60, 1500, 20000)
    writers = [subprocess.Popen([sys.executable, support.HERE / "programs" / "sqlite_writer.py", path, who, str(rows)], env=mnt.env, text=True, stdout=subprocess.PIPE) for who in "ab"]
    for w in writers:
        out, _ = w.communicate(timeout=600)
        assert w.returncode == 0 and out.endswith("done\n"), out
    assert check(path) == (2 * rows, 2 * sum(range(rows)))
    assert [n for n in committed() if not n.endswith("-journal")] == ["data.db"]
    shutil.copyfile(mnt.hub.api().hf_hub_download(repo, "data.db", local_dir=mnt.base / "down"), mnt.base / "data.db")
    assert check(mnt.base / "data.db") == (2 * rows, 2 * sum(range(rows)))
    # The committed file is edited by a transaction that is rolled back, and one that is not.
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("begin immediate")
    db.execute("delete from t")
    db.execute("rollback")
    db.execute("insert into t (n, who) values (7, 'c')")
    db.execute("vacuum")
    db.close()
    want = (2 * rows + 1, 2 * sum(range(rows)) + 7)
    assert check(path) == want
    committed()
    assert check(path) == want
    proof(f"{2 * rows} transactions of two processes")


@pytest.mark.deep
@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_sqlite_killed_writer(mnt, there, committed, proof, journal):
    """kill -9 in the middle of transactions: what was acknowledged is there, the half one is not."""
    path = there / "data.db"
    create(path, journal)
    kills = support.size(3, 25, 250)
    acknowledged = 0
    for i in range(kills):
        w = subprocess.Popen([sys.executable, support.HERE / "programs" / "sqlite_writer.py", path, f"k{i}", "1000000"], env=mnt.env, text=True, stdout=subprocess.PIPE)
        for _ in range(5 + 7 * i % 23):
            assert w.stdout.readline().startswith("row ")
        os.kill(w.pid, signal.SIGKILL)
        rest, _ = w.communicate(timeout=60)
        db = sqlite3.connect(path)
        assert db.execute("pragma integrity_check").fetchall() == [("ok",)]
        count, top = db.execute("select count(*), max(n) from t where who = ?", (f"k{i}",)).fetchone()
        db.close()
        last = (5 + 7 * i % 23) - 1 + len([r for r in rest.splitlines() if r.startswith("row ") and r.endswith(".")])
        assert count == top + 1 and top >= last, "what commit returned for is there, without a gap"
        acknowledged += count
    committed()
    proof(f"{kills} kills, {acknowledged} transactions kept")


def test_sqlite_command(mnt, there, committed, tmp_path):
    support.need("sqlite3")
    script = "pragma journal_mode=wal; create table t (n integer); " + "".join(f"insert into t values ({i});" for i in range(50))
    support.run("sqlite3", there / "cli.db", script)
    dump = support.run("sqlite3", there / "cli.db", ".dump").stdout
    assert dump.count("INSERT") == 50
    support.run("sqlite3", there / "cli.db", f".backup {there}/backup.db")
    support.run("sqlite3", there / "cli.db", f"vacuum into '{there}/vacuumed.db'")
    for name in ("cli.db", "backup.db", "vacuumed.db"):
        assert check(there / name) == (50, sum(range(50)))
    assert sorted(committed()) == ["backup.db", "cli.db", "vacuumed.db"]


def test_sqlite_open_database_is_busy(mnt, repo, there):
    """A database that is open is never committed half."""
    path = there / "data.db"
    create(path, "wal")
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("insert into t (n) values (1)")
    p = mnt.sync(repo, check=False)
    assert p.returncode == support.BUSY and "data.db" in p.stdout + p.stderr, p.stdout + p.stderr
    db.execute("insert into t (n) values (2)")
    db.close()
    mnt.sync(repo)
    assert sorted(mnt.hub.tree(repo)) == ["data.db"]
    assert check(path) == (2, 3)
