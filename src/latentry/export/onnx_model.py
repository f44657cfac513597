"""An exported model, by numpy and onnxruntime alone: the same pictures for the same seeds, without torch."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from latentry.errors import InputError, unknown_name
from latentry.export.manifest import read_manifest, unpack_array, unpack_vectors
from latentry.models.noise import NoiseSize, example_rows, seed_noise
from latentry.models.pictured import PictureModel
from latentry.models.vectors import Vectors
from latentry.models.wish import Wish
from latentry.settings.specs import ConditionSpec, ImageSpec

_MOST_ROWS = 64  # computed together


class OnnxModel(PictureModel):
    """A folder that `latentry export RUN --to onnx` wrote, ready to sample, encode, decode and edit on the CPU.

    Args:
        folder: where it is.
        threads: of each graph; None lets onnxruntime choose.

    Raises:
        InputError: it is no such folder, it is damaged, or onnxruntime is not installed.
    """

    def __init__(self, folder: Path | str, *, threads: int | None = None) -> None:
        self.path, self.manifest, self._threads = Path(folder), read_manifest(Path(folder)), threads
        self._image = ImageSpec(**self.manifest["image"])
        self._condition = ConditionSpec.from_json(self.manifest["condition"])
        self._sessions: dict[str, Any] = {}
        self._session("decoder")

    @property
    def image(self) -> ImageSpec:
        """The size of its pictures."""
        return self._image

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """The shape of one latent."""
        return tuple(self.manifest["latent"]["shape"])

    @property
    def condition(self) -> ConditionSpec | None:
        """What the model is told."""
        return self._condition

    @property
    def samplers(self) -> list[str]:
        """The names of what latents can be drawn from."""
        return list(self.manifest["samplers"])

    @property
    def sampler(self) -> str:
        """The one of them that the run chose."""
        return str(self.manifest["sampler"])

    def _read_vectors(self) -> Vectors:
        return unpack_vectors(self.manifest["vectors"])

    def conditions(self, seeds: Sequence[int], wish: Wish | None = None) -> np.ndarray | None:
        """What the model is told for each seed; see `PictureModel`."""
        wish = wish or Wish()
        wish.against(self.condition)
        if self.condition is None:
            return None
        return wish.apply(self._examples[example_rows(seeds, len(self._examples))], self.condition)

    def latents(
        self,
        seeds: Sequence[int],
        *,
        sampler: str | None = None,
        truncation: float = 1.0,
        conditions: np.ndarray | None = None,
    ) -> np.ndarray:
        """One latent a seed; see `PictureModel`."""
        name = sampler or self.sampler
        if name not in self.samplers:
            raise unknown_name("sampler of this model", name, self.samplers)
        self._check_conditions(conditions, len(seeds))
        record = self.manifest["samplers"][name]
        size = NoiseSize(record["uniform"], record["normal"])
        noise = seed_noise(seeds, size)
        if record["kind"] == "tokens":
            return self._from_tokens(record, noise, conditions, truncation)
        if record["kind"] == "normal":
            z = noise
        else:
            inputs = {"uniform": noise[:, : size.uniform], "normal": noise[:, size.uniform :]}
            z = self._run(record["graph"], inputs, conditions, self.latent_shape)
        if truncation != 1.0:
            centre = unpack_array(record["centre"])
            z = centre + np.float32(truncation) * (z - centre)
        return z

    def encode(self, images: np.ndarray, conditions: np.ndarray | None = None) -> np.ndarray:
        """Latents of pictures; see `PictureModel`."""
        if "encoder" not in self.manifest["graphs"]:
            raise InputError(
                f"{self.path} has a generator and no encoder, so it cannot encode or reconstruct pictures; fit one "
                "with latentry invert RUN --fit and export again"
            )
        self._check_pictures(images)
        self._check_conditions(conditions, len(images))
        x = images if self.image.points else images.astype(np.float32) / np.float32(127.5) - np.float32(1)
        return self._run("encoder", {"x": x}, conditions, self.latent_shape)

    def decode(self, z: np.ndarray, conditions: np.ndarray | None = None) -> np.ndarray:
        """Pictures of latents; see `PictureModel`."""
        self._check_latents(z)
        self._check_conditions(conditions, len(z))
        x = self._run("decoder", {"z": z}, conditions, self.image.shape)
        if self.image.points:
            return x
        return np.rint((x + 1) * np.float32(127.5)).clip(0, 255).astype(np.uint8)

    @functools.cached_property
    def _examples(self) -> np.ndarray:
        """Conditions as the data have them, float32 [M, K]."""
        return unpack_array(self.manifest["condition"]["examples"])

    def _from_tokens(
        self, record: dict[str, Any], noise: np.ndarray, conditions: np.ndarray | None, temperature: float
    ) -> np.ndarray:
        """Grids of codes, one token after another: each the distribution's inverse at its uniform number."""
        n, positions = noise.shape
        tokens = np.zeros((n, positions), np.int64)
        codebook = unpack_array(record["codebook"])  # [M, D]
        for at in range(positions):
            logits = self._run(record["graph"], {"tokens": tokens}, conditions, (positions, len(codebook)))[:, at]
            if temperature == 0:
                tokens[:, at] = logits.argmax(axis=1)
                continue
            scaled = logits.astype(np.float64) / temperature
            cumulative = np.exp(scaled - scaled.max(axis=1, keepdims=True)).cumsum(axis=1)
            passed = cumulative <= noise[:, at, None] * cumulative[:, -1:]
            tokens[:, at] = passed.sum(axis=1).clip(max=len(codebook) - 1)
        depth, height, width = self.latent_shape
        return np.moveaxis(codebook[tokens].reshape(n, height, width, depth), -1, 1)

    def _run(
        self, graph: str, inputs: dict[str, np.ndarray], conditions: np.ndarray | None, shape: tuple[int, ...]
    ) -> np.ndarray:
        """A graph's output, float32 [n, *shape], a few rows at a time."""
        session = self._session(graph)
        if conditions is not None:
            inputs = {**inputs, "condition": conditions}
        wanted = {entry.name for entry in session.get_inputs()}  # a part that is told nothing has no such input
        rows = {
            name: np.ascontiguousarray(array, np.int64 if name == "tokens" else np.float32)
            for name, array in inputs.items()
            if name in wanted
        }
        n = len(next(iter(inputs.values())))
        parts = [
            session.run(None, {name: array[start : start + _MOST_ROWS] for name, array in rows.items()})[0]
            for start in range(0, n, _MOST_ROWS)
        ]
        return np.concatenate(parts) if parts else np.empty((0, *shape), np.float32)

    def _session(self, graph: str) -> Any:
        """The graph of that name, loaded when it is first needed."""
        if graph in self._sessions:
            return self._sessions[graph]
        try:
            import onnxruntime
        except ImportError:
            raise InputError(
                "an exported model needs onnxruntime, which is not installed; pip install latentry[onnx]"
            ) from None
        record = self.manifest["graphs"][graph]
        try:
            content = (self.path / record["file"]).read_bytes()
        except OSError as error:
            raise InputError(f"cannot read {self.path / record['file']}: {error.strerror}") from error
        if hashlib.sha256(content).hexdigest() != record["sha256"]:
            raise InputError(f"{self.path / record['file']} is damaged: it does not match its hash; export again")
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors alone
        if self._threads is not None:
            options.intra_op_num_threads = self._threads
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self._sessions[graph] = session
        return session
