"""The pictures of a step, on the device, as the networks see them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from latentry.data import ImageSet, batch_indices, to_float
from latentry.data.in_place import is_mapped, let_go
from latentry.models.contract import Batch
from latentry.ranks import Ranks
from latentry.training.rng import derive_seed

HELD_BYTES = 1 << 28  # of a memory-mapped file that may count as this process's memory
FAULT_BYTES = 64 << 10  # of it come in at once when one picture is read
_ONE_RANK = Ranks()


class PictureStream:
    """Batches of some pictures of a set; a pure function of the step, so there is no state to save.

    Pictures stay where they are decoded (memory or memory-mapped file), or move to the accelerator as uint8 where they
    take less than a third of its free memory.

    Args:
        images: the set.
        rows: which of its pictures, int64 [N].
        device: where batches are wanted.
        conditions: what the model is told of each picture of the set, float32 [len(images), K]; None for nothing.
        flip: whether the pictures of a step are mirrored, each with probability one half.
    """

    def __init__(
        self,
        images: ImageSet,
        rows: np.ndarray,
        device: torch.device,
        conditions: np.ndarray | None = None,
        *,
        flip: bool = False,
    ) -> None:
        self.rows, self.device, self.flip = rows, device, flip
        self._host = images.images
        self.points = images.spec.points
        self._resident: Tensor | None = None
        self._conditions = None if conditions is None else torch.from_numpy(conditions[rows]).to(device)
        self._mapped = is_mapped(self._host)
        self._read_bytes = 0  # of the mapped file, since its memory was given back
        n_bytes = self._host[:1].nbytes * len(rows)
        if device.type == "cuda" and fits_on_device(n_bytes, torch.cuda.mem_get_info(device)[0]):
            self._resident = torch.from_numpy(self._host[rows]).to(device)

    def __len__(self) -> int:
        return len(self.rows)

    def step(self, step: int, batch: int, seed: int, *, parts: int = 1, ranks: Ranks = _ONE_RANK) -> Batch:
        """The pictures of training step `step`, in [-1, 1], [parts * batch / world, C, H, W].

        Args:
            step: counted from 0.
            batch: pictures in a batch of all ranks together; as many as the ranks divide.
            seed: of the run.
            parts: batches that the step reads, one after another.
            ranks: which of how many processes asks; each has its own rows of every part.
        """
        own = batch // ranks.world
        which = [
            batch_indices(len(self), own, seed=seed, step=at, rank=ranks.rank, world_size=ranks.world)
            for at in range(step * parts, (step + 1) * parts)
        ]
        taken = self.take(np.concatenate(which))
        if not self.flip:
            return taken
        drawn = np.random.default_rng(derive_seed(seed, "flip", step)).random((parts, ranks.world, own)) < 0.5
        drawn = drawn[:, ranks.rank].reshape(-1)
        mirrored = torch.from_numpy(drawn).to(self.device)[:, None, None, None]
        return Batch(torch.where(mirrored, taken.x.flip(3), taken.x), taken.condition)

    def take(self, which: np.ndarray) -> Batch:
        """The pictures at positions `which` among the stream's own, in [-1, 1], with their conditions."""
        if self._resident is not None:
            pictures = self._resident[torch.from_numpy(which).to(self.device)]
        else:
            pictures = torch.from_numpy(self._read(self.rows[which])).to(self.device)
        told = None if self._conditions is None else self._conditions[torch.from_numpy(which).to(self.device)]
        return Batch(to_float(pictures), told)

    def _read(self, rows: np.ndarray) -> np.ndarray:
        """Pictures of the set, copied; of a file that is larger than memory, what was read before is let go."""
        pictures = self._host[rows]
        if self._mapped:
            self._read_bytes += len(rows) * max(self._host[:1].nbytes, FAULT_BYTES)
            if self._read_bytes > HELD_BYTES:
                let_go(self._host)
                self._read_bytes = 0
        return pictures


def fits_on_device(n_bytes: int, free_bytes: int) -> bool:
    """Whether a data set may live on the device: networks, optimisers and activations have the other two thirds."""
    return 3 * n_bytes < free_bytes
