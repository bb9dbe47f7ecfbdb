"""Editors and programs that save as editors do: in place, by a new file, with backups."""

import os
import pty
import select
import shutil
import stat
import subprocess
import tempfile
import time

import pytest
import support

TEXT = "".join(f"line {i}\n" for i in range(200))


@pytest.fixture(params=["new", "committed"])
def text(request, there, committed):
    """A text file, once staged and once committed."""
    path = there / "notes.txt"
    path.write_text(TEXT)
    (there / "other.txt").write_text("other")
    if request.param == "committed":
        committed()
    return path


def terminal(argv, keys, env, timeout=30):
    """Runs a program on a terminal of its own and types keys: each (what the screen
    must have shown since the last, what is typed then). Returns the exit code."""
    main, side = pty.openpty()
    env = {**env, "TERM": "xterm", "LINES": "24", "COLUMNS": "80"}
    p = subprocess.Popen([str(a) for a in argv], stdin=side, stdout=side, stderr=side, env=env, start_new_session=True)
    os.close(side)
    seen, end, keys = b"", time.monotonic() + timeout, list(keys)
    try:
        while time.monotonic() < end:
            if not select.select([main], [], [], 0.05)[0]:
                if p.poll() is not None:
                    break
                continue
            try:
                seen += os.read(main, 65536)
            except OSError:  # the program's side is closed
                break
            if keys and keys[0][0] in seen:
                seen = b""
                os.write(main, keys.pop(0)[1])
        else:
            raise AssertionError(f"{argv[0]} waits; the screen has {seen!r}, left to type is {keys}")
        assert not keys, f"{argv[0]} ended; the screen has {seen!r}, left to type is {keys}"
        return p.wait(10)
    finally:
        p.kill()
        p.wait()
        os.close(main)


@pytest.mark.parametrize("options", [[], ["-B"], ["-B", "-C", "backups"], ["-G"]], ids=["plain", "backup", "backup-dir", "lock"])
def test_nano(mnt, text, committed, options):
    support.need("nano")
    there = text.parent
    if "backups" in options:
        (there / "backups").mkdir()
        options = [*options[:-1], str(there / "backups")]
    keys = [(b"line 0", b"typed "), (b"typed", b"\x0f"), (b"Write", b"\r"), (b"Wrote", b"\x18")]
    assert terminal(["nano", "-I", *options, text], keys, mnt.env) == 0
    assert text.read_text() == "typed " + TEXT
    if "-C" in options:
        backups = list((there / "backups").iterdir())
        assert [b.read_text() for b in backups] == [TEXT]
    elif "-B" in options:
        assert (there / "notes.txt~").read_text() == TEXT
    assert not [n for n in os.listdir(there) if n.endswith(".swp")]
    assert "notes.txt" in committed()


def test_nano_new_file(mnt, there, committed):
    support.need("nano")
    keys = [(b"New File", b"hello"), (b"hello", b"\x18"), (b"Save", b"y"), (b"Write", b"\r")]
    assert terminal(["nano", "-I", there / "made.txt"], keys, mnt.env) == 0
    assert (there / "made.txt").read_text() == "hello\n"
    assert committed() == ["made.txt"]


@pytest.mark.parametrize("options", ["", "set backup", "set backup backupcopy=yes", "set undofile"])
def test_vim_on_a_terminal(mnt, text, committed, options):
    support.need("vim")
    env = {**mnt.env, "HOME": str(mnt.base)}
    keys = [(b"line 0", b"itext \x1b:w\r"), (b"written", b"Gofoot\x1b:wq\r")]
    assert terminal(["vim", "-u", "NONE", "-N", "-c", "set backupskip=", "-c", options or "set nobackup", text], keys, env) == 0
    assert text.read_text() == "text " + TEXT + "foot\n"
    names = os.listdir(text.parent)
    assert not [n for n in names if n.endswith(".swp")], names
    assert ("notes.txt~" in names) == ("set backup" in options)
    assert (".notes.txt.un~" in names) == ("undofile" in options)
    assert "notes.txt" in committed()


def test_vim_recovers_after_a_kill(mnt, there, committed):
    """The swap file of a vim that was killed is there for the next one."""
    path = there / "notes.txt"
    path.write_text(TEXT)
    committed()
    main, side = pty.openpty()
    argv = ["vim", "-u", "NONE", "-N", "-c", "call setline(1, 'never saved')", "-c", "preserve", str(path)]
    p = subprocess.Popen(argv, stdin=side, stdout=side, stderr=side, env={**mnt.env, "TERM": "xterm"}, start_new_session=True)
    os.close(side)
    swap = there / ".notes.txt.swp"
    support.wait_for("the swap file", lambda: (select.select([main], [], [], 0)[0] and os.read(main, 65536) and False) or swap.exists() and b"never saved" in swap.read_bytes())
    p.kill()
    p.wait()
    os.close(main)
    support.run("vim", "-u", "NONE", "-es", "-r", path, "-c", "w! " + str(there / "recovered.txt"), "-c", "q!", check=False)
    assert (there / "recovered.txt").read_text().startswith("never saved\n")
    assert path.read_text() == TEXT
    swap.unlink()
    committed()


def test_sed_and_patch(text, committed, tmp_path):
    there = text.parent
    mode = stat.S_IMODE(text.stat().st_mode)
    support.run("sed", "-i", "s/line 7$/LINE SEVEN/", text)
    support.run("sed", "-i.orig", "-e", "$ a end", text)
    assert text.read_text() == TEXT.replace("line 7\n", "LINE SEVEN\n") + "end\n"
    assert (there / "notes.txt.orig").read_text() == TEXT.replace("line 7\n", "LINE SEVEN\n")
    assert stat.S_IMODE(text.stat().st_mode) == mode
    committed()
    support.need("patch")
    old, new = tmp_path / "a", tmp_path / "b"
    old.write_text(text.read_text())
    new.write_text(text.read_text().replace("line 100\n", "one hundred\n"))
    diff = support.run("diff", "-u", "--label", "a/notes.txt", "--label", "b/notes.txt", old, new, check=False).stdout
    (tmp_path / "p").write_text(diff)
    support.run("patch", "-p1", "-i", tmp_path / "p", cwd=there)
    assert "one hundred\n" in text.read_text()
    support.run("patch", "-R", "-b", "-p1", "-i", tmp_path / "p", cwd=there)
    assert text.read_text() == old.read_text()
    support.run("patch", "-b", "-V", "numbered", "-p1", "-i", tmp_path / "p", cwd=there)
    assert text.read_text() == new.read_text()
    committed()


def test_perl_and_awk_in_place(text, committed):
    support.run("perl", "-pi.bak", "-e", "s/line/row/", text)
    assert text.read_text() == TEXT.replace("line", "row")
    support.run("sort", "-r", "-o", text, text)
    assert text.read_text().splitlines() == sorted(TEXT.replace("line", "row").splitlines(), reverse=True)
    support.run("sh", "-c", f"tee -a '{text}' < /etc/hostname > /dev/null && truncate -s 100 '{text}' && shred -n 1 '{text.parent}/notes.txt.bak'")
    assert text.stat().st_size == 100
    committed()


def test_atomic_saves(text, committed):
    there = text.parent
    # tempfile and os.replace, as most Python programs.
    for i in range(20):
        with tempfile.NamedTemporaryFile("w", dir=there, prefix=".notes", delete=False) as f:
            f.write(f"version {i}\n")
            f.flush()
            os.fsync(f.fileno())
        os.replace(f.name, text)
        assert text.read_text() == f"version {i}\n"
    # An anonymous file, which gets its name when it is whole.
    fd = os.open(there, os.O_TMPFILE | os.O_RDWR, 0o644)
    os.write(fd, b"anonymous")
    # With a folder given, Python calls linkat, which follows the link.
    os.link(f"/proc/self/fd/{fd}", there / "linked.txt", src_dir_fd=fd, follow_symlinks=True)
    os.close(fd)
    assert (there / "linked.txt").read_text() == "anonymous"
    # As a notebook server saves: the old file aside, the new bytes in place, the copy removed.
    aside = there / ".~notes.txt"
    shutil.copy2(text, aside)
    with open(text, "w") as f:
        f.write('{"cells": []}')
        f.flush()
        os.fsync(f.fileno())
    aside.unlink()
    # With the folder synced, as databases do.
    with tempfile.TemporaryDirectory(dir=there) as d:
        with open(os.path.join(d, "x"), "w") as f:
            f.write("in a folder")
        os.replace(os.path.join(d, "x"), there / "x.txt")
        fd = os.open(there, os.O_RDONLY | os.O_DIRECTORY)
        os.fsync(fd)
        os.close(fd)
    names = committed()
    assert {"notes.txt", "other.txt", "x.txt", "linked.txt"} <= set(names) and not [n for n in names if n.startswith(".") or "tmp" in n], names
