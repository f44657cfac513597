"""Augmentation of what the critic sees, real and generated alike, so that few pictures are not learnt by heart.

Zhao et al. 2020 (DiffAugment, arXiv:2006.10738), section 3.2: colour, translation and cutout, always. Karras et al.
2020 (ADA, arXiv:2006.06676), section 3 and appendix B: flips and rotations too, each with a probability p that follows
how far the critic has overfitted.

Differs from the papers in: one probability gates the three changes of colour together; cutout is placed as ADA places
it (centre anywhere, so the square may stick out) for the reason given there; translation is in whole pixels.

Flips and rotations draw one of all orientations, the upright one included (ADA, appendix B), so p = 1 mirrors half of
the pictures, and turns three in four. That leaves nothing to say which way is up: below p of about 0.8 the generator
can know, at 1 it cannot, and will generate turned pictures. Colour, translation and cutout are safe at 1.

Letters: B batch, C H W image.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from latentry.errors import InputError, unknown_name
from latentry.ranks import ranks_here, sum_over_ranks, uniform

POLICIES = ("colour", "translation", "cutout", "flip", "rotation")
_MOVES = ("translation", "flip", "rotation")


def augment(x: Tensor, policies: tuple[str, ...], p: Tensor | float, rng: torch.Generator) -> Tensor:
    """Change each picture by each policy with probability p; differentiable in x, any number of times.

    Colours change first, then the picture is mirrored, turned and shifted, then cut, in whatever order the policies are
    named. The draws depend on B and the policies only: two calls with equal states of `rng` augment alike.

    Args:
        x: pictures in [-1, 1], [B, C, H, W], grey, RGB, or RGBA, whose alpha keeps its values but moves along.
        policies: some of `POLICIES`.
        p: probability, one number; 1 is DiffAugment.
        rng: on the device of x.

    Returns:
        Pictures [B, C, H, W], unbounded where colours change; 0, the mid-grey, where nothing is left.

    Raises:
        InputError: a policy that is not known, or a probability (as a plain number) outside [0, 1].
    """
    for name in policies:
        if name not in POLICIES:
            raise unknown_name("augmentation policy", name, POLICIES)
    if not isinstance(p, Tensor) and not 0 <= p <= 1:
        raise InputError(f"p (={p}) is a probability, from 0 to 1")
    if "colour" in policies:
        x = _change_colour(x, p, rng)
    if any(name in policies for name in _MOVES):
        x = _move(x, policies, p, rng)
    if "cutout" in policies:
        x = _cut_out(x, p, rng)
    return x


def _draw(x: Tensor, n: int, p: Tensor | float, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Which pictures are changed, bool [B], and n uniform numbers from [0, 1) for each, float32 [n, B]."""
    numbers = uniform((n + 1, len(x)), rng, rows=1)
    return numbers[0] < p, numbers[1:]


def _change_colour(x: Tensor, p: Tensor | float, rng: torch.Generator) -> Tensor:
    """Brightness b from [-0.5, 0.5] is added, saturation is times s from [0, 2], contrast times c from [0.5, 1.5].

    In this order, with m the mean of a pixel's colours and M the mean of m over the picture,
    y = c (s (x + b - m - b) + m + b - M - b) + M + b = c s x + c (1 - s) m + (1 - c) M + b.
    """
    change, u = _draw(x, 3, p, rng)
    b = torch.where(change, u[0] - 0.5, 0.0).to(x.dtype).view(-1, 1, 1, 1)
    s = torch.where(change, 2 * u[1], 1.0).to(x.dtype).view(-1, 1, 1, 1)
    c = torch.where(change, u[2] + 0.5, 1.0).to(x.dtype).view(-1, 1, 1, 1)
    colours = x[:, :3]
    pixel_mean = colours.mean(dim=1, keepdim=True)
    rest = c * (1 - s) * pixel_mean + ((1 - c) * pixel_mean.mean(dim=(2, 3), keepdim=True) + b)
    changed = torch.addcmul(rest, colours, c * s)
    return changed if x.shape[1] < 4 else torch.cat([changed, x[:, 3:]], dim=1)


def _move(x: Tensor, policies: tuple[str, ...], p: Tensor | float, rng: torch.Generator) -> Tensor:
    """Mirror, turn by quarters and shift, in one look-up of pixels."""
    batch, _, height, width = x.shape
    flipped, turns, down, right = torch.zeros(4, batch, dtype=torch.int64, device=x.device)
    if "flip" in policies:
        change, u = _draw(x, 1, p, rng)
        flipped = (change & (u[0] < 0.5)).long()
    if "rotation" in policies:
        change, u = _draw(x, 1, p, rng)
        # Quarter turns would make a picture that is not square another size; half turns are left.
        turns = change * ((4 * u[0]).long() if height == width else 2 * (2 * u[0]).long())
    if "translation" in policies:
        change, u = _draw(x, 2, p, rng)
        down, right = (
            change * (((2 * most + 1) * v).long() - most) for most, v in ((height // 8, u[0]), (width // 8, u[1]))
        )
    index = _source_pixels(height, width, flipped, turns, down, right)
    pixels = F.pad(x.flatten(2), (0, 1))  # the last one is the zero that is seen beyond the edge
    return pixels.gather(2, index.flatten(1).unsqueeze(1).expand(-1, x.shape[1], -1)).view_as(x)


def _source_pixels(height: int, width: int, flipped: Tensor, turns: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """For each output pixel the number of the input pixel seen there, or H W for none; int64 [B, H, W].

    Undoes the shift, then the turn, then the flip. In twice the distance from the centre, (r, q) down and right, what
    is seen at (r, q) of a picture turned by k quarters lies at (c r + s q, c q - s r), c = cos, s = sin of k quarters;
    and pixel (r, q) is number (W r + q + H W - 1) / 2.
    """
    flipped, turns, down, right = (number.view(-1, 1, 1) for number in (flipped, turns, down, right))
    row = torch.arange(height, device=turns.device).view(1, -1, 1) - down
    column = torch.arange(width, device=turns.device) - right
    odd = turns % 2
    c, s = (1 - turns) * (1 - odd), (2 - turns) * odd
    mirror = 1 - 2 * flipped
    row_step, column_step = width * c - mirror * s, width * s + mirror * c
    number = row_step * (2 * row - height + 1) + column_step * (2 * column - width + 1) + (height * width - 1)
    seen = ((row >= 0) & (row < height)) & ((column >= 0) & (column < width))
    return torch.where(seen, number // 2, height * width)


def _cut_out(x: Tensor, p: Tensor | float, rng: torch.Generator) -> Tensor:
    """Zero a rectangle of half the height and half the width, a square on a square picture.

    Its centre is anywhere, so that it may lie partly outside (ADA, appendix B): one that stayed inside would cover the
    picture's middle every time, and the critic would never see it.
    """
    change, u = _draw(x, 2, p, rng)
    height, width = x.shape[2:]
    row = (torch.arange(height, device=x.device) + 0.5) / height - u[0].view(-1, 1, 1)
    column = (torch.arange(width, device=x.device) + 0.5) / width - u[1].view(-1, 1, 1)
    rows, columns = row.abs().transpose(1, 2) < 0.25, column.abs() < 0.25
    cut = change.view(-1, 1, 1) & rows & columns
    return x.masked_fill(cut.unsqueeze(1), 0)


class AdaptiveProbability(nn.Module):
    """The probability of augmentation, steered by the sign of the critic on real pictures.

    Karras et al. 2020, section 3.1: the mean of sign(D(real)) is 0 for a critic that cannot tell, and 1 for one that
    has learnt the real pictures by heart; p rises while it is above `target`, and falls while it is below. All state is
    in buffers, on the device, and nothing waits for it.

    Args:
        target: the mean sign to steer to, between -1 and 1.
        speed_images: real pictures in which p travels from 0 to 1.
        every: calls of `update` between two changes of p.

    Raises:
        InputError: a setting outside its range.
    """

    p: Tensor
    sign_sum: Tensor
    n: Tensor
    calls: Tensor

    def __init__(self, target: float = 0.6, speed_images: int = 500_000, every: int = 4) -> None:
        super().__init__()
        if not -1 < target < 1:
            raise InputError(f"target (={target}) must be between -1 and 1; the paper uses 0.6")
        if speed_images < 1 or every < 1:
            raise InputError(f"speed_images (={speed_images}) and every (={every}) must be at least 1")
        self.target, self.speed_images, self.every = target, speed_images, every
        self.register_buffer("p", torch.zeros(()))
        self.register_buffer("sign_sum", torch.zeros(()))  # over the pictures since p last changed
        self.register_buffer("n", torch.zeros((), dtype=torch.int64))  # how many these are
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))  # since p last changed

    @torch.no_grad()
    def update(self, score_real: Tensor, packing: int = 1) -> None:
        """Take the critic's scores of packs of `packing` real pictures, one a pack, and change p where it is time."""
        self.sign_sum += packing * sum_over_ranks(score_real.sign().sum())
        self.n += packing * score_real.numel() * ranks_here().world
        self.calls += 1
        due = self.calls == self.every  # decided on the device: asking for it would wait for the step
        step = (self.sign_sum / self.n - self.target).sign() * (self.n / self.speed_images)
        self.p.copy_(torch.where(due, (self.p + step).clamp(0, 1), self.p))
        for counter in (self.sign_sum, self.n, self.calls):
            counter.masked_fill_(due, 0)
