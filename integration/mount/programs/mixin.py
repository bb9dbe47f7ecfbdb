"""mixin.py FOLDER: a class with the real PyTorchModelHubMixin saves into FOLDER and loads from it."""

import json
import sys

import torch
from huggingface_hub import PyTorchModelHubMixin


class Net(torch.nn.Module, PyTorchModelHubMixin, license="apache-2.0", tags=["example"]):
    def __init__(self, width: int = 4, name: str = "net"):
        super().__init__()
        self.name = name
        self.layer = torch.nn.Linear(width, width)

    def forward(self, x):
        return self.layer(x)


folder = sys.argv[1]
torch.manual_seed(7)
net = Net(width=64, name="saved")
net.save_pretrained(folder)
back = Net.from_pretrained(folder)
x = torch.arange(64.0)
print(
    json.dumps(
        {
            "name": back.name,
            "width": back.layer.in_features,
            "equal": bool(torch.equal(net(x), back(x))),
            "weights": {k: v.numpy().tobytes().hex() for k, v in back.state_dict().items()},
        }
    )
)
