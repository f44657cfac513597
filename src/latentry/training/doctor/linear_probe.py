"""What a linear probe reads of the condition in pictures: whether labels show in them, whether a model obeys.

Letters: N pictures, F numbers in a sketch, K numbers in a condition.
"""

from __future__ import annotations

import torch
from torch import Tensor

_RIDGE = 0.1  # of the sketches' mean variance: more than half as many sketches as numbers in one are enough then


class LinearProbe:
    """Ridge regression of conditions on sketches, fitted to one half of the pictures and judged on the other.

    Args:
        sketches: of training pictures, [N, F].
        condition: what the model is told of each, [N, K].
    """

    def __init__(self, sketches: Tensor, condition: Tensor) -> None:
        half = len(sketches) // 2
        x, y = sketches[:half].double(), condition[:half].double()
        self._centre, self._offset = x.mean(dim=0), y.mean(dim=0)
        x = x - self._centre
        covariance = x.T @ x / half
        ridge = _RIDGE * covariance.diagonal().mean().clamp(min=1e-9)
        eye = torch.eye(x.shape[1], dtype=torch.float64)
        self._map = torch.linalg.solve(covariance + ridge * eye, x.T @ (y - self._offset) / half)
        self.on_reals = self.agreement(sketches[half:], condition[half:])

    def agreement(self, sketches: Tensor, condition: Tensor) -> list[float]:
        """The correlation of what is read in pictures with what is told of them, for each of the K numbers."""
        read = (sketches.double() - self._centre) @ self._map
        read, told = read - read.mean(dim=0), condition.double() - condition.double().mean(dim=0)
        scale = (read.norm(dim=0) * told.norm(dim=0)).clamp(min=1e-9)
        return ((read * told).sum(dim=0) / scale).tolist()
