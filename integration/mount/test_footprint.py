"""What the daemon needs does not grow with what is saved: memory, threads, descriptors."""

import os
import threading

import pytest
import support

BLOCK = 1 << 20
LIMIT = 256 << 20


def usage(pid):
    """Peak of resident memory in bytes, open descriptors."""
    with open(f"/proc/{pid}/status") as f:
        status = dict(line.split(":", 1) for line in f)
    return int(status["VmHWM"].split()[0]) << 10, len(os.listdir(f"/proc/{pid}/fd"))


def goroutines(mnt):
    metrics = (mnt.path / ".hubfs" / "metrics").read_text()
    return int(float(next(line for line in metrics.splitlines() if line.startswith("hubfs_goroutines ")).split()[1]))


def settle(mnt, most):
    """Descriptors and goroutines, once connections that nobody uses are closed."""
    return support.wait_for(
        "descriptors and goroutines of before", lambda: (now := (usage(mnt.pid())[1], goroutines(mnt))) and now[0] <= most[0] and now[1] <= most[1] and now, timeout=150
    )


@pytest.mark.deep
def test_memory_of_a_large_save(mnt, repo, there, proof):
    """One large file and many small ones are saved and committed; then the large one is edited."""
    size, edit = support.size((192 << 20, True), (4 << 30, False), (10 << 30, True))
    support.need_disk((6 if edit else 3) * size + (2 << 30), mnt.base)
    # The first use of each part of the daemon is no growth.
    (there / "warm.bin").write_bytes(os.urandom(8 << 20))
    mnt.sync(repo)
    pid = mnt.pid()
    _, fds = usage(pid)
    before = (fds, goroutines(mnt))
    block = bytearray(os.urandom(BLOCK))
    with open(there / "large.bin", "wb", buffering=0) as f:
        f.truncate(size)
        for off in range(0, size, BLOCK):
            # No block is like another, and their making costs nothing.
            block[:8] = off.to_bytes(8, "little")
            f.write(block)
        os.fsync(f.fileno())
    for i in range(200):
        (there / f"small-{i}.txt").write_text(f"{i}\n" * 1000)
    peaks, stop = [], threading.Event()

    def watch():
        while not stop.wait(0.2):
            peaks.append((usage(pid)[1], goroutines(mnt)))

    t = threading.Thread(target=watch)
    t.start()
    try:
        mnt.hubfs("sync", mnt.path / repo, timeout=1200)
        # An edit copies the file where the disk has no reflinks: four times its size of disk in all.
        if edit:
            with open(there / "large.bin", "r+b") as f:
                f.seek(size // 2)
                f.write(b"edited in the middle")
            mnt.hubfs("sync", mnt.path / repo, timeout=1200)
    finally:
        stop.set()
        t.join()
    info = mnt.hub.api().get_paths_info(repo, ["large.bin"])[0]
    assert info.size == size and mnt.staged(repo) == []
    peak, _ = usage(pid)
    assert peak < LIMIT, f"{peak >> 20} MiB"
    after = settle(mnt, (before[0] + 8, before[1] + 8))
    proof(f"{size >> 20} MiB saved and synced, edited {edit}: peak {peak >> 20} MiB; at most {max(p[0] for p in peaks)} descriptors, {max(p[1] for p in peaks)} goroutines; before and after {before}, {after}")
