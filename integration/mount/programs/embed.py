"""embed.py FOLDER [auto|sentence]…: embeddings of a few sentences, as hex, so that equal means bit for bit."""

import json
import sys

import torch
from transformers import AutoModel, AutoTokenizer

folder, kinds = sys.argv[1], sys.argv[2:] or ["auto", "sentence"]
TEXTS = ["The Hub as a file system.", "A model is a folder."]
# One thread: sums are then taken in one order only.
torch.set_num_threads(1)
out = {}
if "auto" in kinds:
    tokens = AutoTokenizer.from_pretrained(folder)(TEXTS, padding=True, return_tensors="pt")
    with torch.no_grad():
        hidden = AutoModel.from_pretrained(folder).eval()(**tokens).last_hidden_state
    mask = tokens["attention_mask"].unsqueeze(-1)
    out["auto"] = ((hidden * mask).sum(1) / mask.sum(1)).numpy().tobytes().hex()
if "sentence" in kinds:
    from sentence_transformers import SentenceTransformer

    out["sentence"] = SentenceTransformer(folder, device="cpu").encode(TEXTS).tobytes().hex()
print(json.dumps(out))
