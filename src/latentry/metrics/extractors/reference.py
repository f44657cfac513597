"""Features of real pictures, kept in the cache, and their statistics as a file that other programs read.

Letters: N pictures, D features.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import zipfile
from pathlib import Path

import numpy as np

from latentry.data import ImageSet, cache_folder
from latentry.errors import InputError
from latentry.files import check_output, write_file
from latentry.metrics.estimates import refuse_other_dimension
from latentry.metrics.extractors.extractor import Advance, Extractor
from latentry.metrics.gaussian import GaussianStatistics


def cached_features(
    extractor: Extractor, images: ImageSet, rows: np.ndarray, advance: Advance | None = None
) -> np.ndarray:
    """Features [n, D] of some rows of a set, computed once for a fingerprint and an extractor."""
    chosen = hashlib.sha256(np.ascontiguousarray(rows, np.int64).tobytes()).hexdigest()
    text = json.dumps([images.fingerprint, chosen, extractor.name, extractor.weights, extractor.resize])
    path = cache_folder() / "features" / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.npy"
    with contextlib.suppress(OSError, ValueError, EOFError):  # a cache that is damaged only costs time
        kept = np.load(path, allow_pickle=False)
        if kept.shape == (len(rows), extractor.dimension):
            return kept
    found = extractor.features(images.images[np.asarray(rows)], advance)
    content = io.BytesIO()
    np.save(content, found)
    with contextlib.suppress(OSError, InputError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, content.getvalue())
    return found


def export_statistics(path: Path, features: np.ndarray, extractor: Extractor, data: str) -> None:
    """Write mean and covariance as .npz with the keys of pytorch-fid, and whose features they are.

    Args:
        path: ends in .npz.
        features: of the real pictures, [N, D].
        extractor: what gave them.
        data: fingerprint of the pictures.
    """
    check_output(path, ".npz")
    facts = {"extractor": extractor.name, "extractor_hash": extractor.weights, "resize": extractor.resize, "data": data}
    GaussianStatistics.of(features).save(path, facts)


def import_statistics(path: Path, extractor: Extractor) -> tuple[GaussianStatistics, str]:
    """Statistics that this or another program wrote, and the fingerprint of their data where the file says it.

    Raises:
        InputError: no such file, or they are of another extractor: their distance would mean nothing.
    """
    statistics = GaussianStatistics.load(path)
    facts = _facts(path)
    for key, ours in (("extractor", extractor.name), ("extractor_hash", extractor.weights)):
        if (theirs := facts.get(key, ours)) != ours:
            raise InputError(
                f"{path} holds statistics of {facts.get('extractor', 'another extractor')} "
                f"({key} {theirs[:12]}), and this evaluation takes {extractor.name} ({ours[:12]}); a distance between "
                "two extractors means nothing: take the same for both"
            )
    refuse_other_dimension(statistics.dimension, extractor.dimension)
    return statistics, facts.get("data", "")


def _facts(path: Path) -> dict[str, str]:
    """The strings in the file; none in pytorch-fid's."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: str(stored[name]) for name in stored.files if stored[name].dtype.kind == "U"}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"cannot read {path}: {error}") from error
