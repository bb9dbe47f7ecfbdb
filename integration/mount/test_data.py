"""Libraries that write data and models, and pip: what they wrote reads the same in place and from the commit."""

import json
import sys
import zipfile

import pytest
import support


def test_parquet_and_datasets(mnt, repo, there, committed, tmp_path):
    names = support.program("tables", there, tmp_path / "cache", env=mnt.env)
    assert {"stream.parquet", "data/train.parquet", "saved/doubled.arrow", "data.jsonl", "table.arrow", "parts/2/part-0.parquet"} <= set(names)
    assert committed() == names
    # Another reader, of the commit.
    code = (
        "import sys, json, datasets, pyarrow.parquet as pq; datasets.disable_progress_bars();"
        "d = datasets.load_dataset(sys.argv[1], data_files='data/*.parquet', split='train', cache_dir=sys.argv[3]);"
        "print(json.dumps([len(d), sum(d['n']), pq.read_table(sys.argv[2], memory_map=True).num_rows]))"
    )
    mnt.hub.api().create_repo(repo, repo_type="dataset")
    mnt.hub.api().upload_folder(folder_path=there / "data", path_in_repo="data", repo_id=repo, repo_type="dataset")
    on_mount = mnt.path / "datasets" / repo
    p = support.run(sys.executable, "-c", code, on_mount, there / "stream.parquet", tmp_path / "c2", env=mnt.env, timeout=200)
    assert json.loads(p.stdout.splitlines()[-1]) == [4000, sum(range(4000)), 4000]


def test_datasets_cache_on_the_mount(mnt, there, committed):
    """The cache of datasets with its locks and renames lies on the mount itself."""
    (there / "in").mkdir()
    names = support.program("tables", there / "in", there / "cache", env=mnt.env)
    assert len(names) > 10
    assert [n for n in committed() if n.startswith("cache/") and n.endswith(".arrow")]


def test_arrays_in_place(mnt, there, committed):
    first = support.program("arrays", there, "write", env=mnt.env)
    n = 300 * 1024
    assert first["map"] == n * (n - 1) // 2 and first["open"] == 500 * 50
    committed()
    second = support.program("arrays", there, "edit", env=mnt.env)
    row7 = sum(range(7 * 1024, 8 * 1024))
    assert second["map"] == first["map"] - row7 - 7 * 1024 - (n - 1) + 5
    assert second == {**first, "map": second["map"], "open": 500 * 50 + 500 * 50 * 2, "names": [*sorted(["more", *first["names"]])]}
    assert mnt.staged(f"{support.USER}/{there.name}") == ["map.bin", "open.npy", "tensors.safetensors"], "only what was written"
    committed()


@pytest.mark.models
def test_torch_checkpoints(mnt, there, committed):
    names = support.program("torch_save", there, env=mnt.env)
    assert names == ["checkpoint.pt", "model.safetensors", "old.bin", "shared.bin"]
    assert committed() == names


def wheel(folder):
    """A wheel of a package with data and a script, made by hand: needs no build and no network."""
    info = "smallpackage-1.2.dist-info"
    files = {
        "smallpackage/__init__.py": "VALUE = 42\ndef main():\n    print(VALUE)\n",
        "smallpackage/sub/__init__.py": "",
        "smallpackage/sub/data.json": '{"a": 1}',
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: smallpackage\nVersion: 1.2\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\nsmall = smallpackage:main\n",
    }
    for i in range(60):
        files[f"smallpackage/m{i}.py"] = f"N = {i}\n"
    files[f"{info}/RECORD"] = "".join(f"{n},,\n" for n in files) + f"{info}/RECORD,,\n"
    path = folder / "smallpackage-1.2-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as z:
        for name, text in files.items():
            z.writestr(name, text)
    return path


def test_pip_install_target(mnt, there, committed, tmp_path):
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-cache-dir", "install", "-q", "--no-index", "--no-deps"]
    for options in ([], ["--upgrade"]):
        support.run(*pip, *options, "--target", there / "site", wheel(tmp_path), env=mnt.env, timeout=120)
    p = support.run(sys.executable, "-c", "import smallpackage.m59 as m, smallpackage as s; print(s.VALUE + m.N, s.__file__)", env={**mnt.env, "PYTHONPATH": str(there / "site")})
    assert p.stdout.startswith(f"101 {there}/site/")
    names = committed()
    assert {"site/smallpackage/sub/data.json", "site/smallpackage-1.2.dist-info/METADATA", "site/bin/small"} <= set(names)


def test_python_runs_what_it_wrote(mnt, there, committed):
    """Compiled files and a zip application that Python writes and runs."""
    (there / "app").mkdir()
    (there / "app" / "__main__.py").write_text("import helper; print(helper.X)\n")
    (there / "app" / "helper.py").write_text("X = 'ran'\n")
    assert support.run(sys.executable, there / "app", env=mnt.env).stdout == "ran\n"
    support.run(sys.executable, "-m", "compileall", "-q", there / "app", env=mnt.env)
    support.run(sys.executable, "-m", "zipapp", there / "app", "-o", there / "app.pyz", env=mnt.env)
    assert support.run(sys.executable, there / "app.pyz", env=mnt.env).stdout == "ran\n"
    assert "app.pyz" in committed()
