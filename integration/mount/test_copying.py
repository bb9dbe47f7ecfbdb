"""Programs that copy, move, pack and remove trees; what they leave is what a commit has."""

import os
import random
import shutil
import stat

import pytest
import support


@pytest.fixture(scope="module")
def plain(scratch):
    """A folder with sizes around pages and blocks, times, modes, and empty and deep folders."""
    rnd = random.Random(11)
    folder = scratch / "copying"
    for i, size in enumerate([0, 1, 4095, 4096, 4097, 131071, 131073, 3 << 20]):
        p = folder / f"d{i % 3}" / "deep" / f"file {i}.bin"
        p.parent.mkdir(parents=True, exist_ok=True)
        p.write_bytes(rnd.randbytes(size))
        os.utime(p, (1_500_000_000 + i, 1_400_000_000 + i))
        p.chmod(0o755 if i % 2 else 0o640)
    (folder / "run.sh").write_text("#!/bin/sh\necho ran\n")
    (folder / "run.sh").chmod(0o700)
    with open(folder / "sparse.img", "wb") as f:
        f.truncate(2 << 20)
        f.seek(1 << 20)
        f.write(b"middle")
    (folder / "empty").mkdir()
    # Archives have whole seconds.
    for name in ("run.sh", "sparse.img"):
        os.utime(folder / name, (1_600_000_000, 1_600_000_000))
    for p in sorted(folder.rglob("*"), reverse=True):
        if p.is_dir():
            os.utime(p, (1_300_000_000, 1_300_000_000))
    return folder


def attributes(folder, times=True):
    """{path: (mode, size, mtime)} of files, and of folders the mode."""
    got = {}
    for p in sorted(folder.rglob("*")):
        st = p.lstat()
        got[str(p.relative_to(folder))] = (stat.filemode(st.st_mode), st.st_size if p.is_file() else 0, st.st_mtime_ns if times and p.is_file() else 0)
    return got


def test_rsync_archive(mnt, there, committed, plain, tmp_path):
    support.need("rsync")
    source = tmp_path / "source"
    shutil.copytree(plain, source)
    support.run("rsync", "-a", "--delete", f"{source}/", f"{there}/")
    assert attributes(there) == attributes(source)
    assert support.run("rsync", "-ai", "--delete", f"{source}/", f"{there}/").stdout == "", "the second time nothing is to do"
    committed(source)
    shown = support.run("rsync", "-ai", "--exclude=.gitattributes", "--delete", f"{source}/", f"{there}/").stdout
    assert [line for line in shown.splitlines() if line[0] in "><c*"] == [], "nor after the commit"
    # Changes of every kind, onto committed files.
    (source / "run.sh").write_text("#!/bin/sh\necho more\n")
    shutil.rmtree(source / "d1")
    (source / "d0" / "deep" / "new.txt").write_text("new")
    with open(source / "d2" / "deep" / "file 5.bin", "r+b") as f:
        f.seek(70000)
        f.write(b"changed in the middle")
    for options in (["--inplace", "--no-whole-file"], ["--checksum"], ["--append-verify"], ["--delay-updates"]):
        support.run("rsync", "-a", "--delete", *options, "--exclude=.gitattributes", f"{source}/", f"{there}/")
        assert support.tree(source).items() <= support.tree(there).items()
        with open(source / "run.sh", "a") as f:
            f.write(f"# {options}\n")
    support.run("rsync", "-a", "--delete", "--exclude=.gitattributes", f"{source}/", f"{there}/")
    committed(source)


@pytest.mark.parametrize("options", [["-a"], ["-r", "--reflink=auto"], ["-a", "--sparse=always"], ["-a", "--sparse=never", "--reflink=never"]], ids="_".join)
def test_cp(there, committed, plain, options):
    support.run("cp", *options, f"{plain}/.", there)
    assert support.tree(there) == support.tree(plain)
    if "-a" in options:
        assert attributes(there) == attributes(plain)
    # Within the mount, and of what is committed.
    support.run("cp", *options, there / "d1", there / "copy")
    assert support.run(there / "run.sh").stdout == "ran\n"
    committed()
    support.run("cp", *options, there / "d2", there / "copy of committed")
    support.run("cp", "--backup=numbered", there / "run.sh", there / "copy" / "run.sh")
    support.run("cp", "--backup=numbered", "--remove-destination", there / "sparse.img", there / "copy" / "run.sh")
    assert (there / "copy" / "run.sh.~1~").read_bytes() == (plain / "run.sh").read_bytes()
    committed()


def test_mv_across_repos_and_disks(mnt, there, committed, plain, tmp_path):
    shutil.copytree(plain, tmp_path / "moving")
    support.run("mv", tmp_path / "moving", there / "in")
    assert attributes(there / "in") == attributes(plain)
    committed()
    # Another repo is another file system to mv: it copies, and removes the source.
    other = mnt.path / f"datasets/{support.USER}/moved-to"
    other.mkdir(parents=True)
    support.run("mv", there / "in" / "d0", there / "in" / "run.sh", other)
    assert sorted(os.listdir(other)) == ["d0", "run.sh"]
    assert sorted(os.listdir(there / "in")) == ["d1", "d2", "empty", "sparse.img"]
    with pytest.raises(OSError, match="cross-device"):
        os.rename(there / "in" / "d1", other / "d1")
    support.run("mv", "-n", other / "run.sh", other / "d0" / "renamed.sh")
    support.run("mv", "--backup=simple", there / "in" / "sparse.img", other / "d0" / "renamed.sh")
    assert (other / "d0" / "renamed.sh~").read_bytes() == (plain / "run.sh").read_bytes()
    mnt.sync(f"datasets/{support.USER}/moved-to")
    assert mnt.hub.tree(f"{support.USER}/moved-to", "dataset") == {p: h for p, h in support.tree(other).items() if p != ".gitattributes"}
    committed()
    # And out of the mount.
    support.run("mv", there / "in", tmp_path / "out")
    assert not (there / "in").exists()
    assert support.tree(tmp_path / "out").items() <= support.tree(plain).items()


def test_tar_round_trip(there, committed, plain, tmp_path):
    for options in (["-cf"], ["-czf"], ["-cSf"], ["--format=posix", "-cf"]):
        archive = there / "a.tar"
        support.run("tar", "-C", plain, *options, archive, ".")
        support.run("tar", "-C", plain, "-df", archive)
        out = there / "out"
        out.mkdir()
        support.run("tar", "-C", out, "-xpf", archive)
        assert attributes(out) == attributes(plain)
        support.run("tar", "-C", out, "--overwrite", "-xf", archive)
        shutil.rmtree(out)
    support.run("tar", "-C", plain, "-rf", archive, "run.sh")
    support.run("tar", "-f", archive, "--delete", "./sparse.img")
    assert len([n for n in support.run("tar", "-tf", archive).stdout.split("\n") if "run.sh" in n]) == 2
    support.run("tar", "-C", there, "-xf", archive, "--exclude=./empty")
    committed()
    support.run("tar", "-C", there, "-cf", tmp_path / "committed.tar", "d0", "d1", "d2")
    (tmp_path / "out").mkdir()
    support.run("tar", "-C", tmp_path / "out", "-xf", tmp_path / "committed.tar")
    assert support.tree(tmp_path / "out" / "d0") == support.tree(plain / "d0")


def test_python_copies(there, committed, plain, tmp_path):
    shutil.copytree(plain, there / "tree")
    assert attributes(there / "tree") == attributes(plain)
    shutil.copytree(there / "tree", there / "tree again")
    shutil.copytree(there / "tree", tmp_path / "back")
    assert attributes(tmp_path / "back") == attributes(plain)
    committed()
    shutil.copytree(there / "tree", there / "tree again", dirs_exist_ok=True)
    shutil.move(there / "tree again" / "d0", there / "moved")
    shutil.copyfile(plain / "run.sh", there / "tree" / "sparse.img")
    shutil.make_archive(str(there / "archive"), "zip", there / "tree")
    shutil.unpack_archive(there / "archive.zip", there / "unpacked")
    assert support.tree(there / "unpacked") == support.tree(there / "tree")
    shutil.rmtree(there / "tree")
    assert committed()[0] == "archive.zip"


def test_find_delete_and_du(mnt, there, committed, plain):
    shutil.copytree(plain, there / "a")
    shutil.copytree(plain, there / "b")
    committed()
    sizes = [support.run("du", "-sb", "--apparent-size", folder / "d0").stdout.split()[0] for folder in (there / "a", there / "b")]
    assert sizes[0] == sizes[1]
    total = sum(p.stat().st_size for p in there.rglob("*") if p.is_file())
    shown = support.run("find", there, "-type", "f", "-printf", "%s\n").stdout.split()
    assert sum(map(int, shown)) == total
    support.run("find", there / "a", "-name", "*.bin", "-size", "+100k", "-delete")
    assert committed() == sorted(p for p in support.tree(there) if p != ".gitattributes")
    support.run("find", there / "b", "-mindepth", "1", "-delete")
    assert os.listdir(there / "b") == []
    assert all(n.startswith("a/") for n in committed())
    support.run("find", there / "a", "-delete")
    assert not (there / "a").exists()


def test_dd(there, committed, tmp_path):
    block = random.Random(3).randbytes(1 << 20)
    source = tmp_path / "source"
    source.write_bytes(block)
    support.run("dd", f"if={source}", f"of={there}/synced", "bs=64k", "conv=fsync")
    support.run("dd", f"if={source}", f"of={there}/datasynced", "bs=37777", "conv=fdatasync,sparse")
    support.run("dd", f"if={source}", f"of={there}/o-sync", "bs=128k", "oflag=sync")
    support.run("dd", f"if={source}", f"of={there}/direct", "bs=64k", "oflag=direct")
    for name in ("synced", "datasynced", "o-sync", "direct"):
        assert (there / name).read_bytes() == block, name
    assert support.run("dd", f"if={there}/direct", "iflag=direct", "bs=64k", "of=/dev/null").returncode == 0
    committed()
    # Into the middle and behind the end of committed files.
    support.run("dd", f"if={source}", f"of={there}/synced", "bs=4k", "count=3", "skip=5", "seek=9", "conv=notrunc,fsync")
    support.run("dd", f"if={source}", f"of={there}/o-sync", "bs=1k", "count=1", "oflag=append", "conv=notrunc")
    support.run("dd", f"if={source}", f"of={there}/direct", "bs=1k", "count=2", "seek=2048", "conv=fsync")
    assert (there / "synced").read_bytes() == block[: 9 * 4096] + block[5 * 4096 : 8 * 4096] + block[12 * 4096 :]
    assert (there / "o-sync").read_bytes() == block + block[:1024]
    assert (there / "direct").read_bytes() == block + bytes(1 << 20) + block[:2048]
    committed()
