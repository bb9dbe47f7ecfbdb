"""save.py SOURCE TARGET: a model's parts read from SOURCE and saved into TARGET, without torch."""

import json
import sys
from pathlib import Path

from safetensors.numpy import load_file, save_file
from transformers import AutoConfig, AutoTokenizer

source, target = Path(sys.argv[1]), Path(sys.argv[2])
target.mkdir(exist_ok=True)
save_file(load_file(source / "model.safetensors"), target / "model.safetensors", metadata={"format": "pt"})
AutoConfig.from_pretrained(source).save_pretrained(target)
AutoTokenizer.from_pretrained(source).save_pretrained(target)
print(json.dumps(sorted(p.name for p in target.iterdir())))
