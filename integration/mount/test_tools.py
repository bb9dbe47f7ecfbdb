"""Everyday programs give on the mount what they give on a plain copy, for committed and for staged files."""

import json
import os
import random
import shutil

import pytest
import support

REPO = "datasets/" + support.USER + "/tools"


@pytest.fixture(scope="module")
def plain(scratch):
    """A folder with what repos have: text, JSON, binaries, deep folders, odd names."""
    rnd = random.Random(5)
    folder = scratch / "tools"
    for i in range(60):
        p = folder / f"part-{i % 5}" / f"deep{i % 3}" / f"note {i}.txt"
        p.parent.mkdir(parents=True, exist_ok=True)
        p.write_text("".join(f"line {n} of {i}: {rnd.choice(['needle', 'hay'])}\n" for n in range(i + 1)))
    (folder / "ünï-名前.json").write_text(json.dumps({"a": [1, 2, {"b": None}]}))
    (folder / "broken.json").write_text('{"a": ')
    (folder / "large.bin").write_bytes(rnd.randbytes(12 << 20))
    (folder / "empty.txt").write_bytes(b"")
    return folder


@pytest.fixture(params=["committed", "staged"])
def pair(request, plain, mnt, hub):
    """(folder in the mount, an equal plain folder): once pinned in a commit, once only staged."""
    name = f"{REPO}-{request.param}"
    there = mnt.path / name
    if request.param == "staged":
        shutil.copytree(plain, there, copy_function=shutil.copyfile)
    else:
        api = hub.api()
        repo = name.removeprefix("datasets/")
        if not api.repo_exists(repo, repo_type="dataset"):
            api.create_repo(repo, repo_type="dataset")
            api.upload_folder(folder_path=plain, repo_id=repo, repo_type="dataset")
            api.delete_file(".gitattributes", repo, repo_type="dataset")
    here = mnt.base / "plain"
    shutil.copytree(plain, here)
    return there, here


def same(pair, *command, sort=False, code=None, timeout=60):
    """Runs command in both folders: same output, same exit code."""
    results = []
    for folder in pair:
        p = support.run(*command, cwd=folder, check=False, timeout=timeout)
        out = sorted(p.stdout.splitlines()) if sort else p.stdout
        results.append((p.returncode, out, p.stderr))
    assert results[0] == results[1]
    if code is not None:
        assert results[0][0] == code, results[0]
    return results[0][1]


def test_cp_from_and_to(pair):
    there, here = pair
    support.run("cp", "-r", there, here.parent / "copied")
    assert support.tree(here.parent / "copied") == support.tree(here)
    support.run("cp", "-a", here / "part-1", there / "again")
    assert support.tree(there / "again") == support.tree(here / "part-1")
    support.run("cp", "-r", there / "again", there / "and again")
    support.run("diff", "-r", there / "and again", here / "part-1")


def test_grep(pair):
    assert same(pair, "grep", "-rn", "needle", ".", sort=True, code=0)
    same(pair, "grep", "-rc", "nothing like it", ".", sort=True, code=1)


def test_find(pair):
    assert same(pair, "find", ".", "-printf", "%P %y\n", sort=True, code=0)
    same(pair, "find", ".", "-type", "f", "-printf", "%P %s\n", sort=True, code=0)
    same(pair, "find", ".", "-name", "*.json", "-size", "+0", sort=True, code=0)
    same(pair, "find", ".", "-empty", sort=True, code=0)


def test_du_and_ls(pair):
    sizes = same(pair, "find", ".", "-type", "f", "-exec", "du", "-b", "{}", "+", sort=True, code=0)
    assert any(line.startswith(f"{12 << 20}\t") for line in sizes)
    same(pair, "ls", "-RAU1", sort=True, code=0)
    same(pair, "ls", "-RA1", code=0)
    support.run("ls", "-lR", cwd=pair[0])
    support.run("du", "-sh", cwd=pair[0])


def test_tar(pair):
    there, here = pair
    support.run("tar", "-C", there, "-cf", here.parent / "t.tar", ".")
    (here.parent / "from").mkdir()
    support.run("tar", "-C", here.parent / "from", "-xf", here.parent / "t.tar")
    assert support.tree(here.parent / "from") == support.tree(here)
    (there / "unpacked").mkdir()
    p = support.run("tar", "-C", there / "unpacked", "-xf", here.parent / "t.tar")
    assert p.stderr == ""
    assert support.tree(there / "unpacked") == support.tree(here)
    # And an archive that lies in the mount.
    support.run("tar", "-C", here, "-czf", there / "in.tgz", "part-1")
    assert same((there, there), "tar", "-tzf", "in.tgz", code=0)


def test_rsync(pair):
    there, here = pair
    support.run("rsync", "-r", "--checksum", f"{there}/", here.parent / "synced")
    assert support.tree(here.parent / "synced") == support.tree(here)
    (here / "part-0" / "new.txt").write_text("new")
    (here / "large.bin").write_bytes(b"smaller now")
    os.remove(here / "empty.txt")
    support.run("rsync", "-rt", "--delete", f"{here}/", f"{there}/")
    assert support.tree(there) == support.tree(here)
    out = support.run("rsync", "-rti", "--delete", f"{here}/", f"{there}/").stdout
    assert [line for line in out.splitlines() if line.startswith(">f")] == [], "nothing is left to send"


def test_json_tool(pair):
    assert '"b": null' in same(pair, "python3", "-m", "json.tool", "ünï-名前.json", code=0)
    for folder in pair:
        p = support.run("python3", "-m", "json.tool", "broken.json", cwd=folder, check=False)
        assert p.returncode == 1 and "Expecting value" in p.stderr
    # It may write where it reads.
    for folder in pair:
        support.run("python3", "-m", "json.tool", "ünï-名前.json", "ünï-名前.json", cwd=folder)
    assert same(pair, "cat", "ünï-名前.json").startswith("{\n")


@pytest.mark.parametrize("options", ["", "set backup", "set backupcopy=yes", "set backupcopy=no", "set nowritebackup", "set fsync"])
def test_vim(pair, options):
    for folder in pair:
        # Debian's vim makes no backup below /tmp unless told to.
        args = ["-c", "set backupskip=", "-c", options] if options else []
        support.run("vim", "-u", "NONE", "-es", *args, "-c", "%s/line/LINE/g", "-c", "x", "part-1/deep1/note 1.txt", cwd=folder)
    assert "LINE 0 of 1" in same(pair, "cat", "part-1/deep1/note 1.txt", code=0)
    same(pair, "ls", "-A", "part-1/deep1", code=0)


def test_sed_and_shell(pair):
    same(pair, "sed", "-i", "s/line/row/", "part-2/deep2/note 2.txt", code=0)
    same(pair, "sh", "-c", "echo more >> empty.txt; cat empty.txt; : > large.bin; wc -c < large.bin", code=0)
    same(pair, "sh", "-c", "mv part-3 part-x && mv part-x/deep0 . && ls -R part-x deep0", code=0)
    same(pair, "sh", "-c", "cd part-4 && mv ../part-4 ../part-y && ls && echo hi > made.txt && ls ../part-y", code=0)
    same(pair, "sh", "-c", "rm -r part-2; mkdir -p p/q/r; touch p/q/r/s; rmdir p/q 2>/dev/null || echo not empty; ls -R p", code=0)
    same(pair, "sh", "-c", "truncate -s 3 broken.json; cat broken.json; dd if=/dev/zero of=broken.json bs=1 seek=5 count=1 conv=notrunc status=none; od -c broken.json", code=0)
    same(pair, "find", ".", "-type", "f", sort=True)


def test_git_sees_a_work_tree(pair):
    """git add of the mount's files into a repository outside gives the same tree."""
    hashes = []
    for folder in pair:
        git = support.run("mktemp", "-d", "-p", pair[1].parent).stdout.strip()
        base = ["git", f"--git-dir={git}", f"--work-tree={folder}"]
        support.run(*base, "init", "-q")
        support.run(*base, "-c", "core.fileMode=false", "add", "-A", cwd=folder)
        hashes.append(support.run(*base, "write-tree").stdout)
    assert hashes[0] == hashes[1]
