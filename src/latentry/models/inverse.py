"""An encoder for a generator that was trained without one, and what is kept of inverting with a model: `inversion/`.

    Donahue et al. 2016, "Adversarial feature learning" (arXiv:1605.09782), section 4.1: the latent regressor, trained
    on the generator's own pictures, whose latents are known.

Letters: B batch, C H W picture, D latent, K numbers in a condition.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from latentry._version import __version__
from latentry.data.convert import to_float, to_stored
from latentry.errors import InputError
from latentry.files import json_bytes, pack_tensors, read_json, write_folder
from latentry.models.build import Model
from latentry.models.conditions import tell
from latentry.models.optimise import along_cosine
from latentry.nn import build_encoder, initialise
from latentry.settings.config import Config
from latentry.settings.network import NetworkSettings

FOLDER, WEIGHTS, RECORD = "inversion", "encoder.safetensors", "inversion.json"
_BATCH, _LR = 64, 1e-3


@dataclass(frozen=True)
class Inverse:
    """What `latentry invert RUN --fit` leaves with a model.

    Attributes:
        encoder: pictures in [-1, 1], [B, C, H, W], and conditions [B, K] if any, to [B, D]; None where the model has
            its own.
        facts: of the encoder, and what the model's own held-out pictures measured.
    """

    encoder: nn.Module | None
    facts: dict[str, Any]

    def encode(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Latents [B, D] of pictures in [-1, 1], [B, C, H, W]."""
        assert self.encoder is not None
        return tell(self.encoder, x, condition).float()


def fit_encoder(
    model: Model, config: Config, *, n_images: int, rng: torch.Generator, say: Callable[[str], None]
) -> tuple[nn.Module, dict[str, Any]]:
    """Train an encoder on generated pictures to predict their latents, by the squared error.

    Args:
        model: the generator.
        config: what it was trained with; the encoder is halved as often as the generator doubles.
        n_images: how many pictures to generate, each seen once.
        rng: source of randomness, on the model's device.
        say: told how it goes.

    Returns:
        The encoder, and the share of the latents' variance that it explains on pictures not seen before.
    """
    assert model.own_prior is not None
    encoder = _build(model, config)
    initialise(encoder, torch.Generator().manual_seed(rng.initial_seed()))
    encoder.to(rng.device).train()
    optimiser = torch.optim.AdamW(encoder.parameters(), lr=_LR, betas=(0.9, 0.99), weight_decay=0.0, fused=True)
    steps = max(1, n_images // _BATCH)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = along_cosine(_LR, 0.0, step / steps)
        z, x, told = _generated(model, rng)
        loss = F.mse_loss(tell(encoder, x, told), z)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % 200 == 0:
            say(f"encoder: {step * _BATCH:,} of {n_images:,} generated pictures, squared error {loss.item():.3f}")
    encoder.eval().requires_grad_(False)
    with torch.no_grad():
        unseen = [_generated(model, rng) for _ in range(8)]
        left = [(tell(encoder, x, told) - z).square().mean().item() for z, x, told in unseen]
    return encoder, {"n_images": steps * _BATCH, "explained": 1 - sum(left) / len(left)}


def write_inverse(folder: Path, inverse: Inverse, beside: dict[str, bytes]) -> None:
    """Write it into a model folder, in place of what is there.

    Args:
        folder: the model's.
        inverse: what was fitted.
        beside: further files by name.

    Raises:
        InputError: it cannot be written.
    """
    files, digest = dict(beside), None
    if inverse.encoder is not None:
        files[WEIGHTS] = pack_tensors(inverse.encoder.state_dict())
        digest = hashlib.sha256(files[WEIGHTS]).hexdigest()
    record = {"latentry": __version__, "sha256": digest, "facts": inverse.facts}
    write_folder(folder / FOLDER, {**files, RECORD: json_bytes(record)})


def read_inverse(folder: Path, model: Model, config: Config) -> Inverse | None:
    """What `write_inverse` left in a model folder; None where it left nothing.

    Raises:
        InputError: it is damaged.
    """
    home = folder / FOLDER
    if not (home / RECORD).is_file():
        return None
    record = read_json(home / RECORD)
    if record["sha256"] is None:
        return Inverse(None, record["facts"])
    try:
        content = (home / WEIGHTS).read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {home / WEIGHTS}: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != record["sha256"]:
        raise InputError(f"{home / WEIGHTS} is damaged: it does not match its hash; fit again: latentry invert --fit")
    encoder = _build(model, config)
    encoder.load_state_dict(safetensors.torch.load(content))
    encoder.to(next(model.parameters()).device)
    return Inverse(encoder.eval().requires_grad_(False), record["facts"])


def _build(model: Model, config: Config) -> nn.Module:
    """A small network that fits the model's pictures, without meaningful weights."""
    own = config.network
    network = dataclasses.replace(
        NetworkSettings(),
        backbone="mlp" if own.backbone == "mlp" else "conv",
        stages=own.stages,
        base=own.base,
        hidden=own.hidden,
        width_max=128,
    )
    return build_encoder(network, model.image, model.latent.shape[0], model.condition)


@torch.no_grad()
def _generated(model: Model, rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor | None]:
    """Latents [B, D], their pictures [B, C, H, W] as uint8 would hold them, and what the model was told of each."""
    assert model.own_prior is not None
    told = None if model.conditions is None else model.conditions.draw(_BATCH, rng=rng)
    z = model.own_prior(_BATCH, rng=rng, condition=told)
    x = to_float(to_stored(model.decode(z, told), model.image))
    return z, x, told
