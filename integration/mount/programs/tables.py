"""tables.py FOLDER CACHE: pyarrow and datasets write below FOLDER and read back. CACHE is for what datasets unpacks."""

import json
import sys
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.feather as feather
import pyarrow.parquet as pq

folder, cache = Path(sys.argv[1]), sys.argv[2]
datasets.disable_progress_bars()
rows = 4000
columns = {"n": list(range(rows)), "text": [f"row {i} " * (i % 7) for i in range(rows)], "x": [i / 3 for i in range(rows)]}
table = pa.table(columns)

# In row groups, as a stream.
with pq.ParquetWriter(folder / "stream.parquet", table.schema, compression="zstd") as w:
    for i in range(0, rows, 500):
        w.write_table(table.slice(i, 500))
assert pq.read_table(folder / "stream.parquet", memory_map=True).equals(table)
assert pq.ParquetFile(folder / "stream.parquet").metadata.num_row_groups == 8
ds.write_dataset(table.append_column("part", pa.array([i % 3 for i in range(rows)])), folder / "parts", format="parquet", partitioning=["part"])
assert ds.dataset(folder / "parts", partitioning=["part"]).count_rows() == rows
feather.write_feather(table, folder / "table.arrow", compression="uncompressed")
assert feather.read_table(folder / "table.arrow", memory_map=True).equals(table)

data = datasets.Dataset.from_dict(columns)
(folder / "data").mkdir()
data.to_parquet(folder / "data" / "train.parquet")
data.to_json(folder / "data.jsonl")
data.to_csv(folder / "data.csv")
back = datasets.load_dataset("parquet", data_files=str(folder / "data" / "*.parquet"), split="train", cache_dir=cache)
assert back.to_dict() == columns
data.save_to_disk(folder / "saved", num_shards=3)
disk = datasets.load_from_disk(str(folder / "saved"))
assert disk.to_dict() == columns
# A map whose result is cached in the folder of the saved one, which is mapped meanwhile.
doubled = disk.map(lambda r: {"n": 2 * r["n"]}, cache_file_name=str(folder / "saved" / "doubled.arrow"))
assert doubled["n"][-1] == 2 * (rows - 1)
print(json.dumps(sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())))
