"""torch_save.py FOLDER: checkpoints as training loops write them, read back in each way."""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

folder = Path(sys.argv[1])
torch.manual_seed(1)
model = torch.nn.Sequential(torch.nn.Linear(64, 256), torch.nn.Linear(256, 8))
optimizer = torch.optim.Adam(model.parameters())
for step in range(3):
    model(torch.ones(4, 64)).sum().backward()
    optimizer.step()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}, folder / "checkpoint.pt")
torch.save(model.state_dict(), folder / "old.bin", _use_new_zipfile_serialization=False)
save_file(model.state_dict(), folder / "model.safetensors")
want = model.state_dict()
for state in (
    torch.load(folder / "checkpoint.pt", weights_only=True)["model"],
    torch.load(folder / "checkpoint.pt", weights_only=True, mmap=True)["model"],
    torch.load(folder / "old.bin", weights_only=True),
    load_file(folder / "model.safetensors"),
):
    assert state.keys() == want.keys() and all(torch.equal(state[k], want[k]) for k in want)
# A tensor that lives in a shared map of a file.
t = torch.from_file(str(folder / "shared.bin"), shared=True, size=10_000)
t.fill_(3)
del t
assert torch.from_file(str(folder / "shared.bin"), shared=False, size=10_000).sum() == 30_000
print(json.dumps(sorted(p.name for p in folder.iterdir())))
