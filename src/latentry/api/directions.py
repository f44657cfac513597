"""Directions of a trained model's latent space that no label names: found, ranked, and kept with the model.

Letters: n latents, D numbers in one, F activations, k directions.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from latentry.api.opening import load
from latentry.errors import InputError, unknown_name
from latentry.latent import Directions, activation_directions, principal_directions, weight_directions
from latentry.models.build import Model
from latentry.models.trained import TrainedModel
from latentry.models.vectors import Vector, Vectors

ALL = "all"  # stands for every vector on the command line, so none is called that
WAYS = ("principal", "activations", "weights")
UNIT = "standard deviation of the model's latents along the vector"


def find_directions(
    model: TrainedModel | Path | str,
    how: str | None = None,
    *,
    k: int = 8,
    n: int = 2000,
    names: Mapping[int, str] | None = None,
) -> list[Vector]:
    """Find directions, keep them with the model as `HOW-1`, `HOW-2` and so on, and give them back, strongest first.

    Deterministic: the same model gives the same directions.

    Args:
        model: a trained model, or the path of its run.
        how: "principal" (components of latents), "activations" (GANSpace: components of the generator's first layer,
            carried back to the latents) or "weights" (SeFa: what the first layer answers to most). None for principal
            with an encoder and activations without: a GAN's own latents vary alike in every direction.
        k: how many, at most.
        n: latents to look at, with seeds 0 to n - 1.
        names: other names to keep some under, by rank from 1.

    Raises:
        InputError: an unknown way, a rank that is not there, or a first layer that is not linear.
    """
    model = model if isinstance(model, TrainedModel) else load(model)
    vectors = look_for_directions(model, how, k=k, n=n, names=names)
    fresh = {vector.key for vector in vectors}
    model.keep_vectors(Vectors([*(old for old in model.vectors if old.key not in fresh), *vectors]))
    return vectors


def look_for_directions(
    model: TrainedModel, how: str | None = None, *, k: int = 8, n: int = 2000, names: Mapping[int, str] | None = None
) -> list[Vector]:
    """What `find_directions` finds, with nothing kept; its arguments and errors."""
    how = how or ("activations" if model.network.encode is None else "principal")
    if how not in WAYS:
        raise unknown_name("way to find directions", how, WAYS)
    if k < 1 or n < 2:
        raise InputError(f"k (={k}) must be at least 1 direction, from n (={n}) at least 2 latents")
    told = model.conditions(range(n))
    z = model.latents(range(n), conditions=told)
    flat = z.reshape(n, -1)
    match how:
        case "principal":
            found = principal_directions(flat, k)
        case "activations":
            found = activation_directions(flat, _first_layer(model, z, told), k)
        case _:
            found = weight_directions(_first_weight(model, told), k)
    return _named(found, flat, z.shape[1:], how, dict(names or {}))


def _named(found: Directions, z: np.ndarray, shape: tuple[int, ...], how: str, names: dict[int, str]) -> list[Vector]:
    """The directions as vectors whose dose 1 is a standard deviation of the latents along them."""
    if strangers := sorted(names.keys() - set(range(1, len(found.vectors) + 1))):
        raise InputError(f"there is no direction {strangers[0]}; the {len(found.vectors)} found are numbered from 1")
    called = [names.get(rank, f"{how}-{rank}") for rank in range(1, len(found.vectors) + 1)]
    for name in names.values():
        if called.count(name) > 1 or name == ALL:
            raise InputError(f"two directions would be called {name!r}, or it stands for all; name each by itself")
    vectors = []
    for rank, (name, direction, share) in enumerate(zip(called, found.vectors, found.share, strict=True), start=1):
        step = direction * (z.astype(np.float64) @ direction).std()
        data = {"rank": rank, "share": float(share), "n": len(z)}
        vectors.append(Vector(name, how, step.reshape(shape).astype(np.float32), UNIT, data=data))
    return vectors


def _first_weight(model: TrainedModel, told: np.ndarray | None) -> np.ndarray:
    """The weight [F, D] of the layer that reads the latent, by what it answers to each coordinate alone.

    Raises:
        InputError: the layer is not linear.
    """
    shape = model.network.latent.shape
    size = int(np.prod(shape))
    test = np.random.default_rng(0).standard_normal(size)
    z = np.concatenate([np.zeros((1, size)), np.eye(size), test[None]]).reshape(-1, *shape).astype(np.float32)
    first = None if told is None else np.repeat(told[:1], len(z), axis=0)
    answers = _first_layer(model, z, first).astype(np.float64)
    weight = (answers[1:-1] - answers[0]).T
    expected, scale = answers[0] + weight @ test, np.abs(answers[-1]).max()
    if np.abs(expected - answers[-1]).max() > 1e-3 * max(scale, 1e-6):
        raise InputError(
            "the layer that reads the latent is not linear, so its weights name no direction; use --how principal"
        )
    return weight


@torch.inference_mode()
def _first_layer(model: TrainedModel, z: np.ndarray, told: np.ndarray | None) -> np.ndarray:
    """What the first layer that reads the latent makes of each, [n, F]."""
    network = _layers_apart(model.network)
    latents = torch.from_numpy(z).to(model.device)
    conditions = None if told is None else torch.from_numpy(told).to(model.device)
    with _outputs(network.decoder) as outputs:
        network.decode(latents[:1], None if conditions is None else conditions[:1])
        before = dict(outputs)
        network.decode(latents[:1] + 1, None if conditions is None else conditions[:1])
        layer = next((name for name in before if not torch.equal(before[name], outputs[name])), None)
        if layer is None:
            raise InputError("no layer of the generator answers to the latent")
        parts = []
        for start in range(0, len(z), 250):
            network.decode(
                latents[start : start + 250], None if conditions is None else conditions[start : start + 250]
            )
            parts.append(outputs[layer].flatten(1).cpu())
    return torch.cat(parts).numpy()


def _layers_apart(network: Model) -> Model:
    """Other layers with the same weights: another thread that decodes meanwhile calls none of our hooks."""
    weights = itertools.chain(network.parameters(), network.buffers())
    return copy.deepcopy(network, {id(weight): weight for weight in weights})


@contextmanager
def _outputs(network: nn.Module) -> Iterator[dict[str, Tensor]]:
    """What each layer with weights of its own makes in the latest call, by name in the order of the calls."""
    seen: dict[str, Tensor] = {}

    def hook(name: str):  # type: ignore[no-untyped-def]
        def keep(_layer: nn.Module, _inputs: object, output: object) -> None:
            if isinstance(output, Tensor):
                seen[name] = output.clone()  # an activation behind it may write over it

        return keep

    handles = [
        layer.register_forward_hook(hook(name))
        for name, layer in network.named_modules()
        if next(layer.parameters(recurse=False), None) is not None
    ]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()
