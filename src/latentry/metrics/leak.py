"""Whether a generator shows the augmentation that its critic was trained with: turned, shifted or cut-out pictures.

Karras et al. 2020 (ADA, arXiv:2006.06676), section 2.2: augmentation leaks where the generator can match the augmented
pictures without being right about the plain ones. A detector of each policy, trained on real pictures plain and
augmented, is shown generated ones; what it flags more often there than among plain real ones has leaked.

It cannot tell why a picture looks augmented: a generator of weak contrast is flagged for colour. And it sees mirrored
pictures only where the sides differ grossly, as digits' do; `latentry.data.mirror` is the guard there.

Letters: B batch, C H W image, N pictures, K features.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from latentry.errors import InputError
from latentry.nn.augment import augment

_LEAST = 50  # pictures of each kind; fewer give no standard score over 4 for a share that matters
_MOST = 2000  # pictures of each kind that are looked at
_TREES = 60
_CELLS = 8  # the grid that pictures are averaged over, each way

Features = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Leak:
    """How often pictures look changed by one policy of augmentation.

    Attributes:
        share: of the generated pictures that are flagged.
        share_real: of plain real pictures, held out from training the detector, that are flagged.
        z: the difference of the two in standard errors.
    """

    share: float
    share_real: float
    z: float

    @property
    def leaks(self) -> bool:
        """The difference is beyond doubt (z above 4) and large enough to be seen (above a tenth)."""
        return self.z > 4 and self.share - self.share_real > 0.1


def augmentation_leak(
    x_fake: Tensor, x_real: Tensor, policies: tuple[str, ...], rng: torch.Generator
) -> dict[str, Leak]:
    """How often generated pictures look augmented, beside plain real ones, for each policy.

    Half of the real pictures train the detectors (extremely randomised trees, Geurts et al. 2006, on local means and
    contrasts), the other half are judged. A detector of one policy must also tell it from the others, so that a shift
    is not reported as a cut-out. About ten seconds for a thousand pictures and five policies on one core.

    Args:
        x_fake: generated pictures in [-1, 1], [N, C, H, W], at least 50.
        x_real: real pictures, likewise, of the same shape. Of each at most 2,000 are looked at: the first generated
            ones, and real ones drawn at random.
        policies: those that the critic was trained with, of `latentry.nn.augment.POLICIES`.
        rng: of the split, the augmentation and the trees.

    Returns:
        One `Leak` for each policy, by name; shares of 0 where a policy changes nothing at this size.

    Raises:
        InputError: too few pictures, shapes that differ, or a policy that is not known.
    """
    if x_fake.shape[1:] != x_real.shape[1:]:
        raise InputError(
            f"generated pictures {list(x_fake.shape[1:])} and real ones {list(x_real.shape[1:])} must have one shape"
        )
    if min(len(x_fake), len(x_real)) < _LEAST:
        raise InputError(
            f"{len(x_fake)} generated and {len(x_real)} real pictures are too few to compare; give {_LEAST} of each"
        )
    x_fake = x_fake[:_MOST].to(rng.device)
    x_real = x_real.to(rng.device)[torch.randperm(len(x_real), generator=rng, device=rng.device)[:_MOST]]
    known, held_out = x_real.tensor_split(2)
    augmented = {}
    for policy in policies:
        changed = augment(known, (policy,), 1.0, rng).clamp(-1, 1)  # a generated picture shows no more than that
        augmented[policy] = changed[(changed != known).flatten(1).any(dim=1)]  # a turn by nothing is no turn
    examples = {policy: _features(_worn(x, rng)) for policy, x in augmented.items() if len(x)}
    plain = _features(_worn(known, rng))
    asked_fake, asked_real = _features(x_fake), _features(held_out)
    out = {policy: Leak(0.0, 0.0, 0.0) for policy in policies}
    for policy, positive in examples.items():
        others = [example for name, example in examples.items() if name != policy]
        seed = int(torch.randint(2**31, (), generator=rng, device=rng.device))
        detector = _Detector(positive, plain, others, seed)
        out[policy] = _compare(detector.flags(asked_fake), detector.flags(asked_real))
    return out


class _Detector:
    """Tells pictures changed by one policy from plain ones and from those changed by others."""

    def __init__(self, positive: Features, plain: Features, others: list[Features], seed: int) -> None:
        from sklearn.ensemble import ExtraTreesClassifier  # slow to import

        # Both sides weigh the same; among the negative, the plain pictures as much as all the others together.
        weights = [np.full(len(positive), 1 / len(positive))]
        weights += [np.full(len(plain), (0.5 if others else 1) / len(plain))]
        weights += [np.full(len(other), 0.5 / len(others) / len(other)) for other in others]
        examples = np.concatenate([positive, plain, *others])
        self._trees = ExtraTreesClassifier(_TREES, min_samples_leaf=3, random_state=seed)
        self._trees.fit(examples, np.arange(len(examples)) < len(positive), np.concatenate(weights))

    def flags(self, asked: Features) -> npt.NDArray[np.bool_]:
        """Which pictures look changed, bool [N]."""
        return self._trees.predict(asked)


def _compare(flags_fake: npt.NDArray[np.bool_], flags_real: npt.NDArray[np.bool_]) -> Leak:
    """The two shares and their difference over its binomial standard error, were both shares the same.

    One flagged and one unflagged picture are added, so that none among few is no proof of never.
    """
    n_fake, n_real = len(flags_fake), len(flags_real)
    share, share_real = float(flags_fake.mean()), float(flags_real.mean())
    both = (flags_fake.sum() + flags_real.sum() + 1) / (n_fake + n_real + 2)
    error = np.sqrt(both * (1 - both) * (1 / n_fake + 1 / n_real))
    return Leak(share, share_real, z=float((share - share_real) / error))


def _worn(x: Tensor, rng: torch.Generator) -> Tensor:
    """A third of the pictures blurred, a third noisy: faults of a generator, which are not what is looked for."""
    kind = torch.randint(3, (len(x), 1, 1, 1), generator=rng, device=x.device)
    strength = torch.rand(len(x), 1, 1, 1, generator=rng, device=x.device)
    blurred = F.avg_pool2d(x, 5, stride=1, padding=2, count_include_pad=False)
    noise = torch.randn(x.shape, generator=rng, device=x.device)
    noisy = (x + 0.3 * strength * noise).clamp(-1, 1)
    return torch.where(kind == 0, x, torch.where(kind == 1, torch.lerp(x, blurred, strength), noisy))


def _features(x: Tensor) -> Features:
    """What shows augmentation, [N, K]: local means, distances from mid-grey and contrasts; edges; asymmetry; colours.

    Zero fill is mid-grey in every channel, without contrast; at the edge it is looked for line by line.
    """
    x = x.float()
    _, _, height, width = x.shape
    grey = x.mean(dim=1, keepdim=True)
    distance = x.abs().amax(dim=1, keepdim=True)
    contrast = F.pad((x.diff(dim=2)).abs(), (0, 0, 0, 1)) + F.pad((x.diff(dim=3)).abs(), (0, 1))
    rows, columns = distance.mean(dim=3).flatten(1), distance.mean(dim=2).flatten(1)
    deep, wide = max(1, height // 8), max(1, width // 8)
    coarse = F.adaptive_avg_pool2d(grey, 2 * _CELLS)
    odd = (coarse - coarse.flip(3))[..., :_CELLS]
    maps = [x, distance, contrast.mean(dim=1, keepdim=True)]
    parts = [F.adaptive_avg_pool2d(part, _CELLS).flatten(1) for part in maps]
    parts += [rows[:, :deep], rows[:, -deep:], columns[:, :wide], columns[:, -wide:], odd.flatten(1)]
    parts += [
        x.mean(dim=(2, 3)),
        x.std(dim=(2, 3), correction=0),
        x.std(dim=1, correction=0).mean(dim=(1, 2)).unsqueeze(1),
    ]
    return torch.cat(parts, dim=1).cpu().numpy()
