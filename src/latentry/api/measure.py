"""What is measured when a run ends: whether a model does what it is told, which modes of the data it has found.

Each measurement is a record for machines with its lines for people under "said".
"""

from __future__ import annotations

from typing import Any

import numpy as np

from latentry.data import ImageSet
from latentry.data.points import WORLDS
from latentry.data.stacked import parse_stacked
from latentry.metrics.obedience import judge
from latentry.metrics.worlds import judge_points, judge_stacks
from latentry.models.trained import TrainedModel

# What the probe of a run is trained on, and how many samples it judges: a small share of what the run cost.
_PROBE_SHOWN = 2_000, 200_000
_JUDGED = 200, 2_000
_POINTS, _STACKS = 2_500, (2_000, 26_000)  # as many as in published tables, at the end of a long run


def probe_shown(n_seen: int) -> int:
    """How many pictures a run's probe is trained on, after `n_seen` images."""
    return min(max(n_seen // 4, _PROBE_SHOWN[0]), _PROBE_SHOWN[1])


def measure(model: TrainedModel, images: ImageSet, n_seen: int) -> dict[str, Any]:
    """What can be said of a model at the end of its training, by name; empty where nothing of this applies.

    Args:
        model: as it was kept.
        images: the data that it was trained on.
        n_seen: images that it was trained on, counted with repetition: longer runs are judged more thoroughly.
    """
    found: dict[str, Any] = {}
    n_shown = probe_shown(n_seen)
    if model.network.condition is not None:
        n_judged = int(np.clip(n_seen // 20, *_JUDGED))
        found["obedience"] = judge(model, images, n=n_judged, n_shown=n_shown).to_json()
    data = model.config.data.data
    if images.spec.points and (name := data.partition(":")[0]) in WORLDS:
        found["modes"] = judge_points(model.sample(_POINTS), WORLDS[name]).to_json()
    elif parse_stacked(data) is not None:
        n_judged = int(np.clip(n_seen // 10, *_STACKS))
        found["modes"] = judge_stacks(model.sample(n_judged), images, n_shown=n_shown).to_json()
    return found
