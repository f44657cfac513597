"""What can be asked of a critic itself: does a score depend on other pictures, is it bounded, does it tell sets apart.

Letters: B pictures, m packing.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call

from latentry.models.contract import Batch
from latentry.models.gan import pack
from latentry.nn import use_rng
from latentry.precision import float64

_BLOWN_UP = 100.0  # times the range of pictures: what is bounded then is bounded by a last nonlinearity


def dependence(critic: nn.Module, batch: Batch, packing: int, rng: torch.Generator) -> float:
    """How much the first score of a batch depends on the other pictures, beside its own; 0 where it does not.

    The ratio of two root mean square gradients, as the critic is while it trains; its buffers stay as they are.

    Args:
        critic: maps pictures to a `Judgement`.
        batch: at least two packs of pictures.
        packing: pictures that are judged together, m.
        rng: of dropout in our own networks.
    """
    buffers = {name: buffer.detach().clone() for name, buffer in critic.named_buffers()}
    use_rng(rng)
    with torch.enable_grad(), torch.random.fork_rng(devices=[]):  # a user's dropout draws from torch's own source
        x = pack(batch.x, packing).detach().requires_grad_()
        score = functional_call(critic, buffers, (x, batch.condition)).score
        (gradient,) = torch.autograd.grad(score[0], x)
    own, others = gradient[0].square().mean().sqrt(), gradient[1:].square().mean().sqrt()
    return float(others / own.clamp(min=1e-30))


@torch.no_grad()
def bounds(critic: nn.Module, batch: Batch, packing: int) -> list[float]:
    """The least and the largest score of pictures far outside their range; between 0 and 1 behind a sigmoid."""
    critic.eval()
    x = pack(batch.x, packing)
    scores = [critic(factor * x, batch.condition).score for factor in (1.0, _BLOWN_UP, -_BLOWN_UP)]
    critic.train()
    both = torch.cat(scores)
    return [float(both.min()), float(both.max())]


def share_above(a: Tensor, b: Tensor) -> float:
    """The probability that a score of the first set is above one of the second; one half where nothing tells them."""
    pairs = float64(a)[:, None] - float64(b)
    return float(((pairs > 0).double() + 0.5 * (pairs == 0).double()).mean())
