"""arrays.py FOLDER write|edit: numpy, joblib, pickle and safetensors write below FOLDER, or edit what is there in place."""

import json
import pickle
import sys
from pathlib import Path

import joblib
import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

folder, what = Path(sys.argv[1]), sys.argv[2]
shape = (300, 1024)
if what == "write":
    m = np.memmap(folder / "map.bin", dtype="int32", mode="w+", shape=shape)
    m[:] = np.arange(m.size, dtype="int32").reshape(shape)
    m.flush()
    del m
    np.save(folder / "array.npy", np.linspace(0, 1, 100_000))
    np.savez_compressed(folder / "arrays.npz", a=np.arange(10), b=np.ones((3, 3)))
    a = np.lib.format.open_memmap(folder / "open.npy", mode="w+", dtype="float64", shape=(1000, 50))
    a[::2] = 1
    a.flush()
    del a
    joblib.dump({"w": np.arange(200_000, dtype="float32")}, folder / "plain.joblib")
    joblib.dump({"w": np.arange(200_000, dtype="float32")}, folder / "small.joblib", compress=3)
    with open(folder / "object.pkl", "wb") as f:
        pickle.dump({"a": list(range(1000))}, f, protocol=5)
    save_file({f"t{i}": np.full((64, i + 1), i, dtype="float16") for i in range(20)}, folder / "tensors.safetensors", metadata={"k": "v"})
    joblib.Memory(folder / "memory", verbose=0).cache(len)([1, 2, 3])
else:
    m = np.memmap(folder / "map.bin", dtype="int32", mode="r+", shape=shape)
    assert int(m[299, 1023]) == 300 * 1024 - 1
    m[7] = -7
    m[299, 1023] = 5
    m.flush()
    a = np.load(folder / "open.npy", mmap_mode="r+")
    a[1::2] += 2
    a.flush()
    c = np.load(folder / "array.npy", mmap_mode="c")
    c[0] = 99  # private: never reaches the file
    save_file({**load_file(folder / "tensors.safetensors"), "more": np.arange(5)}, folder / "tensors.safetensors")

m = np.memmap(folder / "map.bin", dtype="int32", mode="r", shape=shape)
with safe_open(folder / "tensors.safetensors", "np") as f:
    names = sorted(f.keys())
    assert f.get_tensor("t19").shape == (64, 20) and (f.get_tensor("t3") == 3).all()
with open(folder / "object.pkl", "rb") as f:
    pickled = pickle.load(f)
got = {
    "map": int(m.sum(dtype="int64")),
    "open": float(np.load(folder / "open.npy").sum()),
    "first": float(np.load(folder / "array.npy")[0]),
    "npz": float(sum(v.sum() for v in np.load(folder / "arrays.npz").values())),
    "joblib": float(joblib.load(folder / "plain.joblib", mmap_mode="r")["w"].sum()) + float(joblib.load(folder / "small.joblib")["w"].sum()),
    "pickle": len(pickled["a"]),
    "names": names,
}
print(json.dumps(got))
