"""Batch normalisation over the batch of all ranks.

    Ioffe and Szegedy 2015, "Batch normalization" (arXiv:1502.03167), Algorithm 1.

torch's own shared one computes on CUDA alone; this one computes everywhere, and a network gets it only where there are
several ranks. Letters: b rows of one rank, C channels, W ranks.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from latentry.ranks import gather_rows, ranks_here


class SharedBatchNorm(_BatchNorm):
    """Normalises by mean and variance over all ranks' rows inside `together`; elsewhere as torch does.

    Args:
        norm: whose weights, running statistics and settings it takes over.
    """

    def __init__(self, norm: _BatchNorm) -> None:
        super().__init__(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
        self.weight, self.bias = norm.weight, norm.bias
        self.running_mean, self.running_var = norm.running_mean, norm.running_var
        self.num_batches_tracked = norm.num_batches_tracked
        self.train(norm.training)

    def _check_input_dim(self, input: Tensor) -> None:
        """Any number of dimensions behind the channels will do."""

    def forward(self, x: Tensor) -> Tensor:
        """[b, C, ...] to the same shape."""
        world = ranks_here().world
        if not self.training or world == 1:
            return super().forward(x)
        n = x.numel() // x.shape[1]  # numbers of one channel
        own_variance, own_mean = torch.var_mean(x.float(), [d for d in range(x.dim()) if d != 1], correction=0)
        means, variances = gather_rows(torch.stack([own_mean, own_variance]).unsqueeze(0)).unbind(1)  # [W, C] each
        mean = means.mean(dim=0)
        # Not the mean square less the squared mean, which cancel: every rank has as many rows.
        variance = variances.mean(dim=0) + (means - mean).square().mean(dim=0)
        self._follow(mean.detach(), variance.detach() * (n * world / max(n * world - 1, 1)))
        shape = (1, -1) + (1,) * (x.dim() - 2)
        scale = torch.rsqrt(variance + self.eps)
        if self.affine:
            scale = scale * self.weight
        shift = -mean * scale
        if self.affine:
            shift = shift + self.bias
        return torch.addcmul(shift.view(shape), x.float(), scale.view(shape)).to(x.dtype)

    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        """Bring the running statistics up to date."""
        if self.running_mean is None or self.running_var is None:
            return
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        share = 1 / int(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance, share)


def share_batch_statistics(module: nn.Module) -> None:
    """Put a `SharedBatchNorm` in place of every batch normalisation inside `module`; names and weights stay."""
    for name, child in module.named_children():
        if isinstance(child, _BatchNorm):
            setattr(module, name, SharedBatchNorm(child))
        else:
            share_batch_statistics(child)
