"""Whether an exported model is the model: differences at several batch sizes, pictures of the same seeds, and time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from statistics import median
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from latentry.data.convert import to_float
from latentry.export.graphs import Graph
from latentry.models.noise import NoiseSize, seed_noise
from latentry.models.pictured import PictureModel
from latentry.models.trained import TrainedModel
from latentry.models.vqvae import VQVAE

BATCHES = 1, 3, 64
LIMIT = 1e-4  # of a graph's largest output, or of 1: of pictures in [-1, 1] that is an eightieth of a grey level
CODES_LIMIT = 1e-3  # share of a quantising encoder's codes: of two equally near ones either may be taken
GREY_LEVELS = 1  # between pictures of one seed
_SEEDS = 16
_TIMED, _REPEATS = (1, 64), 5


class ParityError(RuntimeError):
    """An exported model differs from its original, so that nothing was written."""


def open_session(content: bytes) -> Any:
    """An ONNX file, ready to run with as many threads as torch has."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = torch.get_num_threads()
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def compare_graph(model: TrainedModel, name: str, graph: Graph, content: bytes) -> list[dict[str, Any]]:
    """A record for each batch size: the largest difference from PyTorch, what is allowed, and whether it passes."""
    session, records = open_session(content), []
    codes = name == "encoder" and model.network.tempered
    for n in BATCHES:
        rows = example_inputs(model, graph, n)
        expected, found = _in_torch(graph, rows)(), _in_onnx(session, rows)()
        if codes:
            difference = float((expected != found).any(axis=1).mean())
            limit = CODES_LIMIT
        else:
            difference = float(np.abs(expected.astype(np.float64) - found).max())
            limit = LIMIT * max(1.0, float(np.abs(expected).max()))
        passed = bool(np.isfinite(found).all()) and difference <= limit
        records.append({"graph": name, "batch": n, "difference": difference, "limit": limit, "passed": passed})
    return records


def compare_pictures(model: PictureModel, exported: PictureModel) -> tuple[dict[str, Any], np.ndarray, np.ndarray]:
    """Pictures of the same seeds, uint8 [n, C, H, W], from both, and how much they differ."""
    ours, theirs = model.sample(_SEEDS), exported.sample(_SEEDS)
    difference = float(np.abs(ours.astype(np.float64) - theirs).max())
    limit = LIMIT * max(1.0, float(np.abs(ours).max())) if model.image.points else GREY_LEVELS
    record = {"seeds": _SEEDS, "difference": difference, "limit": limit, "passed": difference <= limit}
    return record, ours, theirs


def time_graph(model: TrainedModel, name: str, graph: Graph, content: bytes) -> list[dict[str, Any]]:
    """Median milliseconds on the CPU by PyTorch and by onnxruntime, for each of two batch sizes."""
    session, records = open_session(content), []
    for n in _TIMED:
        rows = example_inputs(model, graph, n)
        records.append(
            {
                "graph": name,
                "batch": n,
                "threads": torch.get_num_threads(),
                "torch_ms": _milliseconds(_in_torch(graph, rows)),
                "onnx_ms": _milliseconds(_in_onnx(session, rows)),
            }
        )
    return records


def cost_of_precision(model: TrainedModel, graph: Graph, plain: bytes, stored: bytes) -> dict[str, Any]:
    """What storing the decoder's weights in fewer bits changes, on 64 pictures.

    Args:
        model: what is exported.
        graph: its decoder.
        plain, stored: the decoder's file in float32, and as written.
    """
    rows = example_inputs(model, graph, 64)
    x, y = (_in_onnx(open_session(content), rows)() for content in (plain, stored))
    record = {"pictures": 64, "largest_value": float(np.abs(x - y).max()), "share_of_size": len(stored) / len(plain)}
    if model.image.points:
        return record
    apart = (x.clip(-1, 1).astype(np.float64) - y.clip(-1, 1)) * 127.5
    error = float(np.square(apart).mean())
    return {
        **record,
        "psnr_db": 10 * math.log10(255**2 / error) if error else None,  # None: nothing differs
        "largest_grey_levels": float(np.abs(apart).max()),
    }


def example_inputs(model: TrainedModel, graph: Graph, n: int) -> dict[str, Tensor]:
    """What a graph reads of the first n seeds: their latents, pictures, noise, tokens and conditions."""
    seeds = range(n)
    told = model.conditions(seeds)
    rows: dict[str, np.ndarray] = {} if told is None else {"condition": told}
    if graph.output == "x":
        rows["z"] = model.latents(seeds, conditions=told)
    elif "x" in graph.inputs:
        rows["x"] = to_float(model.decode(model.latents(seeds, conditions=told), told))
    elif "tokens" in graph.inputs:
        quantiser = cast(VQVAE, model.network).quantiser
        shape = n, *graph.inputs["tokens"].shape
        rows["tokens"] = np.random.default_rng(0).integers(0, len(quantiser.codebook), shape)
    else:
        size = NoiseSize(graph.inputs["uniform"].shape[0], graph.inputs["normal"].shape[0])
        noise = seed_noise(seeds, size)
        rows["uniform"], rows["normal"] = noise[:, : size.uniform], noise[:, size.uniform :]
    return {name: torch.from_numpy(np.ascontiguousarray(rows[name])) for name in graph.inputs}


def _in_torch(graph: Graph, rows: dict[str, Tensor]) -> Callable[[], np.ndarray]:
    def compute() -> np.ndarray:
        with torch.inference_mode():
            output: Tensor = graph.module(*rows.values())
        return output.numpy()

    return compute


def _in_onnx(session: Any, rows: dict[str, Tensor]) -> Callable[[], np.ndarray]:
    wanted = {entry.name for entry in session.get_inputs()}
    arrays = {name: row.numpy() for name, row in rows.items() if name in wanted}
    return lambda: np.asarray(session.run(None, arrays)[0])


def _milliseconds(compute: Callable[[], object]) -> float:
    compute()
    times = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        compute()
        times.append(1000 * (time.perf_counter() - start))
    return median(times)
