"""How a model is trained: how long, with what optimiser, and what is kept on disk."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from latentry.errors import InputError

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LARGEST_BATCH = 1 << 20
_COUNTS = {"": 1, "k": 1_000, "M": 1_000_000, "G": 1_000_000_000}


def parse_seconds(text: str) -> float:
    """Seconds in a duration such as `40s`, `10m`, `2h` or `1h30m`."""
    if not re.fullmatch(r"(\d+(\.\d+)?[smhd])+", text):
        raise InputError(f"budget (={text!r}) must be a duration such as 40s, 10m, 2h or 1h30m")
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in re.findall(r"(\d+(?:\.\d+)?)([smhd])", text))
    if seconds <= 0:
        raise InputError(f"budget (={text!r}) must be longer than 0s")
    return seconds


def parse_count(text: str, name: str = "images") -> int:
    """The number of images in a count such as `2000000`, `500k` or `2M`."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kMG]?)", text)
    if match is None or (count := round(float(match[1]) * _COUNTS[match[2]])) < 1:
        raise InputError(f"{name} (={text!r}) must be a count above 0 such as 60000, 500k or 2M")
    return count


@dataclass(frozen=True)
class TrainingSettings:
    """The loop: at most one of budget, images and epochs says when it ends."""

    budget: str | None = None
    """time to train for, e.g. 40s, 10m, 2h, fitting of samplers included; default 1m on built-in data, else 10m."""
    images: str | None = None
    """pictures to train on, counted with repetition, e.g. 60000, 500k, 2M."""
    epochs: float | None = None
    """passes through the training pictures."""
    batch: int = 32
    """pictures in one step, over all devices together."""
    micro_batch: int | None = None
    """pictures in one pass, where memory is too small for a device's share of the batch; passes add up to a step."""
    seed: int = 0
    """every random choice derives from it."""
    device: str = "auto"
    """auto (cuda, then mps, then cpu), cpu, cuda, cuda:1, mps."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """arithmetic of the networks; losses and optimiser stay in float32."""
    compile: Literal["auto", "on", "off"] = "auto"
    """steps as compiled kernels: auto where that saves more time than it costs (on a GPU, as CUDA graphs), on, off."""
    optimiser: Literal["adam", "rmsprop", "sgd"] = "adam"
    """how weights follow their gradients; rmsprop is the first WGAN's, sgd has no memory."""
    lr: float = 2e-3
    """learning rate after warm-up."""
    adam_beta1: float = 0.9
    """decay of Adam's mean of gradients."""
    adam_beta2: float = 0.999
    """decay of Adam's mean of squared gradients (rmsprop's too)."""
    adam_beta2_end: float | None = None
    """what that decay becomes by the end of the run, along a cosine; None keeps it."""
    weight_decay: float = 0.0
    """decoupled weight decay (AdamW), per step and unit of learning rate."""
    schedule: Literal["constant", "cosine", "linear", "step"] = "cosine"
    """learning rate over the run: constant, down along a cosine or a line, or times step-factor at each step-at."""
    lr_end: float = 0.0
    """schedule=cosine or linear: share of the learning rate that is left at the end."""
    step_at: tuple[float, ...] = (0.5, 0.75)
    """schedule=step: shares of the run at which the learning rate drops."""
    step_factor: float = 0.1
    """schedule=step: what the learning rate is multiplied by at each drop."""
    warmup: float = 0.01
    """share of the run over which the learning rate rises linearly from 0."""
    clip: float | None = None
    """largest norm of the gradient over all weights; None leaves gradients as they are."""
    ema: str | None = "20k"
    """half-life, in images, of the average of weights that is sampled and kept; None samples the raw weights."""
    ticks: int = 20
    """how often in a run grids are drawn, held-out pictures scored and a log line written."""
    checkpoints: int = 5
    """how often in a run, at a tick, a checkpoint is written; one more at least every 10 minutes, and at the end."""
    keep: int = 2
    """checkpoints kept besides the one with the best held-out score."""
    track: tuple[Literal["tensorboard", "wandb", "mlflow"], ...] = ()
    """other places to log to: pip install 'latentry[track]'."""

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        given = [name for name in ("budget", "images", "epochs") if getattr(self, name) is not None]
        if len(given) > 1:
            raise InputError(f"{' and '.join(given)} were given; say how long to train with one of them")
        if self.budget is not None:
            parse_seconds(self.budget)
        if self.images is not None:
            parse_count(self.images)
        if self.epochs is not None and not (0 < self.epochs < math.inf):
            raise InputError(f"epochs (={self.epochs}) must be above 0")
        if self.ema is not None:
            parse_count(self.ema, "ema")
        for name in ("batch", "ticks", "checkpoints", "keep"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} (={getattr(self, name)}) must be at least 1")
        if self.micro_batch is not None and self.micro_batch < 1:
            raise InputError(f"micro-batch (={self.micro_batch}) must be at least 1, or None for the whole batch")
        if self.batch > _LARGEST_BATCH:
            raise InputError(f"batch (={self.batch}) must be at most {_LARGEST_BATCH}")
        if not 0 <= self.seed < 2**63:
            raise InputError(f"seed (={self.seed}) must be from 0 to 2**63 - 1")
        if not 0 < self.lr < math.inf:
            raise InputError(f"lr (={self.lr}) must be above 0")
        for name in ("adam_beta1", "adam_beta2", "adam_beta2_end", "warmup"):
            if (value := getattr(self, name)) is not None and not 0 <= value < 1:
                raise InputError(f"{name.replace('_', '-')} (={value}) must be at least 0 and below 1")
        if not 0 <= self.lr_end <= 1:
            raise InputError(f"lr-end (={self.lr_end}) is a share of the learning rate, from 0 to 1")
        if not self.weight_decay >= 0:
            raise InputError(f"weight-decay (={self.weight_decay}) must be 0 or more")
        if not self.step_factor > 0:
            raise InputError(f"step-factor (={self.step_factor}) must be above 0")
        if self.clip is not None and not self.clip > 0:
            raise InputError(f"clip (={self.clip}) must be above 0, or None")
        if any(not 0 < at < 1 for at in self.step_at):
            raise InputError(f"step-at (={self.step_at}) must hold shares of the run between 0 and 1")
