"""The leak detector: silent on real pictures, and naming what was done to two in five of them."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from latentry.data import open_images, to_float
from latentry.errors import InputError
from latentry.metrics.leak import Leak, augmentation_leak
from latentry.nn.augment import augment

POLICIES = ("translation", "cutout", "rotation")


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tensor, Tensor]:
    """Generated and real pictures, were the generator perfect."""
    folder: Path = tmp_path_factory.mktemp("faces")
    x = to_float(torch.tensor(open_images("faces:1000", size=32, cache=folder).images))
    return x[:400], x[400:]


def leaking(x_fake: Tensor, x_real: Tensor, policies: tuple[str, ...] = POLICIES) -> list[str]:
    found = augmentation_leak(x_fake, x_real, policies, rng())
    assert list(found) == list(policies)
    return [policy for policy, leak in found.items() if leak.leaks]


def test_real_pictures_are_silent(faces: tuple[Tensor, Tensor]) -> None:
    found = augmentation_leak(*faces, POLICIES, rng())
    for leak in found.values():
        assert abs(leak.z) < 4 and leak.share < 0.05 and leak.share_real < 0.05


def test_turned_pictures_are_named_and_counted(faces: tuple[Tensor, Tensor]) -> None:
    """160 of 400 turned by a quarter: a share of 0.4, and of nothing else."""
    x_fake, x_real = faces
    x_fake = torch.cat([torch.rot90(x_fake[:160], 1, (2, 3)), x_fake[160:]])
    found = augmentation_leak(x_fake, x_real, POLICIES, rng())
    assert [policy for policy, leak in found.items() if leak.leaks] == ["rotation"]
    assert found["rotation"].share == pytest.approx(0.4, abs=0.05) and found["rotation"].z > 10


@pytest.mark.parametrize("policy", ["translation", "cutout", "colour"])
def test_other_augmented_pictures_are_named(faces: tuple[Tensor, Tensor], policy: str) -> None:
    x_fake, x_real = faces
    changed = augment(x_fake[:160], (policy,), 1.0, rng(1)).clamp(-1, 1)
    policies = ("colour", "translation", "cutout")
    assert leaking(torch.cat([changed, x_fake[160:]]), x_real, policies) == [policy]


@pytest.mark.parametrize("fault", ["blur", "noise"])
def test_poor_pictures_are_not_augmented_ones(faces: tuple[Tensor, Tensor], fault: str) -> None:
    """A generator that blurs or is noisy does not leak; without worn examples all the noisy ones look shifted."""
    x_fake, x_real = faces
    if fault == "blur":
        x_fake = F.avg_pool2d(x_fake, 5, stride=1, padding=2, count_include_pad=False)
    else:
        x_fake = (x_fake + 0.2 * torch.randn(x_fake.shape, generator=rng(2))).clamp(-1, 1)
    assert leaking(x_fake, x_real, ("colour", "translation", "cutout")) == []


def test_z_is_the_difference_in_binomial_standard_errors() -> None:
    """60 of 100 against 20 of 300 flagged by hand: share 81/402 of all, error sqrt(p (1 - p) (1/100 + 1/300))."""
    from latentry.metrics.leak import _compare

    fake, real = torch.arange(100).numpy() < 60, torch.arange(300).numpy() < 20
    p = 81 / 402
    expected = (0.6 - 20 / 300) / (p * (1 - p) * (1 / 100 + 1 / 300)) ** 0.5
    leak = _compare(fake, real)
    assert (leak.share, leak.share_real, leak.z) == pytest.approx((0.6, 20 / 300, expected))
    assert leak.leaks
    assert not Leak(0.12, 0.05, 9.0).leaks  # certain, but too rare to be seen
    assert not Leak(0.5, 0.1, 3.9).leaks  # large, but not certain


def test_a_policy_without_effect_is_silent() -> None:
    """Pictures of 4 x 4 pixels are too small to be shifted, and black ones look the same turned."""
    x = -torch.ones(60, 1, 4, 4)
    found = augmentation_leak(x, x, ("translation", "rotation"), rng())
    assert found == {"translation": Leak(0.0, 0.0, 0.0), "rotation": Leak(0.0, 0.0, 0.0)}


@pytest.mark.parametrize("shape", [(1, 1, 1), (4, 3, 8), (3, 9, 5)])
def test_any_size_and_channels(shape: tuple[int, int, int]) -> None:
    x = torch.rand(120, *shape, generator=rng()) * 2 - 1
    policies = ("colour", "translation", "cutout", "flip", "rotation")
    found = augmentation_leak(x[:60], x[60:], policies, rng())
    assert not any(leak.leaks for leak in found.values())
    assert found == augmentation_leak(x[:60], x[60:], policies, rng())  # random by rng alone


def test_what_is_refused() -> None:
    x = torch.zeros(60, 1, 4, 4)
    with pytest.raises(InputError, match="49 generated and 60 real pictures are too few to compare; give 50 of each"):
        augmentation_leak(x[:49], x, POLICIES, rng())
    with pytest.raises(InputError, match=r"generated pictures \[1, 4, 4\] and real ones \[1, 4, 3\]"):
        augmentation_leak(x, x[..., :3], POLICIES, rng())
    with pytest.raises(InputError, match="unknown augmentation policy 'zoom'"):
        augmentation_leak(x, x, ("zoom",), rng())
