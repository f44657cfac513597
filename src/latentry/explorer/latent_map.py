"""A flat map of a latent space, on which places can be turned back into latents.

    van der Maaten and Hinton 2008, "Visualizing data using t-SNE" (JMLR 9), through scikit-learn.

Letters: n latents, D numbers in each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from latentry.data import condition_vectors
from latentry.errors import InputError
from latentry.explorer.shown import Shown
from latentry.latent import principal_directions

N_PLACES = 500
_NEAREST = 6  # latents that are mixed at a place of a t-SNE map
_MOST_GROUPS = 20


class LatentMap(Protocol):
    """Places of latents, [n, 2], and the ways there and back."""

    kind: str
    places: np.ndarray
    shown: float | None

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """What `where` and `at` compute with besides the places."""
        ...

    def where(self, z: np.ndarray) -> np.ndarray:
        """The place of a latent [D], as [2]."""

    def at(self, place: np.ndarray, z: np.ndarray) -> np.ndarray:
        """A latent [D] at a place; where many are, the one that is most like z."""


class PlaneMap:
    """The plane along which latents vary most.

    Args:
        z: latents [n, D].
    """

    kind = "plane"

    def __init__(self, z: np.ndarray) -> None:
        _refuse_flat(z)
        found = principal_directions(z, 2)
        self._mean, self._axes = z.mean(axis=0, dtype=np.float64), found.vectors
        self.places = (z - self._mean) @ self._axes.T
        self.shown: float | None = float(np.sum(found.share))

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """The plane's middle [D] and axes [2, D]."""
        return {"mean": self._mean, "axes": self._axes}

    def where(self, z: np.ndarray) -> np.ndarray:
        """The latent's shadow on the plane."""
        return np.asarray((z - self._mean) @ self._axes.T)

    def at(self, place: np.ndarray, z: np.ndarray) -> np.ndarray:
        """The latent moved along the plane, and kept in every direction that the plane does not show."""
        return np.asarray(z + (place - self.where(z)) @ self._axes)


class NeighbourMap:
    """A map on which neighbours stay neighbours (t-SNE); it knows latents at its places alone, and mixes between them.

    Args:
        z: latents [n, D].
        gaussian: whether latents come from a standard normal prior, whose mixtures are too short unless lengthened.
    """

    kind = "neighbours"
    shown: float | None = None

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """The latents at the places, [n, D]."""
        return {"latents": self._z}

    def __init__(self, z: np.ndarray, *, gaussian: bool) -> None:
        from sklearn.manifold import TSNE

        _refuse_flat(z)
        self._z, self._gaussian = z.astype(np.float64), gaussian
        perplexity = min(30.0, (len(z) - 1) / 3)
        self.places = TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(z).astype(np.float64)

    def where(self, z: np.ndarray) -> np.ndarray:
        """Between the places of the nearest latents."""
        weights, rows = _weights(self._z, z)
        return np.asarray(weights @ self.places[rows])

    def at(self, place: np.ndarray, z: np.ndarray) -> np.ndarray:
        """The latents of the nearest places mixed, the nearer the more; z is not read."""
        weights, rows = _weights(self.places, place)
        mixed = weights @ self._z[rows]
        if self._gaussian:
            mixed *= (weights @ np.linalg.norm(self._z[rows], axis=1)) / max(np.linalg.norm(mixed), 1e-12)
        return np.asarray(mixed)


def _refuse_flat(z: np.ndarray) -> None:
    if z.shape[1] < 2:
        raise InputError("a latent of one number has no flat map; its slider shows all of it")


def _weights(among: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shares of the nearest rows, by the inverse square of their distance, and which rows these are."""
    squared = np.square(among - target).sum(axis=1)
    rows = np.argsort(squared, kind="stable")[:_NEAREST]
    if squared[rows[0]] == 0:
        return np.ones(1), rows[:1]
    weights = 1 / squared[rows]
    return weights / weights.sum(), rows


@dataclass(frozen=True)
class DrawnMap:
    """A map, and the groups that its places belong to by label."""

    map: LatentMap
    groups: np.ndarray
    group_names: tuple[str, ...]


def draw_map(shown: Shown, of: Literal["samples", "data"], by: Literal["pca", "tsne"]) -> DrawnMap:
    """A map of a run's latents; deterministic.

    Args:
        shown: the run.
        of: samples with seeds from 0, or the run's own held-out pictures, encoded.
        by: the plane of largest variance, or t-SNE.

    Raises:
        InputError: the model cannot encode, or its pictures are not known here.
    """
    model = shown.ready
    z, groups, names = _samples(shown) if of == "samples" else _encoded(shown)
    flat = z.reshape(len(z), -1)
    if by == "pca":
        return DrawnMap(PlaneMap(flat), groups, names)
    return DrawnMap(NeighbourMap(flat, gaussian=model.network.latent.prior == "normal"), groups, names)


def _samples(shown: Shown) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    model, spec = shown.ready, shown.ready.network.condition
    told = model.conditions(range(N_PLACES))
    z = model.latents(range(N_PLACES), conditions=told)
    if told is None or spec is None or spec.kind != "class" or spec.size > _MOST_GROUPS:
        return z, np.zeros(len(z), np.int64), ()
    return z, told.argmax(axis=1), spec.names


def _encoded(shown: Shown) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    model = shown.ready
    data = shown.tools.open_data(model)
    rows = data.held_out if len(data.held_out) >= 2 * _NEAREST else data.train
    rows = np.sort(rows[:N_PLACES])
    labels = None if data.images.labels is None else data.images.labels.take(rows)
    spec = model.network.condition
    told = None if spec is None else condition_vectors(labels, spec)
    z = model.encode(np.ascontiguousarray(data.images.images[rows]), told)
    classes = None if labels is None else labels.classes
    if classes is None or len(classes.names) > _MOST_GROUPS:
        return z, np.zeros(len(z), np.int64), ()
    return z, classes.values, classes.names
