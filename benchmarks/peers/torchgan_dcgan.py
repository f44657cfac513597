"""torchgan 0.1.0's DCGAN with its Trainer on 32 px RGB, 64 step channels, batch 64; prints images a second.

The pictures are decoded to tensors beforehand and come from a `DataLoader`. torchgan imports torchvision for the grid
that it draws between epochs and for a metric that is not used here; torchvision does not import beside the CPU build of
torch, so a module of that name with only what is called stands in for it, and draws nothing. The clock runs within the
epochs, from the first batch asked for to the last one trained on: grids and checkpoints are not counted.

usage: PEER_PYTHON torchgan_dcgan.py N_IMAGES EPOCHS [CIFAR10_TRAIN_ZIP]

N_IMAGES of the zip's pictures, of all classes alike; noise where no zip is given. Install:
    python3.11 -m venv t && t/bin/pip install torch==2.13.0 numpy pillow && t/bin/pip install --no-deps torchgan==0.1.0
"""

import importlib.machinery
import io
import json
import statistics
import sys
import tempfile
import time
import types
import zipfile

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, TensorDataset


def stand_in_for_torchvision() -> None:
    """A module with the two functions that torchgan calls between epochs."""
    module = types.ModuleType("torchvision")
    module.__spec__ = importlib.machinery.ModuleSpec("torchvision", None)
    utils = types.SimpleNamespace(make_grid=lambda x, **_: x, save_image=lambda x, path: None)
    vars(module)["utils"] = utils
    sys.modules["torchvision"] = module


stand_in_for_torchvision()

from torchgan.losses import MinimaxDiscriminatorLoss, MinimaxGeneratorLoss  # noqa: E402
from torchgan.models import DCGANDiscriminator, DCGANGenerator  # noqa: E402
from torchgan.trainer import Trainer  # noqa: E402

BATCH, CHANNELS = 64, 64


class TimedLoader:
    """A loader that notes how long each pass took, the work done between the batches included."""

    def __init__(self, loader: DataLoader) -> None:
        self.loader, self.batch_size = loader, loader.batch_size
        self.seconds: list[float] = []

    def __iter__(self):
        """One pass."""
        start = time.perf_counter()
        yield from self.loader
        self.seconds.append(time.perf_counter() - start)


def read_pictures(n: int, path: str | None) -> torch.Tensor:
    """Pictures in [-1, 1], [n, 3, 32, 32]."""
    if path is None:
        pixels = np.random.default_rng(0).integers(0, 256, (n, 32, 32, 3), dtype=np.uint8)
    else:
        with zipfile.ZipFile(path) as archive:
            names = sorted(name for name in archive.namelist() if name.endswith((".jpg", ".png")))
            chosen = names[:: len(names) // n][:n]
            pixels = np.stack([np.array(Image.open(io.BytesIO(archive.read(name))).convert("RGB")) for name in chosen])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous().float().div(127.5).sub(1)


def main() -> None:
    """Train and report the median epoch, the first left out."""
    n, epochs = int(sys.argv[1]), int(sys.argv[2])
    x = read_pictures(n, sys.argv[3] if len(sys.argv) > 3 else None)
    loader = TimedLoader(DataLoader(TensorDataset(x, torch.zeros(n)), BATCH, shuffle=True, drop_last=True))
    adam = {"name": torch.optim.Adam, "args": {"lr": 2e-4, "betas": (0.5, 0.999)}}
    models = {
        "generator": {
            "name": DCGANGenerator,
            "args": {"encoding_dims": 100, "out_size": 32, "out_channels": 3, "step_channels": CHANNELS},
            "optimizer": adam,
        },
        "discriminator": {
            "name": DCGANDiscriminator,
            "args": {"in_size": 32, "in_channels": 3, "step_channels": CHANNELS},
            "optimizer": adam,
        },
    }
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            models,
            [MinimaxGeneratorLoss(), MinimaxDiscriminatorLoss()],
            device=torch.device("cpu"),
            epochs=epochs,
            checkpoints=f"{folder}/model/gan",
            recon=f"{folder}/images",
        )
        trainer(loader)
    print(json.dumps({"images_per_sec": n // BATCH * BATCH / statistics.median(loader.seconds[1:])}))


main()
