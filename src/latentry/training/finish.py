"""The end of a run: the best weights, the samplers fitted to them, and the model folder."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch

from latentry.models.build import Model
from latentry.models.fit_samplers import Latents, fit_samplers
from latentry.models.folder import save_model
from latentry.settings.config import Config
from latentry.settings.models import SamplerSettings
from latentry.training.checkpoint import best_checkpoint, list_checkpoints, load_checkpoint, restore_module
from latentry.training.rng import derive_seed, rng_for
from latentry.training.run import Run
from latentry.training.stream import PictureStream

_N_LATENTS = 2_000, 20_000  # training pictures whose latents the samplers are fitted to: after a short, a long run
_BATCH = 250


@torch.no_grad()
def finish_run(
    run: Run,
    config: Config,
    model: Model,
    train: PictureStream,
    held_out: PictureStream,
    facts: dict[str, Any],
) -> None:
    """Write `model/` from the best checkpoint, with samplers fitted to the encoded data.

    Args:
        run: the run, with at least one checkpoint.
        config: its settings.
        model: built as for training; its weights are replaced.
        train: the pictures whose latents the samplers are fitted to.
        held_out: the pictures whose latents choose among the samplers; where there are none, every fifth of `train`.
        facts: what else travels with the model.
    """
    checkpoint = best_checkpoint(run.checkpoints) or list_checkpoints(run.checkpoints)[-1]
    tensors, state = load_checkpoint(checkpoint)
    restore_module("ema", model, tensors)
    model.eval()
    seed = config.training.seed
    if model.encode_sample is not None and "sampler" in config.groups and config.sampler.sampler != "prior":
        n = n_latents(state["images"])
        latents = _latents(model, train, n, rng_for(seed, "latents", "train", device=train.device))
        if len(held_out):
            unseen = _latents(model, held_out, n, rng_for(seed, "latents", "held-out", device=train.device))
        else:
            latents, unseen = _every_fifth(latents)
        if len(latents.z) > 1:
            with torch.enable_grad():
                fit_samplers(
                    model.samplers,
                    latents,
                    unseen,
                    _shortened(config.sampler, state["images"]),
                    condition=model.condition,
                    own_log_prob=model.log_prior,
                    seed=derive_seed(seed, "samplers"),
                )
    save_model(run.model, model, config, {**facts, "images": state["images"], "held_out_loss": state["score"]})


def n_latents(images: int) -> int:
    """How many pictures' latents samplers are fitted to: encoding must not take longer than the training before."""
    return min(max(images // 4, _N_LATENTS[0]), _N_LATENTS[1])


def _shortened(settings: SamplerSettings, images: int) -> SamplerSettings:
    """Fewer second-stage steps after a short run, whose latents are not worth more: one for every 40 images seen."""
    steps = min(settings.second_stage_steps, max(1, images // 40)) if settings.second_stage_steps else 0
    return dataclasses.replace(settings, second_stage_steps=steps)


def _latents(model: Model, stream: PictureStream, n: int, rng: torch.Generator) -> Latents:
    """One latent a picture, drawn where encoding is random, of at most `n` pictures."""
    n = min(len(stream), n)
    encode = model.encode_sample
    assert encode is not None
    batches = [stream.take(rows) for rows in np.array_split(np.arange(n), -(-n // _BATCH))]
    z = torch.cat([encode(batch.x, rng, batch.condition) for batch in batches])
    told = [batch.condition for batch in batches if batch.condition is not None]
    return Latents(z, torch.cat(told) if told else None)


def _every_fifth(latents: Latents) -> tuple[Latents, Latents]:
    """Most latents, and those kept to choose by; all of them for both where there are few."""
    z, told = latents
    if len(z) < 10:
        return latents, latents
    kept = torch.arange(len(z)) % 5 > 0
    some, others = (Latents(z[part], None if told is None else told[part]) for part in (kept, ~kept))
    return some, others
