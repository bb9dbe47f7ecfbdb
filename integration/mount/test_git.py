"""git works inside a mount: its own files are staged, the work tree's are committed."""

import os

import pytest
import support

WHO = ["-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-c", "init.defaultBranch=main", "-c", "gc.auto=0"]


def git(folder, *args, check=True):
    return support.run("git", *WHO, *args, cwd=folder, check=check, env={**os.environ, "GIT_CONFIG_NOSYSTEM": "1", "HOME": "/nonexistent"}).stdout


def history(folder):
    """A repository with three commits, a branch and a merge."""
    git(folder, "init", "-q", ".")
    (folder / "src").mkdir()
    (folder / "src" / "main.py").write_text("print(1)\n")
    (folder / "README.md").write_text("# One\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "first")
    git(folder, "checkout", "-q", "-b", "side")
    (folder / "src" / "side.py").write_text("print(2)\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "side")
    git(folder, "checkout", "-q", "main")
    assert not (folder / "src" / "side.py").exists()
    git(folder, "mv", "src/main.py", "src/moved.py")
    (folder / "README.md").write_text("# Two\n")
    git(folder, "commit", "-q", "-a", "-m", "second")
    git(folder, "merge", "-q", "--no-edit", "side")


def sound(folder):
    # The Hub puts a .gitattributes into a new repo, which the commit brings here.
    assert git(folder, "status", "--porcelain") in ("", "?? .gitattributes\n")
    git(folder, "fsck", "--full", "--strict")
    return git(folder, "log", "--format=%T %s")


@pytest.fixture(scope="module", autouse=True)
def installed():
    support.need("git")


def test_git_init_commit_merge_gc(mnt, repo, there, committed):
    history(there)
    log = sound(there)
    assert [line.split(" ", 1)[1] for line in log.splitlines()] == ["Merge branch 'side'", "second", "side", "first"]
    git(there, "repack", "-a", "-d", "-q")
    git(there, "pack-refs", "--all")
    git(there, "reflog", "expire", "--expire=now", "--all")
    git(there, "gc", "-q", "--prune=now")
    assert sound(there) == log
    assert committed() == ["README.md", "src/moved.py", "src/side.py"]
    left = mnt.staged(repo)
    assert left and all(p.startswith(".git/") for p in left), left
    # What the commit of the mount retired is unchanged for git, and goes on.
    assert sound(there) == log
    (there / "README.md").write_text("# Three\n")
    assert git(there, "diff", "--stat").splitlines()[-1].strip() == "1 file changed, 1 insertion(+), 1 deletion(-)"
    git(there, "stash", "-q")
    assert (there / "README.md").read_text() == "# Two\n"
    git(there, "stash", "pop", "-q")
    git(there, "commit", "-q", "-a", "-m", "third")
    sound(there)
    # .git outlives the daemon with its history.
    mnt.umount("--force")
    mnt.mount()
    assert sound(there).splitlines()[0].endswith(" third")


def test_git_clone_into_out_of_and_within(mnt, there, committed, tmp_path):
    plain = tmp_path / "plain"
    plain.mkdir()
    history(plain)
    log = sound(plain)
    git(tmp_path, "clone", "-q", plain, there / "into")
    assert sound(there / "into") == log
    git(tmp_path, "clone", "-q", there / "into", tmp_path / "out")
    assert sound(tmp_path / "out") == log
    git(tmp_path, "clone", "-q", there / "into", there / "within")
    assert sound(there / "within") == log
    # A push into the mount, a pull from it.
    git(tmp_path, "clone", "-q", "--bare", plain, there / "bare.git")
    (plain / "new.txt").write_text("new\n")
    git(plain, "add", "new.txt")
    git(plain, "commit", "-q", "-m", "new")
    git(plain, "push", "-q", there / "bare.git", "main")
    git(there / "within", "pull", "-q", "--ff-only", there / "bare.git", "main")
    assert sound(there / "within") == sound(plain)
    names = committed()
    assert "within/new.txt" in names and "into/src/moved.py" in names and "bare.git/HEAD" in names
    git(there / "bare.git", "fsck", "--full")
    # What was committed of the bare repository is a repository.
    got = mnt.hub.api().snapshot_download(f"{support.USER}/{there.name}", local_dir=tmp_path / "down")
    git(tmp_path, "clone", "-q", f"{got}/bare.git", tmp_path / "again")
    assert sound(tmp_path / "again") == sound(plain)


def test_git_worktree_and_apply(there, committed, tmp_path):
    history(there)
    patch = git(there, "format-patch", "--stdout", "HEAD~1")
    git(there, "worktree", "add", "-q", "../" + there.name + "/tree", "side")
    (tmp_path / "p").write_text(patch)
    git(there, "reset", "-q", "--hard", "HEAD~1")
    git(there, "am", "-q", tmp_path / "p")
    assert (there / "src" / "side.py").read_text() == "print(2)\n"
    git(there, "worktree", "remove", "--force", "tree")
    assert sorted(os.listdir(there)) == [".git", "README.md", "src"]
    assert committed() == ["README.md", "src/moved.py", "src/side.py"]
