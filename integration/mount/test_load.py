"""Loading the real model from a mount, without torch."""

import os
from concurrent.futures import ThreadPoolExecutor

import support


def test_libraries_see_the_plain_folder(mnt, folder):
    """Cold, then warm, then by another mount on the same cache: always what the plain folder gives."""
    want = support.program("load", folder, env=mnt.env)
    there = mnt.path / support.MODEL
    assert support.program("load", there, env=mnt.env) == want
    before = mnt.hub.mark()
    assert support.program("load", there, env=mnt.env) == want
    assert mnt.hub.requests(before) == [], "a warm load makes no request"
    mnt.umount()
    mnt.mount()
    before = mnt.hub.mark()
    assert support.program("load", there, env=mnt.env) == want
    assert content(mnt.hub.requests(before)) == [], "the cache outlives the mount"


def test_every_byte_is_the_folders(mnt, folder):
    there = mnt.path / support.MODEL
    assert support.tree(there) == support.tree(folder)


def test_by_revision(mnt, folder):
    sha = mnt.hub.api().model_info(support.MODEL).sha
    for rev in ("main", sha):
        assert (mnt.path / f"{support.MODEL}@{rev}" / "config.json").read_bytes() == (folder / "config.json").read_bytes()


def test_eight_threads_map_a_cold_file_in_random_order(new_mount, folder):
    """Parallel page faults on a cold file; programs/touch.py has a watchdog."""
    want = support.sha256(folder / "model.safetensors")
    for _ in range(3):
        m = new_mount()
        got = support.program("touch", m.path / support.MODEL / "model.safetensors", want, 8, env=m.env, timeout=200)
        assert got == {"same": True, "whole": True}
        m.close()


def test_mapping_goes_on_while_others_read(new_mount, folder):
    """Random page faults of two processes and a sequential reader, all on one cold file."""
    m = new_mount()
    want = support.sha256(folder / "model.safetensors")
    path = m.path / support.MODEL / "model.safetensors"
    with ThreadPoolExecutor(3) as pool:
        touches = [pool.submit(support.program, "touch", path, want, 4, env=m.env, timeout=200) for _ in range(2)]
        copy = pool.submit(support.run, "sha256sum", path, timeout=200)
        for t in touches:
            assert t.result() == {"same": True, "whole": True}
        assert copy.result().stdout.split()[0] == want


def test_one_repo_at_the_root(new_mount, folder):
    m = new_mount(repo=support.MODEL)
    assert sorted(os.listdir(m.path)) == sorted(os.listdir(folder))
    m2 = new_mount(repo=f"{support.MODEL}/1_Pooling")
    assert (m2.path / "config.json").read_bytes() == (folder / "1_Pooling" / "config.json").read_bytes()


def content(requests):
    return [r for r in requests if r.get("kind") in ("content", "resolve") or "/resolve/" in r["path"]]
