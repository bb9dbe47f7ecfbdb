"""fio writes blocks with checksums in many ways and verifies them: on the mount, and from the commit."""

import json

import pytest
import support

JOBS = {
    # name: options; each of its jobs has a file of its own
    "psync": ["--ioengine=psync", "--rw=randwrite", "--bsrange=512-64k", "--fsync=64"],
    "mmap": ["--ioengine=mmap", "--rw=randwrite", "--bs=4k"],
    "sequential": ["--ioengine=psync", "--rw=write", "--bs=128k", "--end_fsync=1"],
    "mixed": ["--ioengine=pvsync", "--rw=randrw", "--bs=4k", "--rwmixread=40"],
    "libaio": ["--ioengine=libaio", "--iodepth=16", "--rw=randwrite", "--bs=4k"],
    "sync": ["--ioengine=psync", "--rw=randwrite", "--bs=8k", "--sync=dsync", "--io_size=512k"],
    "mmap-mixed": ["--ioengine=mmap", "--rw=randrw", "--bs=8k", "--fsync=32"],
    "direct": ["--ioengine=psync", "--direct=1", "--rw=randwrite", "--bs=4k", "--io_size=1m"],
}


def fio(folder, *options, timeout=900):
    p = support.run("fio", "--output-format=json", f"--directory={folder}", "--verify=crc32c", "--verify_fatal=1", "--randrepeat=0", "--verify_state_save=0", "--group_reporting", *options, timeout=timeout)
    return json.loads(p.stdout[p.stdout.index("{") :])["jobs"]


@pytest.fixture(autouse=True)
def installed():
    support.need("fio")


@pytest.mark.deep
@pytest.mark.parametrize("name", JOBS)
def test_fio_verifies(mnt, repo, there, committed, proof, name):
    n = 3
    size = support.size(2 << 20, 64 << 20, 512 << 20)
    common = [f"--name={name}", f"--numjobs={n}", f"--size={size}"]
    jobs = fio(there, *common, *JOBS[name])
    assert all(j["error"] == 0 for j in jobs)
    written, read = (sum(j[k]["io_bytes"] for j in jobs) for k in ("write", "read"))
    assert written > 0 and read > 0, "it wrote, and read what it wrote"
    names = committed()
    assert len(names) == n
    # Over what is committed now: each file is brought into a new staged one.
    again = fio(there, *common, *JOBS[name])
    assert all(j["error"] == 0 for j in again)
    committed()
    proof(f"{(written + sum(j['write']['io_bytes'] for j in again)) >> 20} MiB written and verified")


@pytest.mark.deep
def test_fio_one_file_from_all_sides(there, committed, proof):
    """Several processes on disjoint regions of one file, by system calls and by a map (fio maps only the first region right)."""
    size = support.size(1 << 20, 32 << 20, 256 << 20)
    path = there / "shared.bin"
    with open(path, "wb") as f:
        f.truncate(4 * size)
    args = []
    for i, engine in enumerate(["mmap", "psync", "pvsync", "libaio"]):
        args += [f"--name=side{i}", "--filename=shared.bin", f"--ioengine={engine}", f"--size={size}", f"--offset={i * size}", "--rw=randwrite", "--bs=4k"]
    jobs = fio(there, *args)
    assert all(j["error"] == 0 for j in jobs)
    assert path.stat().st_size == 4 * size
    committed()
    proof(f"{4 * size >> 20} MiB of one file")
