"""Augmentation: the exact effect of each policy, its gradient, its randomness, and the probability that adapts."""

import pytest
import torch
from torch import Tensor

from latentry.errors import InputError
from latentry.nn.augment import POLICIES, AdaptiveProbability, augment


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    """Pictures in [-1, 1] without a zero, so that a zero in the output is a fill."""
    x = torch.rand(shape, generator=rng(seed), dtype=dtype)
    return torch.where(x < 0.5, x - 1, x)


def numbered(n: int, height: int, width: int) -> Tensor:
    """One picture n times over, whose pixels are 1, 2, 3 ..."""
    return torch.arange(1.0, height * width + 1).view(1, 1, height, width).repeat(n, 1, 1, 1)


@pytest.mark.parametrize("shape", [(5, 1, 8, 8), (5, 3, 16, 9), (5, 4, 7, 10), (3, 3, 1, 1), (1, 1, 2, 3)])
@pytest.mark.parametrize("p", [0.0, torch.tensor(0.0)])
def test_probability_zero_changes_no_bit(shape: tuple[int, ...], p: float | Tensor) -> None:
    x = pictures(*shape, dtype=torch.float32)
    assert torch.equal(augment(x, POLICIES, p, rng()), x)
    assert augment(x, (), 1.0, rng()) is x


@pytest.mark.parametrize("policy", POLICIES)
def test_each_picture_is_changed_with_probability_p(policy: str) -> None:
    """Half of p for flips and three quarters for turns, which may be by nothing; 8/9 of p for shifts by -1, 0 or 1."""
    x = pictures(20_000, 1, 8, 8, dtype=torch.float32)
    chance = {"flip": 0.5, "rotation": 0.75, "translation": 8 / 9}.get(policy, 1.0)
    for p in (0.3, torch.tensor(0.3), 1.0):
        changed = (augment(x, (policy,), p, rng(1)) != x).flatten(1).any(dim=1)
        # A cut-out around a corner may miss every pixel's centre: less than one in a thousand at 8 x 8.
        assert changed.float().mean().item() == pytest.approx(chance * float(p), abs=0.012)


def test_policies_are_drawn_independently() -> None:
    """With p = 0.5 each, a quarter of the pictures is both cut and recoloured."""
    x = pictures(20_000, 1, 8, 8, dtype=torch.float32)
    out = augment(x, ("colour", "cutout"), 0.5, rng(2))
    cut = (out == 0).flatten(1).any(dim=1)
    coloured = ((out != x) & (out != 0)).flatten(1).any(dim=1)
    assert (cut & coloured).float().mean().item() == pytest.approx(0.25, abs=0.012)


def test_translation_moves_pixels_and_fills_with_zero() -> None:
    """Every shift up to an eighth of the side occurs, equally often, and the pixels that stay are the ones shifted."""
    height, width = 16, 24
    x = numbered(1500, height, width)
    out = augment(x, ("translation",), 1.0, rng())
    found: dict[tuple[int, int], int] = {}
    for down in range(-2, 3):
        for right in range(-3, 4):
            padded = torch.zeros(height + 6, width + 6)
            padded[3 + down : 3 + down + height, 3 + right : 3 + right + width] = x[0, 0]
            expected = padded[3:-3, 3:-3]
            found[down, right] = int((out == expected).flatten(1).all(dim=1).sum())
    assert sum(found.values()) == 1500
    assert min(found.values()) >= 20 and max(found.values()) <= 70  # 43 each on average, standard deviation 6.4


def test_flip_mirrors_half_of_the_pictures() -> None:
    x = pictures(1000, 3, 5, 6)
    out = augment(x, ("flip",), 1.0, rng())
    mirrored = (out == x.flip(3)).flatten(1).all(dim=1)
    assert torch.equal(out[~mirrored], x[~mirrored])
    assert 440 <= int(mirrored.sum()) <= 560


def test_rotation_turns_a_square_by_quarters_and_any_other_picture_by_halves() -> None:
    for shape, turns, share in (((5, 5), (0, 1, 2, 3), 250), ((4, 6), (0, 2), 500)):
        x = pictures(1000, 2, *shape)
        out = augment(x, ("rotation",), 1.0, rng())
        counts = [int((out == torch.rot90(x, k, (2, 3))).flatten(1).all(dim=1).sum()) for k in turns]
        assert sum(counts) == 1000
        assert all(abs(count - share) < 60 for count in counts)


def test_moves_together_mirror_then_turn_then_shift() -> None:
    """One look-up is the three moves one after another: every output is one of the 8 x 9 that torch itself makes."""
    x = numbered(400, 8, 8)
    out = augment(x, ("rotation", "translation", "flip"), 1.0, rng())
    counts = torch.zeros(400, dtype=torch.int64)
    for flipped in (x[:1], x[:1].flip(3)):
        for k in range(4):
            padded = torch.nn.functional.pad(torch.rot90(flipped, k, (2, 3)), (1, 1, 1, 1))
            for down in range(3):
                for right in range(3):
                    candidate = padded[:, :, down : down + 8, right : right + 8]
                    counts += (out == candidate).flatten(1).all(dim=1)
    assert counts.tolist() == [1] * 400


@pytest.mark.parametrize(("height", "width"), [(8, 8), (16, 12)])
def test_cutout_zeroes_a_rectangle_of_half_the_sides(height: int, width: int) -> None:
    """A whole rectangle, at most half by half; with its centre anywhere 7/16 of each side is covered on average."""
    x = pictures(4000, 3, height, width)
    out = augment(x, ("cutout",), 1.0, rng())
    cut = (out == 0).all(dim=1)
    assert torch.equal(out, x * ~cut.unsqueeze(1))
    rows, columns = cut.any(dim=2), cut.any(dim=1)
    assert torch.equal(cut, rows.unsqueeze(2) & columns.unsqueeze(1))
    assert int(rows.sum(dim=1).max()) == height // 2 and int(columns.sum(dim=1).max()) == width // 2
    assert int((rows.int().diff(dim=1) == 1).sum(dim=1).max()) <= 1  # no second rectangle
    assert cut.double().mean().item() == pytest.approx((7 / 16) ** 2, abs=0.005)
    # A pixel of the middle is covered when the centre is within a quarter each way, the corner much more rarely.
    assert cut[:, height // 2, width // 2].double().mean().item() == pytest.approx(0.25, abs=0.03)
    corner = (0.25 + 0.5 / height) * (0.25 + 0.5 / width)
    assert cut[:, 0, 0].double().mean().item() == pytest.approx(corner, abs=0.03)


def test_colour_is_brightness_then_saturation_then_contrast() -> None:
    """Recover b, s and c from the output: in their ranges, uniform, and accounting for all of the change."""
    x = pictures(4000, 3, 4, 5)
    out = augment(x, ("colour",), 1.0, rng())
    b = (out - x).mean(dim=(1, 2, 3))  # the other two keep the picture's mean
    c = out.mean(dim=1).std(dim=(1, 2)) / x.mean(dim=1).std(dim=(1, 2))  # saturation keeps a pixel's mean
    s = (
        (out - out.mean(dim=1, keepdim=True)).std(dim=(1, 2, 3))
        / (x - x.mean(dim=1, keepdim=True)).std(dim=(1, 2, 3))
        / c
    )
    for number, low, high in ((b, -0.5, 0.5), (s, 0, 2), (c, 0.5, 1.5)):
        assert low <= number.min() < low + 0.01 and high - 0.01 < number.max() <= high
        assert number.mean().item() == pytest.approx((low + high) / 2, abs=0.04)
        assert number.std().item() == pytest.approx((high - low) / 12**0.5, rel=0.05)
    b, s, c = (number.view(-1, 1, 1, 1) for number in (b, s, c))
    y = x + b
    y = s * (y - y.mean(dim=1, keepdim=True)) + y.mean(dim=1, keepdim=True)
    y = c * (y - y.mean(dim=(1, 2, 3), keepdim=True)) + y.mean(dim=(1, 2, 3), keepdim=True)
    torch.testing.assert_close(out, y)


def test_colour_leaves_alpha_alone_and_other_policies_move_it() -> None:
    x = pictures(50, 4, 8, 8)
    out = augment(x, ("colour",), 1.0, rng())
    assert torch.equal(out[:, 3:], x[:, 3:])
    torch.testing.assert_close(out[:, :3], augment(x[:, :3], ("colour",), 1.0, rng()))
    same = x[:, :1].repeat(1, 4, 1, 1)
    moved = augment(same, ("translation", "cutout", "flip", "rotation"), 1.0, rng())
    assert torch.equal(moved[:, 3], moved[:, 0]) and not torch.equal(moved, same)


def test_grey_pictures_have_no_saturation() -> None:
    """Grey comes out as RGB of three equal channels does."""
    x = pictures(20, 1, 4, 4)
    grey = augment(x, ("colour",), 1.0, rng())
    torch.testing.assert_close(augment(x.expand(-1, 3, -1, -1), ("colour",), 1.0, rng()), grey.expand(-1, 3, -1, -1))


@pytest.mark.parametrize("policies", [*[(policy,) for policy in POLICIES], POLICIES])
@pytest.mark.parametrize("size", [(8, 8), (9, 4)])
def test_gradient_is_right(policies: tuple[str, ...], size: tuple[int, int]) -> None:
    x = pictures(3, 4, *size).requires_grad_()
    torch.autograd.gradcheck(lambda x: augment(x, policies, 0.8, rng(3)), (x,))


def test_gradient_of_a_gradient_passes() -> None:
    """R1 through the augmentation: d/dx of |d/dx sum(T(x)^2)|^2 is not nought."""
    x = pictures(1, 3, 8, 8).requires_grad_()
    torch.autograd.gradgradcheck(lambda x: augment(x, POLICIES, 1.0, rng(3)) ** 2, (x,))


def test_equal_states_of_the_source_augment_alike() -> None:
    """Whatever the pictures, the order of the policies, the dtype and the channels; and the state moves on."""
    source = rng(5)
    real, fake = torch.ones(64, 3, 16, 16), torch.full((64, 1, 16, 16), -0.5, dtype=torch.float64)
    one = augment(real, ("translation", "cutout"), 0.7, source)
    again = augment(fake, ("cutout", "translation"), torch.tensor(0.7), rng(5))
    assert torch.equal(one[:, :1] == 0, again == 0)
    assert not torch.equal(augment(real, ("translation", "cutout"), 0.7, source), one)
    before = torch.get_rng_state()
    augment(real, POLICIES, 0.5, rng())
    assert torch.equal(torch.get_rng_state(), before)


def test_what_is_refused() -> None:
    x = pictures(1, 1, 4, 4)
    with pytest.raises(InputError, match="unknown augmentation policy 'color'; did you mean colour"):
        augment(x, ("color",), 1.0, rng())
    with pytest.raises(InputError, match=r"p \(=1.5\) is a probability"):
        augment(x, ("flip",), 1.5, rng())
    with pytest.raises(InputError, match=r"target \(=1\) must be between"):
        AdaptiveProbability(target=1)
    with pytest.raises(InputError, match=r"speed_images \(=0\) and every \(=4\)"):
        AdaptiveProbability(speed_images=0)


def test_probability_rises_by_images_seen_and_falls_again() -> None:
    """Sign mean 1: every second call, 20 pictures of 100 move it by 0.2, up to 1; sign mean 0: down, to 0."""
    adaptive = AdaptiveProbability(target=0.6, speed_images=100, every=2)
    sure, unsure = torch.full((10,), 3.0), torch.tensor([5.0, -0.1]).repeat(5)
    seen = []
    for score in [sure] * 12 + [unsure] * 14:
        adaptive.update(score)
        seen.append(float(adaptive.p))
    up = [0, 0.2, 0.2, 0.4, 0.4, 0.6, 0.6, 0.8, 0.8, 1, 1, 1]
    down = [1, 0.8, 0.8, 0.6, 0.6, 0.4, 0.4, 0.2, 0.2, 0, 0, 0, 0, 0]
    assert seen == pytest.approx(up + down, abs=1e-6)


def test_probability_follows_the_mean_over_all_calls_since_the_last_change() -> None:
    """Mean sign (10 - 2 + 8) / 30 is above a target of 0.5, though the second call alone is far below it."""
    adaptive = AdaptiveProbability(target=0.5, speed_images=300, every=3)
    for positives in (10, 4, 9):
        adaptive.update(torch.tensor([1.0] * positives + [-1.0] * (10 - positives)))
    assert float(adaptive.p) == pytest.approx(0.1)
    for _ in range(3):  # exactly on target: it stays
        adaptive.update(torch.tensor([2.0, 2.0, 2.0, -1.0]))
    assert float(adaptive.p) == pytest.approx(0.1)


def test_state_of_the_probability_is_in_buffers() -> None:
    """A copy made from the state in the middle of an interval goes on as the original does."""
    one, two = (AdaptiveProbability(speed_images=1000, every=4) for _ in range(2))
    scores = [torch.randn(8, generator=rng(k)) + 1 for k in range(20)]
    for score in scores[:10]:
        one.update(score)
    two.load_state_dict(one.state_dict())
    for score in scores[10:]:
        one.update(score)
        two.update(score)
    assert float(one.p) > 0 and not list(one.parameters())
    for name, value in one.state_dict().items():
        assert torch.equal(two.state_dict()[name], value), name


def test_probability_counts_pictures_where_they_are_judged_in_packs() -> None:
    """Ten scores of packs of three are of 30 pictures of 100: p moves by 0.3."""
    adaptive = AdaptiveProbability(target=0.6, speed_images=100, every=1)
    adaptive.update(torch.full((10,), 3.0), packing=3)
    assert float(adaptive.p) == pytest.approx(0.3)
