"""The probe: a small network trained on a set's own labels; it judges whether pictures show what was asked for.

Letters: N pictures, K classes, attributes or numbers, F features.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from latentry._version import __version__
from latentry.data import ImageSet, cache_folder, condition_vectors, to_float
from latentry.data.duplicates import pixel_digests
from latentry.errors import InputError
from latentry.files import json_bytes, pack_tensors, read_json, write_folder
from latentry.settings.specs import ConditionKind, ConditionSpec

_BATCH, _CHUNK = 64, 250
_LR = 3e-3
_FEATURES = 128
_SHIFT_PX = 2  # pictures are shifted by up to so many pixels while training, a sixteenth of the side at most
_HELD_OUT = 0.1
_BLUR = 1 / 16  # standard deviation of the strongest blur, in shorter sides: 2 pixels of 32
_NOISE = 0.1  # of the strongest noise, for pictures in [-1, 1]


@dataclass(frozen=True)
class ProbeFacts:
    """What a probe is and how well it does on held-out real pictures.

    Attributes:
        kind: what it tells: the class, attributes, or numbers.
        names: of the K classes, attributes or numbers.
        shape: of a picture, (C, H, W).
        accuracy: of each class (share found), attribute (share right) or number (R^2), on held-out pictures.
        overall: share of held-out pictures whose class is right, or the mean of `accuracy`.
        n_train, n_held_out: pictures.
        epochs: passes over the training pictures.
        seed: of first weights, order and split.
        degraded: half of what it was trained on was blurred and noisy, as what models make often is.
    """

    kind: ConditionKind
    names: tuple[str, ...]
    shape: tuple[int, int, int]
    accuracy: tuple[float, ...]
    overall: float
    n_train: int
    n_held_out: int
    epochs: int
    seed: int
    degraded: bool = False


class Probe:
    """A trained probe.

    Args:
        network: pictures in [-1, 1], [N, C, H, W], to logits or numbers [N, K].
        facts: what it is.
    """

    def __init__(self, network: nn.Module, facts: ProbeFacts) -> None:
        self.network, self.facts = network.eval(), facts

    def predict(self, images: np.ndarray) -> np.ndarray:
        """What it sees in pictures, uint8 [N, C, H, W]: probabilities of classes or attributes, or numbers, [N, K]."""
        outputs = self._run(images, self.network)
        match self.facts.kind:
            case "class":
                return torch.softmax(outputs, dim=1).numpy()
            case "attributes":
                return torch.sigmoid(outputs).numpy()
            case "numbers":
                return outputs.numpy()

    def features(self, images: np.ndarray) -> np.ndarray:
        """What its last layer reads, [N, F], of pictures, uint8 [N, C, H, W]."""
        assert isinstance(self.network, nn.Sequential)
        return self._run(images, self.network[:-1]).numpy()

    @torch.inference_mode()
    def _run(self, images: np.ndarray, network: nn.Module) -> Tensor:
        if images.shape[1:] != self.facts.shape:
            raise InputError(f"the probe judges pictures {self.facts.shape}, not {images.shape[1:]}")
        parts = [_pictures(images[row : row + _CHUNK]) for row in range(0, len(images), _CHUNK)]
        return torch.cat([network(part) for part in parts]) if parts else torch.empty(0, len(self.facts.names))

    def passport(self) -> dict[str, Any]:
        """What must be said beside any number that the probe gives."""
        return {"extractor": "probe", "latentry": __version__, **asdict(self.facts)}

    def save(self, folder: Path) -> None:
        """Write it to a folder."""
        write_folder(
            folder,
            {
                "probe.safetensors": pack_tensors(self.network.state_dict()),
                "probe.json": json_bytes(asdict(self.facts)),
            },
        )


def load_probe(folder: Path) -> Probe:
    """The probe that `Probe.save` wrote."""
    record = read_json(folder / "probe.json")
    tuples = {name: tuple(record[name]) for name in ("names", "shape", "accuracy")}
    facts = ProbeFacts(**{**record, **tuples})
    network = _build(facts.shape, len(facts.names))
    network.load_state_dict(safetensors.torch.load((folder / "probe.safetensors").read_bytes()))
    return Probe(network, facts)


def train_probe(
    images: np.ndarray,
    targets: np.ndarray,
    kind: ConditionKind,
    names: tuple[str, ...],
    *,
    epochs: int,
    seed: int,
    degrade: bool = False,
) -> Probe:
    """Train a probe by AdamW on one rising and falling learning rate, with pictures shifted by a pixel or two.

    Args:
        images: uint8 [N, C, H, W].
        targets: what the pictures show, as condition vectors, float32 [N, K]: one-hot, +1 and -1, or numbers.
        kind: what the targets are.
        names: of the K.
        epochs: passes over the training pictures.
        seed: every random choice derives from it.
        degrade: blur half of the pictures and add noise to them while training. A probe that has only seen sharp
            pictures reads the blur of a reconstruction as a label; one that judges reconstructions must not.
    """
    rng = torch.Generator().manual_seed(seed)
    train, held_out = _split(images, seed)
    network = _build(images.shape[1:], len(names))
    _initialise(network, rng)
    steps = epochs * math.ceil(len(train) / _BATCH)
    optimiser = torch.optim.AdamW(network.parameters(), lr=_LR, weight_decay=0.02, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _LR, total_steps=steps)
    network.train()
    for _ in range(epochs):
        order = train[torch.randperm(len(train), generator=rng).numpy()]
        for start in range(0, len(order), _BATCH):
            rows = np.sort(order[start : start + _BATCH])
            if len(rows) == 1:
                continue  # batch statistics need two
            x = _shift(_pictures(images[rows]), rng)
            x = _degrade(x, rng) if degrade else x
            loss = _loss(network(x), torch.from_numpy(targets[rows]), kind)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    untested = ProbeFacts(kind, names, images.shape[1:], (), 0.0, len(train), len(held_out), epochs, seed, degrade)
    judged = held_out if len(held_out) else train
    accuracy, overall = agreement(Probe(network, untested).predict(images[judged]), targets[judged], kind)
    facts = {**asdict(untested), "accuracy": tuple(accuracy.tolist()), "overall": overall}
    return Probe(network, ProbeFacts(**facts))


def agreement(predicted: np.ndarray, asked: np.ndarray, kind: ConditionKind) -> tuple[np.ndarray, float]:
    """How far predictions [N, K] agree with condition vectors [N, K]: for each name [K], and overall.

    Classes: share of each class's pictures that are found (NaN for a class without pictures), and of all pictures.
    Attributes: share that is right. Numbers: R^2, which is below 0 where the mean would predict better.
    """
    match kind:
        case "class":
            right = predicted.argmax(axis=1) == asked.argmax(axis=1)
            members = asked > 0.5
            with np.errstate(invalid="ignore"):
                return (members * right[:, None]).sum(axis=0) / members.sum(axis=0), float(right.mean())
        case "attributes":
            share = ((predicted > 0.5) == (asked > 0)).mean(axis=0)
        case "numbers":
            share = 1 - np.square(predicted - asked).mean(axis=0) / np.maximum(asked.var(axis=0), 1e-12)
    return share, float(share.mean())


def probe_for(images: ImageSet, spec: ConditionSpec, *, n_shown: int, seed: int, degrade: bool = False) -> Probe:
    """A probe for what a model is told about a set, trained once and kept in the cache.

    Args:
        images: the real pictures with their labels.
        spec: what the model is told.
        n_shown: pictures to train on, counted with repetition; a kept probe that was shown fewer is trained anew.
        seed: every random choice derives from it.
        degrade: see `train_probe`.
    """
    epochs = max(1, round(n_shown / len(images)))
    text = json.dumps([images.fingerprint, spec.kind, spec.names, seed, degrade, __version__])
    folder = cache_folder() / "probes" / hashlib.sha256(text.encode()).hexdigest()[:32]
    with contextlib.suppress(Exception):  # none, or a damaged one, which only costs time
        kept = load_probe(folder)
        if kept.facts.epochs >= epochs and kept.facts.shape == images.spec.shape:
            return kept
    targets = condition_vectors(images.labels, spec)
    pixels = np.asarray(images.images)
    probe = train_probe(pixels, targets, spec.kind, spec.names, epochs=epochs, seed=seed, degrade=degrade)
    with contextlib.suppress(InputError):  # a cache that cannot be written only costs time
        probe.save(folder)
    return probe


def _build(shape: tuple[int, ...], outputs: int) -> nn.Sequential:
    """Convolutions of 32, 64 and 128 channels that halve twice, and a mean over what is left; or two linear layers."""
    channels, height, width = shape
    if min(height, width) < 8:
        hidden = nn.Linear(channels * height * width, _FEATURES)
        return nn.Sequential(nn.Flatten(), hidden, nn.ReLU(), nn.Linear(_FEATURES, outputs))
    layers: list[nn.Module] = []
    inputs = channels
    for width_, stride in ((32, 1), (64, 2), (_FEATURES, 2), (_FEATURES, 1 if min(height, width) < 32 else 2)):
        layers += [nn.Conv2d(inputs, width_, 3, stride, 1, bias=False), nn.BatchNorm2d(width_), nn.ReLU()]
        inputs = width_
    pooled: list[nn.Module] = [nn.AdaptiveAvgPool2d(2), nn.Flatten()]
    return nn.Sequential(*layers, *pooled, nn.Linear(4 * _FEATURES, outputs))


@torch.no_grad()
def _initialise(network: nn.Module, rng: torch.Generator) -> None:
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=rng)
            if layer.bias is not None:
                layer.bias.zero_()


def _pictures(images: np.ndarray) -> Tensor:
    x = to_float(torch.from_numpy(np.array(images)))  # a copy: a set's pictures are a read-only map of a file
    return x.contiguous(memory_format=torch.channels_last)


def _shift(x: Tensor, rng: torch.Generator) -> Tensor:
    """The batch shifted by some pixels, the edge repeated; one shift a batch is enough of them over an epoch."""
    most = min(_SHIFT_PX, min(x.shape[2:]) // 16)
    if most == 0:
        return x
    down, right = torch.randint(0, 2 * most + 1, (2,), generator=rng).tolist()
    padded = F.pad(x, (most, most, most, most), mode="replicate")
    return padded[:, :, down : down + x.shape[2], right : right + x.shape[3]]


def _degrade(x: Tensor, rng: torch.Generator) -> Tensor:
    """The batch with every other picture, on average, blurred and noisy; one strength a batch."""
    strength, noise = torch.rand(2, generator=rng).tolist()
    sigma = max(0.2, strength * _BLUR * min(x.shape[2:]))
    reach = min(math.ceil(2.5 * sigma), min(x.shape[2:]) - 1)
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma).square())
    kernel = (kernel / kernel.sum()).expand(x.shape[1], 1, 1, -1)
    padded = F.pad(x, (reach, reach, reach, reach), mode="replicate")
    blurred = F.conv2d(F.conv2d(padded, kernel, groups=x.shape[1]), kernel.mT, groups=x.shape[1])
    blurred = blurred + noise * _NOISE * torch.randn(x.shape, generator=rng)
    chosen = torch.rand(len(x), 1, 1, 1, generator=rng) < 0.5
    return torch.where(chosen, blurred.clamp(-1, 1), x).contiguous(memory_format=torch.channels_last)


def _loss(outputs: Tensor, targets: Tensor, kind: ConditionKind) -> Tensor:
    match kind:
        case "class":
            return F.cross_entropy(outputs, targets)
        case "attributes":
            return F.softplus(-outputs * targets).mean()
        case "numbers":
            return F.mse_loss(outputs, targets)


def _split(images: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures to train on and a tenth to test on; exact copies of one picture fall on the same side."""
    _, picture = np.unique(pixel_digests(images).view("V16").reshape(-1), return_inverse=True)
    held = np.random.default_rng(seed).random(int(picture.max()) + 1)[picture] < _HELD_OUT
    return np.flatnonzero(~held), np.flatnonzero(held)
