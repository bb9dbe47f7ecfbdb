"""load.py FOLDER: what safetensors, tokenizers and transformers (without torch) see in a model's folder."""

import hashlib
import json
import sys
from pathlib import Path

from safetensors import safe_open
from safetensors.numpy import load_file
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoTokenizer

folder = Path(sys.argv[1])
TEXTS = ["The Hub as a file system.", "naïve café – 漢字 🤗"]

whole = load_file(folder / "model.safetensors")
tensors = {k: [str(v.dtype), list(v.shape), hashlib.sha256(v.tobytes()).hexdigest()] for k, v in whole.items()}
# The mapped way, one tensor at a time.
with safe_open(folder / "model.safetensors", framework="numpy") as f:
    mapped = {k: hashlib.sha256(f.get_tensor(k).tobytes()).hexdigest() for k in f.keys()}
assert {k: v[2] for k, v in tensors.items()} == mapped

config = AutoConfig.from_pretrained(folder).to_dict()
config.pop("_name_or_path", None)
print(
    json.dumps(
        {
            "tensors": tensors,
            "config": config,
            "ids": AutoTokenizer.from_pretrained(folder)(TEXTS)["input_ids"],
            "raw_ids": [e.ids for e in Tokenizer.from_file(str(folder / "tokenizer.json")).encode_batch(TEXTS)],
        },
        sort_keys=True,
        default=str,
    )
)
