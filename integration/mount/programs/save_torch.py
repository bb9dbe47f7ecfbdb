"""save_torch.py SOURCE TARGET: save_pretrained of the model and its tokenizer."""

import json
import sys
from pathlib import Path

from transformers import AutoModel, AutoTokenizer

source, target = sys.argv[1], sys.argv[2]
AutoModel.from_pretrained(source).save_pretrained(target)
AutoTokenizer.from_pretrained(source).save_pretrained(target)
print(json.dumps(sorted(p.name for p in Path(target).iterdir())))
